"""Whether what an image ships has changed since, where it came from."""
