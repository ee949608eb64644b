"""`minpack inspect`."""

from __future__ import annotations

import click

from minpack.build.inspect import inspect
from minpack.cli.options import Command, output_options, why_option
from minpack.cli.settings import today
from minpack.cli.terminal import print_json, print_lines


@click.command("inspect", cls=Command, short_help="Show what a program is and needs.")
@click.argument("programs", metavar="APP...", nargs=-1, required=True, type=click.Path(readable=False))
@why_option
@click.option("--full", is_flag=True, help="Also show segments, the dynamic section, versions and notes.")
@output_options
def command(
    programs: tuple[str, ...],
    *,
    why: bool,
    full: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Show what each APP (any ELF file) is, what it needs at run time, and which bases fit it.

    What its libraries need depends on the base: minpack APP --base BASE --dry-run shows it.
    """
    found = tuple(inspect(path, today(), why=why, full=full) for path in programs)
    if as_json:
        from minpack.report.documents import inspect_document  # noqa: PLC0415

        print_json(inspect_document(found))
    elif not quiet:
        from minpack.report.facts import inspect_lines  # noqa: PLC0415

        print_lines(inspect_lines(found, verbose=verbose))
