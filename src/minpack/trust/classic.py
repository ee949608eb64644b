"""The older form of cosign's signatures, which cosign 1 and 2, Kyverno and podman's policies read.

A signature is a layer of a manifest that has no subject: it is found by a tag, `sha256-<hex>.sig`, in a registry alone;
signed statements are under `sha256-<hex>.att` (sigstore/cosign, specs/SIGNATURE_SPEC.md). Several signatures of one
image share a manifest.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob
from minpack.oci.json_node import parsed
from minpack.trust.attest import signed_bytes, statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.oci.documents import Json
    from minpack.trust.attest import Document, Signer
    from minpack.trust.keys import PublicKey

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE_KEY = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
#: The time in a configuration that says nothing: Go's zero.
_NO_TIME = "0001-01-01T00:00:00Z"


class TaggedLayers(NamedTuple):
    """Layers that are to be in the manifest under a tag."""

    tag: str
    layers: tuple[Blob, ...]


def classic_signature(subject: Digest, repository: str, key: Signer) -> TaggedLayers:
    """The signature of what has that digest in `repository`, as ``host/name``."""
    payload = signature_payload(subject, repository)
    text = base64.b64encode(key.sign(payload)).decode()
    return TaggedLayers(classic_tag(subject), (_layer(PAYLOAD, payload, ((SIGNATURE_KEY, text),)),))


def classic_tag(subject: Digest) -> str:
    """The tag that the signatures of what has that digest are under."""
    return f"sha256-{subject.hex}.sig"


def classic_attestations(subject: Digest, documents: Sequence[Document], key: Signer) -> TaggedLayers:
    """The documents as signed statements about what has that digest."""
    return TaggedLayers(f"sha256-{subject.hex}.att", tuple(_attestation(subject, one, key) for one in documents))


def signature_payload(subject: Digest, repository: str) -> bytes:
    """What a signature signs, byte for byte as cosign writes it."""
    document = {
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": str(subject)},
            "type": _TYPE,
        },
        "optional": None,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signed_digest(payload: bytes, signature: str, key: PublicKey) -> Digest | None:
    """The digest that a signature is about; None if `key` did not make it, or it is damaged."""
    try:
        if not key.verifies(base64.b64decode(signature, validate=True), payload):
            return None
        document: Any = parsed(payload)
        critical = document["critical"]
        kind, digest = critical["type"], critical["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if kind != _TYPE or not isinstance(digest, str) or not digest.startswith("sha256:"):
        return None
    return Digest(digest.removeprefix("sha256:"))


def classic_manifest(layers: Sequence[Descriptor]) -> tuple[Blob, Blob]:
    """The manifest of these layers, and the configuration that it names: as cosign, that of an image of nothing."""
    config = blob(
        mediatypes.CONFIG,
        {
            "architecture": "",
            "config": {},
            "created": _NO_TIME,
            "history": [{"created": _NO_TIME} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]},
        },
    )
    document: Json = {
        "schemaVersion": 2,
        "mediaType": mediatypes.MANIFEST,
        "config": config.descriptor.document(),
        "layers": [layer.document() for layer in layers],
    }
    return config, blob(mediatypes.MANIFEST, document)


def _attestation(subject: Digest, document: Document, key: Signer) -> Blob:
    body = statement(subject, document.predicate_type, document.predicate)
    signature: Json = {"keyid": "", "sig": _base64(key.sign(signed_bytes(mediatypes.STATEMENT, body)))}
    envelope = blob(
        ENVELOPE, {"payload": _base64(body), "payloadType": mediatypes.STATEMENT, "signatures": [signature]}
    )
    annotations = ((SIGNATURE_KEY, ""), ("predicateType", document.predicate_type))
    return envelope._replace(descriptor=envelope.descriptor._replace(annotations=annotations))


def _layer(media_type: str, data: bytes, annotations: tuple[tuple[str, str], ...]) -> Blob:
    return Blob(Descriptor(media_type, Digest.of(data), len(data), annotations=annotations), BytesContent(data))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
