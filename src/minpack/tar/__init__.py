"""Tar files: reading what is in them, taking off their compression, writing them."""
