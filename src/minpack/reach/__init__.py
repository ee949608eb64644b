"""What the start of a finished image reaches, file by file, and why; what it does not, and the image without that."""
