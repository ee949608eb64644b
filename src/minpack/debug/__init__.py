"""Images for debugging: an image with a layer of tools on top, and what puts them beside a running container."""
