"""SBOMs of what was packed: of the image of each platform, and of all that an index lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.oci.documents import canonical
from minpack.paths import RootPath, name
from minpack.rootfs.entry import Kind
from minpack.trust.attest import CYCLONEDX, SPDX, Document
from minpack.trust.components import Sbom, Subject
from minpack.trust.describe import FileSums, describe_plan
from minpack.trust.sbom import SbomFormat, render_sbom
from minpack.trust.tree import read_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.build.artifacts import ImageFacts
    from minpack.build.pack import Packed
    from minpack.trust.components import Contents

#: Where an image has SBOMs in it; scanners that read such files know them by the end of their names.
INSIDE = "/var/lib/db/sbom"


class SbomSpec(NamedTuple):
    """The SBOMs that are wanted. `name` is what the image is called: a repository without a tag, or a file's name."""

    formats: tuple[SbomFormat, ...]
    name: str
    created: int = 0


def image_documents(wanted: SbomSpec, facts: ImageFacts) -> tuple[Document, ...]:
    """The SBOMs of the image of one platform that was written.

    :raises InputError: a program cannot be read again.
    """
    contents = _contents(wanted.name, facts)
    return _documents(Sbom(contents.subject, (contents,), wanted.created), wanted.formats)


def files_inside(wanted: SbomSpec, packed: Packed) -> dict[RootPath, bytes]:
    """The SBOMs that go into the image itself, which have no digest of it, where apko puts its own.

    :raises InputError: a file cannot be read.
    """
    sums: dict[RootPath, FileSums] = {}
    for entry in packed.plan.all:
        if entry.kind is Kind.HARDLINK:
            sums[entry.path] = sums[RootPath(entry.link)]
        elif entry.content is not None:
            sums[entry.path] = read_sums(entry.content)
    subject, called = _subject(wanted.name, packed, ""), name(packed.programs[0].destination)
    image = describe_plan(subject, packed.plan, sums, _data(packed), packed.below)
    sbom = Sbom(subject, (image,), wanted.created)
    return {RootPath(f"{INSIDE}/{called}{one.suffix}"): canonical(render_sbom(sbom, one)) for one in wanted.formats}


def index_documents(wanted: SbomSpec, images: Sequence[ImageFacts]) -> tuple[Document, ...]:
    """Those of all images of an index together, for readers that look there alone.

    :raises InputError: a program cannot be read again.
    """
    subject = Subject(wanted.name, str(images[0].built.digest))
    contents = tuple(_contents(wanted.name, one) for one in images)
    return _documents(Sbom(subject, contents, wanted.created), wanted.formats)


def planned_sbom(called: str, packed: Packed, created: int = 0) -> Sbom:
    """That of what was planned and summed, and is not written: it has no digest.

    :param called: what the image is called.
    :raises InputError: a program cannot be read again.
    """
    images = tuple(
        describe_plan(_subject(called, one, ""), one.plan, _sums(one.sums, one.sha1), _data(one), one.below)
        for one in packed.images
    )
    return Sbom(images[0].subject if len(images) == 1 else Subject(called), images, created)


def _documents(sbom: Sbom, formats: Sequence[SbomFormat]) -> tuple[Document, ...]:
    types = {SbomFormat.SPDX: SPDX, SbomFormat.CYCLONEDX: CYCLONEDX}
    return tuple(Document(types[one], render_sbom(sbom, one), one.media_type) for one in formats)


def _contents(called: str, facts: ImageFacts) -> Contents:
    packed, layers = facts.packed, facts.layers
    sums = _sums(
        dict(one for layer in layers for one in layer.sums), dict(one for layer in layers for one in layer.sha1)
    )
    subject = _subject(called, packed, str(facts.image.digest))
    return describe_plan(subject, packed.plan, sums, _data(packed), packed.below)


def _subject(called: str, packed: Packed, digest: str) -> Subject:
    platform = packed.plan.config.platform
    return Subject(called, digest, str(platform), platform.architecture)


def _sums(sha256: Mapping[RootPath, str], sha1: Mapping[RootPath, str]) -> dict[RootPath, FileSums]:
    return {path: FileSums(one, sha1[path]) for path, one in sha256.items()}


def _data(packed: Packed) -> dict[str, str]:
    """The versions of the embedded data that was used, by the name of its package."""
    named = (item.name.partition(" ") for item in packed.inputs if item.kind == "data")
    return {package: version for package, _, version in named}
