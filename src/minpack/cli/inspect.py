"""`minpack inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.build.inspect import inspect
from minpack.cli.effects import refuse_explicit, refuse_without_registry
from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import FILLED, Command, output_options, why_option
from minpack.cli.settings import host_platform, today
from minpack.cli.terminal import drawing, print_json, print_lines
from minpack.errors import UsageError

if TYPE_CHECKING:
    from minpack.build.inspect import Inspected
    from minpack.target import Platform


@click.command("inspect", cls=Command, short_help="Show what a program is and what it needs.")
@click.argument("programs", metavar="APP|IMAGE...", nargs=-1, required=True, type=click.Path(readable=False))
@click.option(
    "--path",
    "paths",
    multiple=True,
    type=FILLED,
    metavar="PATH",
    help="Look at the program at this path in IMAGE; repeatable.",
)
@image_platform_option("this machine's")
@why_option
@click.option("--full", is_flag=True, help="Also show segments, the dynamic section, versions and notes.")
@image_options
@output_options
def command(
    programs: tuple[str, ...],
    *,
    paths: tuple[str, ...],
    platform: Platform | None,
    why: bool,
    full: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the options about where images come from
) -> None:
    """Show what each APP (any ELF file) is, what it needs at run time, and which bases fit it.

    With --path, minpack inspects a program in IMAGE, which is named as for minpack check.

    To see what a program's libraries need on a base, use minpack APP --base BASE --dry-run.
    """
    if paths:
        found = _in_image(programs, paths, {"platform": platform, "why": why, "full": full, "quiet": quiet, **given})
    else:
        refuse_explicit({"platform": "--platform"}, "a program has one platform", "leave it out, or add --path")
        refuse_without_registry(given, "leave it out, or name a program in an image with --path")
        found = tuple(inspect(path, today(), why=why, full=full) for path in programs)
    if as_json:
        from minpack.report.documents import inspect_document  # noqa: PLC0415

        print_json(inspect_document(found))
    elif not quiet:
        from minpack.report.facts import inspect_lines  # noqa: PLC0415

        print_lines(inspect_lines(found, verbose=verbose))


def _in_image(programs: tuple[str, ...], paths: tuple[str, ...], given: dict[str, Any]) -> tuple[Inspected, ...]:
    """What the files at `paths` in an image are and need.

    :raises UsageError: several images are named.
    """
    if len(programs) > 1:
        raise UsageError("--path", paths[0], "several images are named", "name one image")
    from minpack.build.in_image import inspect_in_image  # noqa: PLC0415 - for images alone

    ref = parse_image_argument(programs[0])
    options, asked = image_base_options(given, ref), {"why": given["why"], "full": given["full"]}
    with drawing(quiet=given["quiet"]) as progress:
        return inspect_in_image(ref, paths, today(), options, progress, given["platform"], host_platform(), **asked)
