"""The documents that are about an image, read again from its artifacts, to be signed or shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.digest import Digest
from minpack.errors import UnreadableImageError
from minpack.oci import mediatypes
from minpack.oci.image import by_subject
from minpack.trust.attest import CYCLONEDX, SPDX, Document
from minpack.trust.verify import MAX_BUNDLE, statement_of

if TYPE_CHECKING:
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Artifact, Index

#: SBOMs by themselves, and what states them.
SBOMS = {"application/spdx+json": SPDX, "application/vnd.cyclonedx+json": CYCLONEDX}


def signed_subjects(index: Index) -> tuple[Descriptor, ...]:
    """What is signed of an image: what has the name and, of several platforms, the image of each."""
    images = [image.descriptor for image in index.images]
    return (index.root, *images) if index.document is not None else (index.root,)


def documents_about(index: Index, image: str) -> dict[Digest, tuple[Document, ...]]:
    """The documents that are about an image, by what they are about, in the order of their artifacts.

    :param image: what to call it in errors.
    :raises UnreadableImageError: one is damaged.
    """
    found = {
        subject: tuple(one for artifact in about if (one := document_of(artifact, image)) is not None)
        for subject, about in by_subject(index.artifacts).items()
    }
    return {subject: documents for subject, documents in found.items() if documents}


def document_of(artifact: Artifact, image: str) -> Document | None:
    """What an artifact without a signature says of its subject; None if it is not a document that is known.

    :param image: what to call the image in errors.
    :raises UnreadableImageError: it is damaged.
    """
    if len(artifact.layers) != 1 or artifact.subject is None:
        return None
    (layer,) = artifact.layers
    media_type = layer.descriptor.media_type
    if media_type not in SBOMS and media_type != mediatypes.STATEMENT:
        return None
    data = read_all(layer.content, MAX_BUNDLE)
    if Digest.of(data) != layer.descriptor.digest:
        raise UnreadableImageError(image, f"blob {layer.descriptor.digest}: its digest is {Digest.of(data)}")
    if media_type in SBOMS:
        return _sbom(data, media_type, image)
    found = statement_of(data)
    if found is None or artifact.subject.digest not in found.subjects:
        return None
    return Document(found.predicate_type, found.predicate)


def _sbom(data: bytes, media_type: str, image: str) -> Document:
    try:
        return Document(SBOMS[media_type], json.loads(data), media_type)
    except (ValueError, RecursionError) as error:
        raise UnreadableImageError(image, "its SBOM is not JSON") from error
