"""Statements about an image as BuildKit keeps them: in a manifest that the image's index lists.

What `docker buildx imagetools inspect` and Docker Scout read (moby/buildkit, docs/attestations/attestation-storage.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import PREDICATE_TYPE, build_artifact
from minpack.target import Platform
from minpack.trust.attest import statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.oci.image import Artifact
    from minpack.trust.attest import Document

_TYPE, _ABOUT = "vnd.docker.reference.type", "vnd.docker.reference.digest"
#: What no machine runs.
_UNKNOWN = Platform("unknown", "unknown")


def attestation_manifest(subject: Descriptor, documents: Iterable[Document]) -> Artifact:
    """The statements about `subject` in one artifact, whose descriptor is as the index of the image lists it."""
    layers = tuple(_layer(subject, one) for one in documents)
    made = build_artifact(mediatypes.ATTESTATIONS, layers, {}, subject)
    annotations = ((_ABOUT, str(subject.digest)), (_TYPE, "attestation-manifest"))
    return made._replace(descriptor=made.descriptor._replace(platform=_UNKNOWN, annotations=annotations))


def _layer(subject: Descriptor, document: Document) -> Blob:
    data = statement(subject.digest, document.predicate_type, document.predicate)
    annotations = ((PREDICATE_TYPE, document.predicate_type),)
    descriptor = Descriptor(mediatypes.STATEMENT, Digest.of(data), len(data), annotations=annotations)
    return Blob(descriptor, BytesContent(data))
