"""The file system of this host: following paths, long ones too, removing trees, exchanging, unfinished outputs."""
