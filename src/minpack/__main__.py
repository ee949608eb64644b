"""``python -m minpack``."""

from minpack.cli import main

main()
