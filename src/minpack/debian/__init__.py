"""Debian: archive, suites and packages."""
