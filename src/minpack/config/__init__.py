"""`minpack.toml`: its values and where they are, and the settings of each image; nothing here knows click."""
