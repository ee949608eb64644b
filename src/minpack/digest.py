"""`Digest`, an OCI content digest, and a writer that hashes and counts what passes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from typing import Protocol

    class Writable(Protocol):
        """What can be written to."""

        def write(self, data: bytes | bytearray | memoryview, /) -> object:
            """Take all of `data`."""


class Digest(NamedTuple):
    """The SHA-256 of some bytes, as OCI writes it (image-spec, descriptor.md, "Digests")."""

    hex: str

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """The digest of `data`."""
        return cls(hashlib.sha256(data).hexdigest())


class HashingWriter:
    """Passes bytes on and knows their digest and their number."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data` on; all of it has been hashed and counted when this returns."""
        self._hash.update(data)
        self.size += len(data) if not isinstance(data, memoryview) else data.nbytes
        self._out.write(data)

    @property
    def digest(self) -> Digest:
        """The digest of everything written so far."""
        return Digest(self._hash.hexdigest())
