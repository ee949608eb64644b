"""`minpack report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.diff import compared_argument, packages_in
from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import FILLED, STDOUT, Command, answer_options
from minpack.cli.settings import host_platform
from minpack.cli.terminal import binary_stdout, drawing, print_json, print_lines, reporting
from minpack.errors import UsageError

if TYPE_CHECKING:
    from minpack.output.document_file import DocumentFile
    from minpack.reach.image_report import ImageReport
    from minpack.report.image import WrittenPage


@click.command("report", cls=Command, short_help="Show what is in an image and why, as text or as a page.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("this machine's")
@click.option("-o", "--output", type=FILLED, metavar="FILE", help="Write an HTML page to this file; - for stdout.")
@click.option(
    "--against", type=FILLED, metavar="IMAGE|LOCK", help="Also show what differs from this image or lock file."
)
@click.option("--force", is_flag=True, help="Replace a file that is not a minpack report.")
@image_options
@answer_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Show what is in IMAGE, how it runs, and what its bytes are for. With -o, also write an HTML page.

    \b
    minpack report ./myapp.tar
    minpack report me/myapp:1.1 --against me/myapp:1.0 -o report.html

    The page is one self-contained file. It has a treemap of the bytes, the libraries and what needs them, every file
    with its reason, package and checksum, the needs of the programs, the findings of minpack check, and the packages.
    """  # noqa: D301 - click's mark for a block
    if given["force"] and given["output"] is None:
        raise UsageError("--force", "", "no file is written", "name one with -o FILE, or leave it out")
    to_stdout = given["output"] == "-" or given["output"] in STDOUT
    if to_stdout and given["as_json"]:
        raise UsageError("-o", given["output"], "--json takes stdout", "choose a file with -o FILE")
    ref = parse_image_argument(image)
    before = compared_argument(given["against"]) if given["against"] is not None else None
    file = _file(image, given) if given["output"] is not None and not to_stdout else None
    from minpack.images.compare import Comparing  # noqa: PLC0415 - after what is refused at once, as the next
    from minpack.reach.image_report import report_image  # noqa: PLC0415

    refs = (ref, *([before.ref] if before is not None and before.ref is not None else []))
    options = image_base_options(given, *refs)
    with drawing(quiet=given["quiet"]) as progress:
        how = Comparing(options, progress, given["platform"], host_platform(), packages_in)
        report = report_image(ref, how, before)
    page = _write(report, file, given["output"]) if given["output"] is not None else None
    with reporting(f"{page.path!r} was written" if page is not None else ""):
        _print(report, page, given)


def _file(image: str, given: dict[str, Any]) -> DocumentFile:
    """The file that the page goes to."""
    from minpack.host.overwrite import HostInput  # noqa: PLC0415 - where a file is written, as the next
    from minpack.output.document_file import DocumentFile  # noqa: PLC0415
    from minpack.page.html import KIND, MARK  # noqa: PLC0415

    inputs = [HostInput(image, "the image", whole=True)]
    inputs += [HostInput(given["against"], "what it is compared with", whole=True)] if given["against"] else []
    return DocumentFile(given["output"], inputs, MARK, KIND, force=given["force"])


def _write(report: ImageReport, file: DocumentFile | None, path: str) -> WrittenPage:
    """Write the page, to stdout without a file."""
    from minpack.page.html import render_page  # noqa: PLC0415 - where a page is written, as the next
    from minpack.report.image import WrittenPage  # noqa: PLC0415

    data = render_page(report)
    if file is not None:
        file.write(data)
        return WrittenPage(path, len(data))
    with binary_stdout() as stdout:
        stdout.write(data)
    return WrittenPage("-", len(data))


def _print(report: ImageReport, page: WrittenPage | None, given: dict[str, Any]) -> None:
    if given["as_json"]:
        from minpack.report.image import report_document  # noqa: PLC0415 - as it is asked for, as below

        print_json(report_document(report, page))
    elif page is not None and not given["quiet"]:
        from minpack.report.image import page_line  # noqa: PLC0415

        print_lines([page_line(report, page)], to_stderr=page.path == "-")
    elif page is None and not given["quiet"]:
        from minpack.cli.bars import print_bars  # noqa: PLC0415
        from minpack.report.image import head_lines, reason_bars, tail_lines  # noqa: PLC0415

        print_lines([*head_lines(report), ""])
        print_bars(reason_bars(report))
        print_lines(["", *tail_lines(report)])
