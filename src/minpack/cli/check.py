"""`minpack check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.acceptance import acceptance_of, acceptance_options
from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import Choice, Command, output_options
from minpack.cli.output import summary_option
from minpack.cli.terminal import drawing, fill_streams, print_json, print_lines
from minpack.errors import UsageError

if TYPE_CHECKING:
    from minpack.images.check import CheckedImage

TEXT, SARIF, JUNIT = FORMATS = ("text", "sarif", "junit")


@click.command("check", cls=Command, short_help="Check whether an image will start.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("all")
@click.option(
    "--format",
    "form",
    type=Choice(FORMATS),
    default=TEXT,
    help="text, or a report for CI: sarif (code scanning) or junit (test results). Default: text.",
)
@acceptance_options
@click.option(
    "--any-user",
    is_flag=True,
    help="Check the image for an arbitrary UID with group 0 (as in OpenShift), not for its own user.",
)
@image_options
@summary_option
@output_options
def command(image: str, **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Check whether a container of IMAGE would start, from its files. No engine is needed; --smoke also runs it.

    \b
    minpack check ./myapp.tar
    minpack check ./myapp.tar --smoke '--version'   also run it
    minpack check ghcr.io/me/myapp:1.0 --format sarif > myapp.sarif

    IMAGE is a path (an archive, an OCI layout, the output of docker save), a name with a transport (docker://, oci:,
    …), or a name that minpack looks up first in the container engine, then in the registry. The exit code is 3 if a
    container would not start, or the image fails its smoke test.
    """  # noqa: D301 - click's mark for a block
    if given["as_json"] and given["form"] != TEXT:
        raise UsageError("--json", "", f"--format {given['form']} prints another document", "give only one of them")
    acceptance = acceptance_of(given)
    if acceptance is not None:
        fill_streams()
    ref = parse_image_argument(image)
    from minpack.images.check import check_found  # noqa: PLC0415 - after what is refused at once

    options = image_base_options(given, ref)
    with drawing(quiet=given["quiet"]) as progress:
        any_user = given["any_user"]
        name, checked = check_found(ref, options, progress, given["platform"], acceptance, any_user=any_user)
    _print(name, checked, given)
    if given["summary"] is not None:
        from minpack.cli.summary import append_summary  # noqa: PLC0415 - as it is asked for
        from minpack.report.markdown import check_summary  # noqa: PLC0415

        append_summary(given["summary"], check_summary(name, checked))
    return 0 if all(one.passes for one in checked) else 3


def _print(name: str, checked: tuple[CheckedImage, ...], given: dict[str, Any]) -> None:
    if given["as_json"]:
        from minpack.report.findings import check_document  # noqa: PLC0415 - as it is asked for, as below

        print_json(check_document(name, checked, any_user=given["any_user"]))
    elif given["form"] == SARIF:
        from minpack.report.sarif import sarif_document  # noqa: PLC0415

        print_json(sarif_document(name, checked))
    elif given["form"] == JUNIT:
        from minpack.report.junit import junit_lines  # noqa: PLC0415

        print_lines(junit_lines(name, checked), whole=True)
    elif not given["quiet"]:
        from minpack.report.findings import finding_lines  # noqa: PLC0415

        print_lines(finding_lines(name, checked, verbose=given["verbose"]))
