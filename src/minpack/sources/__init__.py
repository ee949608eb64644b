"""From what --base names to an open base and its packages."""
