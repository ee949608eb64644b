"""What is kept between runs: downloads by content, and small records."""
