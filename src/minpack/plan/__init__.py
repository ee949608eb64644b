"""Every entry of the image with its reason, proved before a byte is written."""
