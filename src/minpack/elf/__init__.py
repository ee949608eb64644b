"""What one ELF file says about itself, read from its program headers alone."""
