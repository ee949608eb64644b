"""`DebTable`: records by key in one sorted file, looked up where it lies with a few small reads.

    magic     8 bytes, the format with its version
    count     u32, the number of records
    offsets   count + 1 times u32: where each record starts, and where the last one ends, behind the offsets
    records   each a key, NUL, and a value; sorted by key, no key twice

All numbers are little-endian. Keys have no NUL.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.content import Reader

MAGIC = b"mptable1"
_HEAD = struct.Struct("<8sI")
_OFFSET = struct.Struct("<I")
_PAIR = struct.Struct("<II")
#: The most bytes of one record.
MAX_RECORD = 1 << 16


def build_table(records: Mapping[bytes, bytes]) -> bytes:
    """The bytes of a table with `records`, the same for the same records.

    :raises PackageError: a record is larger than `MAX_RECORD`, or all of them together are than 4 GiB.
    """
    rows = [key + b"\0" + records[key] for key in sorted(records)]
    offsets, at = bytearray(), 0
    for row in rows:
        if len(row) > MAX_RECORD or at > 0xFFFFFFFF - MAX_RECORD:
            raise PackageError("an index", f"it has a record of {len(row)} bytes at {at}")
        offsets += _OFFSET.pack(at)
        at += len(row)
    return b"".join((_HEAD.pack(MAGIC, len(rows)), offsets, _OFFSET.pack(at), *rows))


class DebTable:
    """A table that `build_table` made.

    :param reader: of its bytes, open for as long as it is used.
    :param size: how many there are.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        head = reader.read_at(0, _HEAD.size)
        magic, count = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0)
        self._start = _HEAD.size + _OFFSET.size * (count + 1)
        self.valid = magic == MAGIC and self._start <= size
        self.count: int = count if self.valid else 0

    def find(self, key: bytes) -> bytes | None:
        """The value of `key`."""
        at = self._position(key + b"\0")
        record = self._record(at) if at < self.count else b""
        return record[len(key) + 1 :] if record.startswith(key + b"\0") else None

    def has_prefix(self, prefix: bytes) -> bool:
        """Whether the key of any record begins with `prefix`."""
        at = self._position(prefix)
        return at < self.count and self._record(at).startswith(prefix)

    def with_prefix(self, prefix: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """The first `limit` records whose keys begin with `prefix`, in order."""
        at = self._position(prefix)
        for number in range(at, min(self.count, at + limit)):
            key, _, value = self._record(number).partition(b"\0")
            if not key.startswith(prefix):
                return
            yield key, value

    def keys(self) -> Iterator[bytes]:
        """All keys in order."""
        return (self._record(at).partition(b"\0")[0] for at in range(self.count))

    def _position(self, start: bytes) -> int:
        """Of the first record that is not before `start`."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._record(middle) < start:
                low = middle + 1
            else:
                high = middle
        return low

    def _record(self, number: int) -> bytes:
        pair = self._reader.read_at(_HEAD.size + _OFFSET.size * number, _PAIR.size)
        if len(pair) < _PAIR.size:
            return b""
        start, end = _PAIR.unpack(pair)
        return self._reader.read_at(self._start + start, min(max(0, end - start), MAX_RECORD))
