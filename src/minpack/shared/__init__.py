"""Shared caches: what one machine compressed or downloaded, for others to take from a repository of a registry."""
