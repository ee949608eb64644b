"""What the dynamic loader would open, worked out without running it."""
