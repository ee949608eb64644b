"""minpack turns a program into the smallest container image that works."""

from minpack._version import __version__

__all__ = ["__version__"]
