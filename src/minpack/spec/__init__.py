"""What the user meant, as values."""
