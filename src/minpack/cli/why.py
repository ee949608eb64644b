"""`minpack why`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import UNSET, Command, output_options, value_of
from minpack.cli.settings import host_platform
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes
from minpack.errors import UsageError
from minpack.paths import parse_root_path

if TYPE_CHECKING:
    from minpack.paths import RootPath
    from minpack.reach.why import Examined


@click.command("why", cls=Command, short_help="Show why a file is in an image, or list unneeded files.")
@click.argument("image", metavar="IMAGE")
@click.argument("path", metavar="[PATH]", required=False)
@image_platform_option("this machine's")
@click.option(
    "--unneeded", is_flag=True, help="List the files that nothing in the image asks for, by package and directory."
)
@image_options
@output_options
def command(image: str, path: str | None, **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Show why PATH is in IMAGE: the chain from the image's entrypoint to that file.

    \b
    minpack why ./myapp.tar /usr/lib/libz.so.1
    minpack why debian:12 --unneeded        what minpack shrink would leave out

    IMAGE is named as for minpack check. Nothing is run. The exit code is 3 if nothing in the image asks for
    PATH.
    """  # noqa: D301 - click's mark for a block
    wanted = _path(path, unneeded=given["unneeded"])
    ref = parse_image_argument(image)
    from minpack.reach.why import examined  # noqa: PLC0415 - after what is refused at once

    options = image_base_options(given, ref)
    with (
        drawing(quiet=given["quiet"]) as progress,
        examined(ref, options, progress, given["platform"], host_platform()) as found,
    ):
        return _explain(found, wanted, given) if wanted is not None else _list(found, given)


def _path(path: str | None, *, unneeded: bool) -> RootPath | None:
    """The path that is asked about; None if it is what nothing asks for.

    :raises UsageError: both are wanted, or neither, or it is no path in an image.
    """
    if unneeded and path is not None:
        raise UsageError("--unneeded", "", "PATH is about one file", "give only one of them")
    if unneeded:
        return None
    if path is None:
        hint = "name a file of the image: minpack why IMAGE /etc/passwd, or add --unneeded"
        raise UsageError("minpack why", "", "PATH is missing", hint, verb="run")
    if not path:
        raise UsageError("PATH", "", "its value is empty", UNSET)
    return value_of("PATH", parse_root_path)(path)


def _explain(found: Examined, path: RootPath, given: dict[str, Any]) -> int:
    from minpack.reach.why import explain_path, problem_notes  # noqa: PLC0415 - as above
    from minpack.report.reach import why_document, why_lines  # noqa: PLC0415 - as above

    explained = explain_path(found, path)
    if given["as_json"]:
        print_json(why_document(explained))
    elif not given["quiet"]:
        print_notes(problem_notes(found.reach), quiet=False)
        print_lines(why_lines(explained, verbose=given["verbose"]))
    return 0 if explained.chain else 3


def _list(found: Examined, given: dict[str, Any]) -> int:
    from minpack.reach.why import unneeded_files  # noqa: PLC0415 - as above
    from minpack.report.reach import unneeded_document, unneeded_lines  # noqa: PLC0415 - as above

    unneeded = unneeded_files(found)
    if given["as_json"]:
        print_json(unneeded_document(unneeded))
    elif not given["quiet"]:
        print_notes(unneeded.notes, quiet=False)
        print_lines(unneeded_lines(unneeded, verbose=given["verbose"]))
    return 0
