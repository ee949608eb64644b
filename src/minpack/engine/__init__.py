"""Container engines: asking them, and taking images out of them."""
