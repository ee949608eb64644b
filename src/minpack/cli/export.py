"""`minpack export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import FILLED, STDOUT, Choice, Command, answer_options
from minpack.cli.output import OutputSettings, done, output_spec
from minpack.cli.settings import host_platform
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.oci.reference import default_reference
from minpack.output.target import Format

if TYPE_CHECKING:
    from minpack.output.target import OutputSpec


@click.command("export", cls=Command, short_help="Extract the files of an image to a directory or a tar.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("this machine's")
@click.option(
    "-o",
    "--output",
    type=FILLED,
    metavar="PATH",
    help="Directory or file to write; - for stdout. Default: ./NAME-rootfs, after the image.",
)
@click.option(
    "--format",
    "form",
    type=Choice([Format.ROOTFS.value, Format.TAR.value]),
    help="rootfs: a directory; tar: a tar of the files. Default: tar if -o is - or ends in .tar, else rootfs.",
)
@click.option(
    "--force", is_flag=True, help="Replace a directory that is not empty, or a file that is not a tar archive."
)
@image_options
@answer_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Extract the files of IMAGE, with all layers merged, as a container would see them.

    \b
    minpack export ./myapp.tar -o rootfs
    minpack export ghcr.io/me/myapp:1.0 --platform linux/arm64 -o - | tar -t

    IMAGE is a path (an archive, an OCI layout, the output of docker save), a name with a transport (docker://, oci:,
    …), or a name that minpack looks up first in the container engine, then in the registry. The same image always gives
    the same bytes. Owners are kept in a tar; in a directory, only if you are root.
    """  # noqa: D301 - click's mark for a block
    ref = parse_image_argument(image)
    output = _output(image, given)
    from minpack.images.export import export_image  # noqa: PLC0415 - after what is refused at once

    options = image_base_options(given, ref)
    with drawing(quiet=given["quiet"]) as progress:
        exported = export_image(ref, output, options, progress, given["platform"], host_platform())
    with reporting(done(exported.written)):
        if given["as_json"]:
            from minpack.report.export import export_document  # noqa: PLC0415 - as it is asked for, as below

            print_json(export_document(exported))
            return
        print_notes(exported.notes, quiet=given["quiet"])
        if not given["quiet"]:
            from minpack.report.export import export_lines  # noqa: PLC0415

            print_lines(export_lines(exported), to_stderr=output.path == "-")


def _output(image: str, given: dict[str, Any]) -> OutputSpec:
    """Where the files go."""
    path = given["output"]
    is_tar = path is not None and (path.endswith(".tar") or path in ("-", *STDOUT))
    form = Format(given["form"] or (Format.TAR if is_tar else Format.ROOTFS))
    settings = OutputSettings(
        *((), path, form),
        load=False,
        engine=None,
        push=False,
        digest_file=None,
        force=given["force"],
        as_json=given["as_json"],
        compresses=False,
    )
    # Of a path or a reference the last part, without tag and digest.
    name = image.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0].removesuffix(".tar")
    return output_spec(settings, name or "image", default_reference("image"))
