"""Artifacts about an image: documents by themselves, and in-toto statements of them, signed with a key or not.

A signed statement is a DSSE envelope (secure-systems-lab/dsse, protocol.md) in sigstore's bundle, version 0.3, without
an entry of a transparency log: what cosign from version 3 on writes and reads (sigstore/cosign, specs/BUNDLE_SPEC.md).
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, canonical, timestamp
from minpack.oci.image import PREDICATE_TYPE, build_artifact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from minpack.oci.documents import Json
    from minpack.oci.image import Artifact

    class Signer(Protocol):
        """A private key."""

        @property
        def hint(self) -> str:
            """What names the public key in a bundle: the SHA-256 of its DER form, in base 64, as cosign has it."""

        def sign(self, data: bytes) -> bytes:
            """The signature of `data`."""


STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
#: The predicate of an image's signature, which is empty.
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
#: The predicates of documents as cosign names them (pkg/cosign/attestation).
SPDX, CYCLONEDX = "https://spdx.dev/Document", "https://cyclonedx.org/bom"
PROVENANCE, OPENVEX = "https://slsa.dev/provenance/v1", "https://openvex.dev/ns"
CREATED = "org.opencontainers.image.created"


class Document(NamedTuple):
    """What is said of an image: a predicate of that type.

    `media_type` is that of the predicate as a document by itself, such as an SBOM's; empty where it is none without the
    statement of what it is about.
    """

    predicate_type: str
    predicate: Json
    media_type: str = ""


def artifacts_about(
    subject: Descriptor, documents: Iterable[Document], key: Signer | None = None, created: int = 0
) -> tuple[Artifact, ...]:
    """Each of the documents as an artifact about `subject`; with a key also signed, and so is the subject.

    Nothing is signed without a signature of the subject itself: cosign takes any bundle of a key for one.

    :param created: what is said of when that was, in seconds since 1970.
    """
    raw = tuple(unsigned(subject, one, created) for one in documents)
    if key is None:
        return raw
    stated = (Document(SIGNATURE, {}), *documents)
    return (*raw, *(attestation(subject, one.predicate_type, one.predicate, key, created) for one in stated))


def unsigned(subject: Descriptor, document: Document, created: int = 0) -> Artifact:
    """The document by itself, or in the statement that says what it is about."""
    if not document.media_type:
        return attestation(subject, document.predicate_type, document.predicate, None, created)
    data = canonical(document.predicate)
    return _artifact(document.media_type, data, {CREATED: timestamp(created)}, subject)


def attestation(
    subject: Descriptor, predicate_type: str, predicate: Json, key: Signer | None = None, created: int = 0
) -> Artifact:
    """The statement that `predicate` is true of `subject`: in a bundle signed with `key`, or without one by itself."""
    body = statement(subject.digest, predicate_type, predicate)
    annotations = {CREATED: timestamp(created), PREDICATE_TYPE: predicate_type}
    if key is None:
        return _artifact(mediatypes.STATEMENT, body, annotations, subject)
    annotations |= {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate_type,
    }
    return _artifact(mediatypes.BUNDLE, bundle(body, key), annotations, subject)


def statement(subject: Digest, predicate_type: str, predicate: Json) -> bytes:
    """The in-toto statement that `predicate` is true of what has that digest."""
    about: Json = [{"digest": {"sha256": subject.hex}}]
    document: dict[str, Json] = {
        "_type": STATEMENT_TYPE,
        "subject": about,
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return canonical(document)


def bundle(body: bytes, key: Signer) -> bytes:
    """The bundle of a statement that is signed with `key`."""
    signature: Json = {"sig": _base64(key.sign(signed_bytes(mediatypes.STATEMENT, body)))}
    return canonical(
        {
            "mediaType": mediatypes.BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": key.hint}},
            "dsseEnvelope": {
                "payload": _base64(body),
                "payloadType": mediatypes.STATEMENT,
                "signatures": [signature],
            },
        }
    )


def signed_bytes(payload_type: str, body: bytes) -> bytes:
    """What a signature in a DSSE envelope signs: the pre-authentication encoding of a payload and its type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def _artifact(media_type: str, data: bytes, annotations: dict[str, str], subject: Descriptor) -> Artifact:
    layer = Blob(Descriptor(media_type, Digest.of(data), len(data)), BytesContent(data))
    return build_artifact(media_type, [layer], annotations, subject)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
