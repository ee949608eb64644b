"""`minpack sbom`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.cli.artifacts import repository_of
from minpack.cli.effects import refuse_without_registry
from minpack.cli.image import image_base_options, parse_image_argument
from minpack.cli.options import (
    FILLED,
    STDOUT,
    UNSET,
    Choice,
    Command,
    answer_options,
    base_option,
    on_option,
    platforms_option_of,
    registry_access_options,
    selected,
    store_options,
)
from minpack.cli.settings import StoreSettings, base_options, check_packages, created
from minpack.cli.spec import FileOptions, file_options, files_spec, named_images
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import UsageError
from minpack.trust.sbom import SbomFormat, render_sbom

if TYPE_CHECKING:
    from minpack.output.document_file import DocumentFile
    from minpack.progress import Progress
    from minpack.trust.components import Sbom

_MAGIC = b"\x7fELF"
#: What is said of images too.
_OF_BOTH = frozenset(("target", "format_", "output", "created", "platforms", "quiet", "as_json", "offline", "no_cache"))
_OF_BOTH |= {"cache_dir", "username", "password_stdin", "registry_ca", "insecure"}


@click.command("sbom", cls=Command, short_help="Write an SBOM for an image or a program.")
@click.argument("target", metavar="IMAGE|APP", type=click.Path())
@click.option(
    "--format",
    "format_",
    type=Choice([str(one) for one in SbomFormat]),
    default="spdx",
    help="SPDX 2.3 or CycloneDX 1.6, in JSON. Default: spdx.",
)
@click.option("-o", "--output", type=FILLED, metavar="FILE", help="File to write the SBOM to. Default: stdout.")
@click.option("--created", metavar="SECONDS", help="Timestamp of the SBOM. Default: SOURCE_DATE_EPOCH, else 0.")
@base_option
@on_option
@platforms_option_of("Platforms to choose from an index, or of the program's image, as for minpack pack. Default: all.")
@file_options
@registry_access_options
@store_options
@answer_options
def command(target: str, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Write an SBOM for IMAGE, whatever tool built it, or for the image that minpack would make from APP.

    \b
    minpack sbom ghcr.io/me/myapp:1.0 -o myapp.spdx.json
    minpack sbom ./myapp.tar --format cyclonedx
    minpack sbom ./myapp --base alpine-3.22

    For an image, minpack reads its package database and every file. For a program, it plans the image as minpack pack
    would, with the same options about files, and writes no image.
    """  # noqa: D301 - click's mark for a block
    if not target:
        raise UsageError("IMAGE|APP", "", "its value is empty", UNSET)
    if given["output"] in STDOUT and given["as_json"]:
        raise UsageError("-o", given["output"], "--json takes stdout", "choose a file with -o FILE")
    of_program = _is_program(target)
    if not of_program:
        _refuse_packing(target)
    output, form, when = _output(target, given), SbomFormat(given["format_"]), created(given["created"])
    with drawing(quiet=given["quiet"]) as progress:
        made = _of_program if of_program else _of_image
        sbom, notes = made(target, given, progress, when)
    data = render_sbom(sbom, form)
    if output is not None:
        from minpack.oci.documents import canonical  # noqa: PLC0415 - where a file is written

        output.write(canonical(data))
    path = given["output"] if output is not None else None
    with reporting(f"{path!r} was written" if path else ""):
        print_notes(notes, quiet=given["quiet"] or given["as_json"])
        if given["as_json"]:
            from minpack.report.sbom import sbom_document  # noqa: PLC0415 - where it is printed, as the next

            print_json(sbom_document(sbom, form, path, notes))
        elif output is None:
            print_json(data)
        elif not given["quiet"]:
            from minpack.report.sbom import sbom_lines  # noqa: PLC0415

            print_lines(sbom_lines(sbom, path))


def _is_program(path: str) -> bool:
    """Whether it is an ELF file of this host."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
    return False


def _refuse_packing(target: str) -> None:
    """Raise `UsageError` if an option says how an image is packed, and there is one."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in _OF_BOTH and source is ParameterSource.COMMANDLINE:
            reason = f"it applies to packing a program, and {target!r} is an image"
            raise UsageError(parameter.opts[-1], "", reason, "leave it out, or name a program")


def _output(target: str, given: dict[str, Any]) -> DocumentFile | None:
    """The file that the SBOM goes to; None for stdout."""
    path, form = given["output"], SbomFormat(given["format_"])
    if path is None or path == "-" or path in STDOUT:
        return None
    from minpack.cli.artifacts import sbom_kind  # noqa: PLC0415 - where a file is written, as the next
    from minpack.host.overwrite import HostInput  # noqa: PLC0415
    from minpack.output.document_file import DocumentFile  # noqa: PLC0415

    return DocumentFile(path, [HostInput(target, "what the SBOM is of", whole=True)], form.mark, sbom_kind(form))


def _of_image(target: str, given: dict[str, Any], progress: Progress, when: int) -> tuple[Sbom, tuple[str, ...]]:
    """What a finished image is made of."""
    from minpack.images.open import open_found  # noqa: PLC0415 - for finished images alone, as the next
    from minpack.images.sbom import image_sbom  # noqa: PLC0415

    platforms = given["platforms"] or ()
    if len(platforms) > 1:
        hint = "choose one, or none for all of them"
        raise UsageError(
            "--platform", ",".join(map(str, platforms)), "an SBOM describes one image or all of them", hint
        )
    ref = parse_image_argument(target)
    options = image_base_options(given, ref)
    with open_found(ref, options, progress, platforms[0] if platforms else None) as found:
        return image_sbom(found, options, progress, when), ()


def _of_program(target: str, given: dict[str, Any], progress: Progress, when: int) -> tuple[Sbom, tuple[str, ...]]:
    """What the image of a program would be made of."""
    from minpack.build.pack import pack  # noqa: PLC0415 - for programs alone, as the next
    from minpack.build.sbom import planned_sbom  # noqa: PLC0415

    spec = files_spec(selected(FileOptions, {**given, "programs": (target,)}))
    store, images = selected(StoreSettings, given), named_images(given)
    check_packages(images, store)
    options = base_options(store)
    if any(image.is_pulled for image in images):
        from minpack.cli.registry import RegistryAccess, with_registry  # noqa: PLC0415 - for images of registries alone

        options = with_registry(options, selected(RegistryAccess, given), *images)
    else:
        refuse_without_registry(given)
    packed = pack(spec, options, None, progress, write=False, sbom=True)
    return planned_sbom(repository_of((), target), packed, when), packed.notes
