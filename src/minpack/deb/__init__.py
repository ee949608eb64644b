"""Debian's archive and packages: signed releases, indexes, versions and .deb files. A library usable alone."""
