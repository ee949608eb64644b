"""Names of documents that follow from what is in them."""

from __future__ import annotations

import hashlib

#: The namespace of names that are addresses (RFC 9562, section 6.6).
_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")


def content_id(kind: str, data: bytes) -> str:
    """The UUID, of version 5, of a document of that kind which has `data`."""
    name = f"{kind}:{hashlib.sha256(data).hexdigest()}"
    made = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    text = made.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
