"""`minpack pack --debug`: an image, and one for debugging of the same layers, in one run."""

from __future__ import annotations

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from minpack.cli.options import STDOUT
from minpack.cli.output import WantedArtifacts, compression_of
from minpack.cli.settings import created, host_platform, temporary_directory, threads
from minpack.cli.terminal import drawing
from minpack.cli.tools import tools_base_options, tools_spec
from minpack.debug.image import DebugImage, DebugSpec, debug_found
from minpack.errors import UsageError
from minpack.host.overwrite import HostInput
from minpack.images.open import FoundImage
from minpack.output.inputs import guarded
from minpack.output.target import Format
from minpack.report.debug import debug_document, debug_lines
from minpack.spec.base_ref import OCI, ImageRef
from minpack.spec.debug import DEBUG_SUFFIX, debug_tag

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from minpack.base.open_bases import OpenBases
    from minpack.build.pack import Packed
    from minpack.cli.output import OutputSettings
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.registry.options import RegistryOptions

    #: Makes the image itself.
    ImageMaker: TypeAlias = Callable[..., tuple[Packed, WantedArtifacts]]


def refuse_undebuggable(given: dict[str, Any]) -> None:
    """Raise `UsageError` if no image for debugging can be made beside what is asked for."""
    if not given["debug"]:
        option = "--tools" if given["tools"] else "--tools-base"
        raise UsageError(option, "", "no debug image is made", "add --debug")
    form = Format(given["format_"])
    if not form.has_layers:
        reason = f"--format {form} writes the bare files, and the tools are a layer of an image"
        raise UsageError("--debug", "", reason, "make an image with --format archive or oci")
    if given["dry_run"]:
        raise UsageError("--debug", "", "--dry-run writes nothing", "give only one of them")
    if given["output"] == "-" or given["output"] in STDOUT:
        raise UsageError("--debug", "", "stdout takes only one image", "choose a file with -o PATH")


def packed_with_debug(
    pack_image: ImageMaker,
    given: dict[str, Any],
    settings: OutputSettings,
    push: RegistryOptions | None,
    name: str = "",
    *,
    shared: bool = False,
    bases: OpenBases | None = None,
) -> tuple[Packed, WantedArtifacts]:
    """The image that the options ask for, and beside it the one for debugging: to the same places, named so.

    :param pack_image: makes the image itself, with all that follows.
    :raises MinpackError: one of them cannot be made; the image itself is there then if the other cannot.
    """
    options = tools_base_options(given, push)
    with ExitStack() as stack:
        unkept = ""
        if settings.output is None and (settings.load or settings.push):
            # Its layers are read again for the other image.
            directory = stack.enter_context(TemporaryDirectory(prefix="minpack-", dir=temporary_directory()))
            unkept = os.path.join(directory, "image.tar" if settings.format is Format.ARCHIVE else "image")
            settings = settings._replace(output=unkept)
        packed, artifacts = pack_image(given, settings, push, name=name, shared=shared, bases=bases)
        written = packed.written
        assert written is not None, "internal error: nothing was written"
        assert written.built is not None, "internal error: it is no image"
        output = _debug_output(artifacts.output, unkept, given)
        found = FoundImage(ImageRef(OCI, output.path or ""), written.references[0].familiar, written.built)
        compression = compression_of(given["compress"], zstd=given["zstd"])
        spec = DebugSpec(tools_spec(given), None, (), created(given["created"]), compression, threads())
        with drawing(quiet=given["quiet"]) as progress:
            made = debug_found(found, spec, options, output, progress)
    kept = tuple(one for one in written.outputs if not unkept or one.path != unkept)
    packed = packed._replace(written=written._replace(outputs=kept), notes=(*packed.notes, *made.notes))
    return packed, _with_debug(artifacts, made)


def _debug_output(output: OutputSpec, unkept: str, given: dict[str, Any]) -> OutputSpec:
    """Where the image for debugging goes: beside the other one, and into the same engine and registries."""
    path = output.path if output.path != unkept else None
    if path is not None:
        stem = path.rstrip("/")
        ending = ".tar" if stem.endswith(".tar") else ""
        path = f"{stem.removesuffix('.tar')}{DEBUG_SUFFIX}{ending}"
    names = tuple(dict.fromkeys(one._replace(tag=debug_tag(one.tag)) for one in output.references))
    to = output._replace(path=path, references=names, digest_file=None, beside=(), before_names=None)
    inputs = (
        HostInput(one, "the program" if one == given["programs"][0] else "a program") for one in given["programs"]
    )
    return guarded(to, inputs)


def _with_debug(artifacts: WantedArtifacts, made: DebugImage) -> WantedArtifacts:
    """What is said of the image for debugging comes behind what is said of the other."""

    def lines(written: WrittenOutput | None) -> list[str]:
        return [*artifacts.lines(written), "", *debug_lines(made, host_platform())]

    return artifacts._replace(lines=lines, documents={"debug": debug_document(made)}, more=(made.written,))
