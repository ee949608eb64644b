"""`minpack diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import Command, output_options
from minpack.cli.output import summary_option
from minpack.cli.settings import host_platform
from minpack.cli.terminal import drawing, print_json, print_lines

if TYPE_CHECKING:
    from minpack.base.walk import Walker
    from minpack.images.compare import Compared
    from minpack.images.diff import PackageFiles


@click.command("diff", cls=Command, short_help="Compare two images.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@image_platform_option("this machine's")
@click.option("--exit-code", is_flag=True, help="Exit with 3 if the images differ.")
@image_options
@summary_option
@output_options
def command(before: str, after: str, **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Compare the images A and B: files, packages, configuration, sizes and layers.

    \b
    minpack diff ghcr.io/me/myapp:1.0 ghcr.io/me/myapp:1.1
    minpack diff minpack.lock ./myapp.tar --exit-code

    A and B are named as for minpack check; A may also be a lock file. minpack compares files, not layers: images with
    the same files are equal, however they are compressed or split into layers.
    """  # noqa: D301 - click's mark for a block
    from minpack.images.compare import Comparing, compare  # noqa: PLC0415 - not for help

    other = parse_image_argument(after)
    one = compared_argument(before)
    options = image_base_options(given, *((one.ref,) if one.ref is not None else ()), other)
    with drawing(quiet=given["quiet"]) as progress:
        how = Comparing(options, progress, given["platform"], host_platform(), packages_in)
        found = compare(one, other, how)
    from minpack.report.diff import diff_document, diff_lines  # noqa: PLC0415 - as above

    if given["summary"] is not None:
        from minpack.cli.summary import append_summary  # noqa: PLC0415 - as it is asked for
        from minpack.report.markdown import difference_summary  # noqa: PLC0415 - as above

        append_summary(given["summary"], difference_summary(found))
    if given["as_json"]:
        print_json(diff_document(found))
    elif not given["quiet"]:
        print_lines(diff_lines(found, verbose=given["verbose"]))
    return 3 if given["exit_code"] and not found.is_equal else 0


def compared_argument(text: str) -> Compared:
    """What an image is compared with: the lock at that path, or the image that it names.

    :raises UsageError: it names none.
    """
    from minpack.images.compare import Compared  # noqa: PLC0415 - as above
    from minpack.lock.file import is_lock, read_lock  # noqa: PLC0415 - as above

    if text and is_lock(text):
        return Compared(text, lock=read_lock(text))
    return Compared(text, parse_image_argument(text))


def packages_in(tree: Walker) -> tuple[PackageFiles, ...]:
    """The packages of a tree, by whichever database it has."""
    from minpack.freshness.installed import installed_in  # noqa: PLC0415 - as above
    from minpack.images.diff import PackageFiles  # noqa: PLC0415 - as above

    found = installed_in(tree).packages
    return tuple(PackageFiles(one.name, one.version, tuple(file.path for file in files)) for one, files in found)
