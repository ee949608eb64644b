"""The options about what goes along with an image: from them to the artifacts that are wanted."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from minpack.build.artifacts import ArtifactSpec, make_artifacts
from minpack.build.sbom import SbomSpec, files_inside, image_documents, index_documents
from minpack.cli.output import WantedArtifacts
from minpack.cli.signing import signature_notes, signed_output, signing, verification_lines
from minpack.errors import UsageError
from minpack.oci.mediatypes import STATEMENT
from minpack.output.target import BesideFile, Format
from minpack.trust.sbom import SbomFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.oci.reference import Reference
    from minpack.output.target import OutputSpec
    from minpack.spec.image import ImageSpec


def wanted_artifacts(given: Mapping[str, Any], output: OutputSpec, name: str, spec: ImageSpec) -> WantedArtifacts:
    """The artifacts that the options ask for.

    :param name: what the image is called where it has no name.
    :raises UsageError: they would be nowhere.
    :raises KeyFileError: the key to sign with cannot be used.
    """
    formats = tuple(dict.fromkeys(map(SbomFormat, given["sboms"])))
    if given["sbom_in_image"] and not formats:
        raise UsageError("--sbom-in-image", "", "--sbom is missing", "choose a format: --sbom spdx")
    sboms = SbomSpec(formats, repository_of(given["tags"], name), spec.created)
    signed = signing(given, output)
    wanted = ArtifactSpec(key=signed.key if signed is not None and not signed.classic else None, created=spec.created)
    if formats:
        about = (partial(image_documents, sboms),), (partial(index_documents, sboms),)
        wanted = wanted._replace(about_image=about[0], about_index=about[1])
    if given["provenance"] or given["builder_id"] is not None or given["attest_in_index"]:
        from minpack.cli.provenance import with_provenance  # noqa: PLC0415 - where it is wanted alone

        wanted = with_provenance(wanted, spec, given)
    _refuse_unkept(given, output)
    beside = _beside(output, formats, name, provenance=given["provenance"])
    return WantedArtifacts(
        signed_output(output._replace(beside=beside), signed),
        partial(make_artifacts, wanted),
        signature_notes(output, signed),
        partial(verification_lines, signed),
        partial(files_inside, sboms) if given["sbom_in_image"] else None,
    )


def repository_of(tags: Sequence[Reference], program: str) -> str:
    """What an SBOM calls the image: the first repository that it is for, else by the name of its program."""
    return f"{tags[0].host}/{tags[0].name}" if tags else os.path.basename(program.rstrip("/"))


def sbom_kind(form: SbomFormat) -> str:
    """What a file of that form is called."""
    return f"an SBOM of that form ({form})"


def _refuse_unkept(given: Mapping[str, Any], output: OutputSpec) -> None:
    """Raise `UsageError` if an engine alone gets the image: it keeps nothing else."""
    if output.path is None and output.registry is None and not (given["sbom_in_image"] and not given["provenance"]):
        option, value = ("--sbom", given["sboms"][0]) if given["sboms"] else ("--provenance", "")
        reason = "an engine keeps no SBOMs or provenance"
        raise UsageError(option, value, reason, f"add -o FILE, or --push, or leave {option} out")


def beside_stem(path: str, form: Format, name: str, *, shared: bool) -> str:
    """What the files beside an output have before their endings: its own path, without that of an archive.

    Beside a layout of several images each is called after its image.

    :param name: what the image is called.
    :param shared: whether the output is such a layout.
    """
    whole = path.rstrip("/")
    if shared:
        return os.path.join(os.path.dirname(whole), name)
    return whole.removesuffix(".tar") if form is Format.ARCHIVE else whole


def beside_files(stem: str, formats: Sequence[SbomFormat], *, provenance: bool) -> tuple[BesideFile, ...]:
    """The files of SBOMs and provenance beside an output.

    :param stem: as `beside_stem` has it.
    """
    found = [BesideFile(f"{stem}{one.suffix}", one.media_type, str(one), one.mark, sbom_kind(one)) for one in formats]
    if provenance:
        mark = b"https://in-toto.io/Statement/"
        found.append(BesideFile(f"{stem}.provenance.json", STATEMENT, "provenance", mark, "provenance"))
    return tuple(found)


def _beside(
    output: OutputSpec, formats: Sequence[SbomFormat], name: str, *, provenance: bool
) -> tuple[BesideFile, ...]:
    """The files beside the output: none where that is no file of the user's."""
    if output.path is None or output.stdout is not None:
        return ()
    stem = beside_stem(output.path, output.format, name, shared=output.shared)
    return beside_files(stem, formats, provenance=provenance)
