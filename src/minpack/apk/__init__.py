"""Alpine's packages and indexes (apk v2): read, verified, searched. Usable alone."""
