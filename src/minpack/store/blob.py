"""`StoredBlob`: bytes whose sum is known, in a file that is already open."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from minpack.content import FileReader, release

if TYPE_CHECKING:
    from minpack.content import Reader

#: What kinds of blobs a store has: the endings of their names.
BLOB, LAYER, TAR, INDEX = "blob", "layer", "tar", "index"
#: Bytes that are summed at once: other threads may have the interpreter before each piece.
_PIECE = 4 << 20


class StoredBlob:
    """The bytes of a download, a `Content`.

    It owns the open file: what it reads stays the same whatever becomes of the
    store, and a file without any name will do. Close it, or leave its ``with`` block.
    """

    def __init__(self, descriptor: int, size: int, sha256: str, where: str) -> None:
        self._descriptor = descriptor
        self.size = size
        self.sha256 = sha256
        self.where = where

    def fileno(self) -> int:
        """The open file; it may be read with pread(2), its own position means nothing."""
        return self._descriptor

    def open(self) -> Reader:
        """A reader of the bytes, to be used while the blob is open."""
        return FileReader(self._descriptor, 0, self.size, owned=False, where=self.where)

    def close(self) -> None:
        """Close the file; once more does no harm."""
        if self._descriptor >= 0:
            release(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> StoredBlob:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def sum_of(descriptor: int, algorithm: str) -> str:
    """The sum of everything in an open file, in hexadecimal; `algorithm` is one of hashlib's names."""
    result = hashlib.new(algorithm)
    buffer = memoryview(bytearray(min(_PIECE, max(1, os.fstat(descriptor).st_size))))
    at = 0
    while count := os.preadv(descriptor, [buffer], at):
        result.update(buffer[:count])
        at += count
    return result.hexdigest()
