"""The command line. Environment, clock, terminal and exit code belong to this package alone."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `minpack` with the arguments of this process, and end it."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        # Answered before click is imported: scripts ask for it often.
        from minpack._version import __version__  # noqa: PLC0415

        print(f"minpack {__version__}")
        sys.exit(0)
    from minpack.cli.run import run  # noqa: PLC0415

    sys.exit(run(arguments))
