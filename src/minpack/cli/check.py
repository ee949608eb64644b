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


@click.command("check", cls=Command, short_help="Check whether an image starts, and report what is wrong.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("all")
@click.option(
    "--format",
    "form",
    type=Choice(FORMATS),
    default=TEXT,
    show_default=True,
    help="text, or a report for CI: sarif (code scanning), junit (test results).",
)
@acceptance_options
@click.option(
    "--any-user",
    is_flag=True,
    help="Check it as a UID that the platform chooses, with group 0, as OpenShift runs images, not as its own user.",
)
@image_options
@summary_option
@output_options
def command(image: str, **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Check whether a container of IMAGE starts, by its files alone; with --smoke, also run it. No engine is needed.

    \b
    minpack check ./myapp.tar
    minpack check ./myapp.tar --smoke '--version'   also runs it
    minpack check ghcr.io/me/myapp:1.0 --format sarif > myapp.sarif

    IMAGE is a path (an archive, an OCI layout, the output of docker save), a transport (docker://, oci:, …), or a
    name, which minpack looks up in the container engine, then in its registry. The exit code is 3 if a container would
    not start, or the image fails its smoke test.
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
