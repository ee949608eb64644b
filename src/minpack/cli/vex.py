"""`minpack vex`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import FILLED, STDOUT, Command, Parsed, answer_options
from minpack.cli.settings import created
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.oci.reference import parse_reference

if TYPE_CHECKING:
    from minpack.images.vex import VexResult
    from minpack.output.document_file import DocumentFile
    from minpack.spec.base_ref import ImageRef


@click.command("vex", cls=Command, short_help="List vulnerabilities that cannot affect an image (OpenVEX).")
@click.argument("image", metavar="IMAGE")
@click.option(
    "--from",
    "source",
    type=FILLED,
    metavar="FILE",
    help="TOML or JSON file with the author, and the vulnerable files of each vulnerability.",
)
@click.option(
    "-o", "--output", type=FILLED, metavar="FILE", help="File to write the OpenVEX document to. Default: stdout."
)
@click.option(
    "-t",
    "--tag",
    type=Parsed(parse_reference),
    metavar="NAME",
    help="Name of the image in its registry, if IMAGE is a file. Scanners match by repository.",
)
@image_platform_option("all")
@click.option("--created", metavar="SECONDS", help="Timestamp of the document. Default: SOURCE_DATE_EPOCH, else 0.")
@image_options
@answer_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Write an OpenVEX document of the vulnerabilities that cannot affect IMAGE, because it has none of their files.

    \b
    minpack vex ghcr.io/me/myapp:1.0 --from vex.toml -o myapp.vex.json
    grype ghcr.io/me/myapp:1.0 --vex myapp.vex.json

    FILE has lines such as CVE-2024-6387 = ["/usr/sbin/sshd"] in a table [vulnerabilities], and an author. If
    the image has any file of that name, the document says nothing about that vulnerability. The exit code is 3 if
    there is nothing to say.
    """  # noqa: D301 - click's mark for a block
    if given["source"] is None:
        hint = f"list vulnerabilities and their files: minpack vex {image} --from vex.toml"
        raise UsageError("minpack vex", "", "--from is missing", hint, verb="run")
    ref, when = parse_image_argument(image), created(given["created"])
    options = image_base_options(given, ref)
    from minpack.images.vex import examine  # noqa: PLC0415 - after what is refused at once, as the next
    from minpack.trust.vex_source import read_source  # noqa: PLC0415

    source = read_source(given["source"])
    output = _output(ref, given)
    name = given["tag"].name if given["tag"] is not None else ""
    with drawing(quiet=given["quiet"]) as progress:
        result = examine(ref, source, options, progress, platform=given["platform"], name=name, created=when)
    _check_claims(result, given["source"])
    _write(result, output, given)


def _output(ref: ImageRef, given: dict[str, Any]) -> DocumentFile | None:
    """The file that the document goes to; None for stdout."""
    path = given["output"]
    if path is None or path in ("-", *STDOUT):
        if path is not None and given["as_json"]:
            raise UsageError("-o", path, "--json takes stdout", "choose a file with -o FILE")
        return None
    from minpack.host.overwrite import HostInput  # noqa: PLC0415 - where a file is written, as the next
    from minpack.output.document_file import DocumentFile  # noqa: PLC0415

    inputs = [HostInput(given["source"], "the list of vulnerabilities")]
    inputs += [HostInput(ref.name, "the image", whole=True)] if ref.is_local else []
    return DocumentFile(path, inputs, b"https://openvex.dev/ns", "an OpenVEX document")


def _check_claims(result: VexResult, source: str) -> None:
    """Raise `NothingToClaimError` if there is a file of every vulnerability."""
    if not result.facts.absences:
        from minpack.errors import NothingToClaimError  # noqa: PLC0415 - where nothing can be claimed, as the next
        from minpack.report.vex import present_lines  # noqa: PLC0415

        raise NothingToClaimError(result.name, source, tuple(present_lines(result)))


def _write(result: VexResult, output: DocumentFile | None, given: dict[str, Any]) -> None:
    """Write the document, and say what it says."""
    from minpack.report.vex import present_lines, vex_document, vex_lines  # noqa: PLC0415 - when all is known
    from minpack.trust.vex import openvex  # noqa: PLC0415 - as above

    document, path = openvex(result.facts), given["output"] if output is not None else None
    if output is not None:
        import json  # noqa: PLC0415 - for documents alone

        output.write(json.dumps(document, indent=2).encode() + b"\n")
    with reporting(f"{path!r} was written" if path else ""):
        if given["as_json"]:
            print_json(vex_document(result, path))
        elif output is None:
            print_json(document)  # type: ignore[arg-type] # an object
            print_notes((f"nothing is claimed about {line}" for line in present_lines(result)), quiet=given["quiet"])
        elif not given["quiet"]:
            print_lines(vex_lines(result, path))
