"""The artifacts about images that were just written: documents of what they are made of, and signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.trust.attest import artifacts_about
from minpack.trust.buildkit import attestation_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from minpack.build.pack import Packed
    from minpack.oci.image import Artifact, BuiltImage, Index
    from minpack.oci.layer import Layer
    from minpack.output.write import WrittenImages
    from minpack.trust.attest import Document, Signer


class ImageFacts(NamedTuple):
    """All that is known of the image of one platform once it is written.

    `packed` lacks just `written` and `sums`; `layers` are the new layers, with the sums of their files if those were
    asked for. `built` is the whole, of which `image` is a part.
    """

    packed: Packed
    image: BuiltImage
    layers: tuple[Layer, ...]
    built: Index


if TYPE_CHECKING:
    #: Makes the documents about the image of one platform, and those about the index of several.
    DocumentMaker: TypeAlias = Callable[[ImageFacts], Sequence[Document]]
    IndexDocumentMaker: TypeAlias = Callable[[tuple[ImageFacts, ...]], Sequence[Document]]


class ArtifactSpec(NamedTuple):
    """The artifacts that are wanted about an image; `created` is in seconds since 1970.

    If they are `in_index`, the index lists what is said of its images too, as BuildKit does, and there is one in any
    case.
    """

    about_image: tuple[DocumentMaker, ...] = ()
    about_index: tuple[IndexDocumentMaker, ...] = ()
    key: Signer | None = None
    created: int = 0
    in_index: bool = False


def make_artifacts(wanted: ArtifactSpec, packed: Sequence[Packed], written: WrittenImages) -> tuple[Artifact, ...]:
    """The artifacts about what was written: about the image of each platform, and about the index if there is one."""
    built, images = written.built, zip(packed, written.built.images, written.layers, strict=True)
    facts = tuple(ImageFacts(*one, built) for one in images)
    found: list[Artifact] = []
    listed: list[Artifact] = []
    for one in facts:
        documents = [document for make in wanted.about_image for document in make(one)]
        found += artifacts_about(one.image.descriptor, documents, wanted.key, wanted.created)
        listed += [attestation_manifest(one.image.descriptor, documents)] if wanted.in_index else []
    if listed:
        built = written.listing(listed)
        facts = tuple(one._replace(built=built) for one in facts)
    if built.document is not None:
        documents = [document for make in wanted.about_index for document in make(facts)]
        found += artifacts_about(built.root, documents, wanted.key, wanted.created)
    return (*listed, *found)
