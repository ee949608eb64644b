"""The lock file: what an image was made of, to make it of the same again. Usable alone."""
