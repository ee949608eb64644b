"""`minpack inspect`."""

from __future__ import annotations

import click

from minpack.base.catalog import fitting_bases
from minpack.cli.options import output_options
from minpack.cli.settings import today
from minpack.cli.terminal import print_json, print_lines
from minpack.elf.read import read_elf
from minpack.ld.closure import Libc
from minpack.ld.resolve import libc_of
from minpack.needs.need import decide
from minpack.placing import host_file
from minpack.target import alpine_arch


@click.command("inspect", short_help="Show what a program is and needs.")
@click.argument("programs", metavar="APP...", nargs=-1, required=True, type=click.Path())
@output_options
def command(programs: tuple[str, ...], *, quiet: bool, verbose: bool, as_json: bool) -> None:  # noqa: ARG001
    """Show what each APP, any ELF file, says about itself, and which bases fit it."""
    for number, path in enumerate(programs):
        info = read_elf(host_file(path))
        platform = info.target.platform
        libc = libc_of(info.interpreter) if info.interpreter is not None else None
        arch = alpine_arch(platform) if platform is not None else None
        bases = fitting_bases(arch, today()) if libc is Libc.MUSL and arch is not None else ()
        if as_json:
            from minpack.report.documents import inspect_document  # noqa: PLC0415

            nothing: frozenset[object] = frozenset()
            decisions = decide(wanted=nothing, unwanted=nothing, zone=None, glibc=libc is Libc.GLIBC)  # type: ignore[arg-type]
            print_json(inspect_document(path, info, str(platform) if platform else None, bases, decisions))
            continue
        from minpack.report.text import inspect_lines  # noqa: PLC0415

        if number:
            print_lines([""])
        print_lines(inspect_lines(path, info, str(platform) if platform else None, bases))
