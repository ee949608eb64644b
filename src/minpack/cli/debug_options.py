"""The options about the tools of an image for debugging, which `pack` and `debug` have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minpack.cli.options import Parsed, applied, completed

if TYPE_CHECKING:
    from minpack.spec.base_ref import BaseRef


def _parse_tools(text: str) -> tuple[str, ...]:
    from minpack.spec.debug import parse_tools  # noqa: PLC0415 - where tools are named

    return parse_tools(text)


def _parse_base(text: str) -> BaseRef:
    from minpack.spec.base_ref import parse_base  # noqa: PLC0415 - where one is named

    return parse_base(text)


tools_options = applied(
    click.option(
        "--tools",
        multiple=True,
        type=Parsed(_parse_tools),
        metavar="NAME,…",
        help="Packages to add to the shell and its tools, with their dependencies (strace,gdb,curl); repeatable.",
    ),
    click.option(
        "--tools-base",
        type=Parsed(_parse_base),
        shell_complete=completed("base"),
        metavar="BASE",
        help="Alpine base to take the shell and tools from: a named base, a tarball, a directory or an"
        " image. Default: the newest Alpine.",
    ),
)

debug_option = click.option(
    "--debug",
    is_flag=True,
    help="Also make a debug image, NAME:TAG-debug: the same layers, plus a shell and tools at /.debug.",
)
