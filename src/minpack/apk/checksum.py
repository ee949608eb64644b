"""How apk-tools writes checksums: ``Q1`` and base64 for SHA-1, ``X1`` and hexadecimal, ``Q2`` for SHA-256."""

from __future__ import annotations

import re

from minpack.namedtuple import NamedTuple

_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_ALGORITHMS = {"1": ("sha1", 20), "2": ("sha256", 32)}


class Checksum(NamedTuple):
    """A sum and its algorithm by hashlib's name."""

    algorithm: str
    digest: bytes

    def __str__(self) -> str:
        from binascii import b2a_base64  # noqa: PLC0415

        number = next(number for number, (name, _) in _ALGORITHMS.items() if name == self.algorithm)
        return f"Q{number}{b2a_base64(self.digest, newline=False).decode()}"


def parse_checksum(text: str) -> Checksum | None:
    """The checksum that `text` is; None if it is none."""
    from binascii import Error, a2b_base64  # noqa: PLC0415

    algorithm, size = _ALGORITHMS.get(text[1:2], ("", 0))
    try:
        if text[:1] == "X" and _HEXADECIMAL.fullmatch(text[2:]):
            digest = bytes.fromhex(text[2:])
        elif text[:1] == "Q":
            digest = a2b_base64(text[2:].encode(), strict_mode=True)
        else:
            return None
    except (Error, ValueError):
        return None
    return Checksum(algorithm, digest) if len(digest) == size > 0 else None
