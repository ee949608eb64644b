"""`minpack push`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.options import FILLED, UNSET, Command, json_option, registry_access_options, selected
from minpack.cli.output import check_pushable
from minpack.cli.registry import RegistryAccess, registry_options
from minpack.cli.settings import host_platform
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import BadValueError, UsageError
from minpack.oci.reference import parse_reference

if TYPE_CHECKING:
    from minpack.oci.reference import Reference


@click.command("push", cls=Command, short_help="Push a finished image to registries.")
@click.argument("image", metavar="IMAGE", type=click.Path())
@click.argument("references", metavar="REF...", nargs=-1)
@click.option("--digest-file", metavar="FILE", type=FILLED, help="Write the image's digest (sha256:…) to this file.")
@registry_access_options
@click.option("-q", "--quiet", is_flag=True, help="Print only REPOSITORY@DIGEST.")
@json_option
def command(image: str, references: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 - the options above
    """Push IMAGE (an archive, an OCI layout, or the output of docker save) to each REF, unchanged.

    \b
    minpack push ./myapp.tar ghcr.io/me/myapp:1.0 ghcr.io/me/myapp:latest
    minpack push oci:./layout:1.0 registry.example/team/myapp:1.0
    """  # noqa: D301 - click's mark for a block
    names = _references(image, references)
    from minpack.build.push import parse_local_image, push  # noqa: PLC0415 - after what is refused at once

    with drawing(quiet=given["quiet"]) as progress:
        pushed = push(
            parse_local_image(image),
            names,
            registry_options(selected(RegistryAccess, given), {one.host for one in names}),
            progress,
            digest_file=given["digest_file"],
        )
    with reporting(" and ".join(f"{one.reference} was pushed" for one in pushed.targets)):
        if given["as_json"]:
            from minpack.report.documents import push_document  # noqa: PLC0415

            print_json(push_document(pushed))
            return
        print_notes(pushed.notes, quiet=given["quiet"])
        if given["quiet"]:
            print_lines(dict.fromkeys(one.by_digest for one in pushed.targets), whole=True)
        else:
            from minpack.report.text import image_lines  # noqa: PLC0415

            print_lines(image_lines(pushed, host_platform()))


def _references(image: str, texts: tuple[str, ...]) -> tuple[Reference, ...]:
    """The names to push to.

    :raises UsageError: there is none, or one is none that a registry has.
    """
    if not image:
        raise UsageError("IMAGE", "", "its value is empty", UNSET)
    if not texts:
        hint = f"name the repository: minpack push {image} ghcr.io/me/myapp:1.0"
        raise UsageError("minpack push", "", "REF is missing", hint, verb="run")
    references = tuple(dict.fromkeys(map(_reference, texts)))
    check_pushable(references, "REF")
    return references


def _reference(text: str) -> Reference:
    if not text:
        raise UsageError("REF", "", "its value is empty", UNSET)
    try:
        return parse_reference(text)
    except BadValueError as error:
        # Its own hint: an argument is written without a name.
        raise UsageError("REF", text, error.reason, error.hint) from error
