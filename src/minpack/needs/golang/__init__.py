"""Programs built by Go: what their build information and their function names tell."""
