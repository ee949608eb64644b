"""Layers as `minpack.oci.compress` writes them, taken apart: strictly, and within bounds.

Whatever another program might read in another way is refused: members with more than the plain header, bytes that are
no member, sums that are wrong, several zstd frames. So what was checked here unpacks to the same bytes everywhere.

A table has, for each gzip member of a layer in their order:

    sum       SHA-256 of the bytes that it holds
    size      u32, how many bytes it has
    holds     u32, how many it holds
"""

from __future__ import annotations

import hashlib
import zlib
from struct import Struct
from typing import TYPE_CHECKING

from minpack.errors import ArchiveError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.content import Reader
    from minpack.digest import Digest
    from minpack.shared.names import LayerSetting

#: Of a member's header (RFC 1952, 2.3): no name, no comment, no time. How hard it was compressed, and where, follows.
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0"
_HEADER_SIZE, _TRAILER = 10, Struct("<II")
_ROW = Struct("<32sII")
_PIECE = 1 << 18
#: How much of a member is given to zlib first; it copies what is behind the end, so millions of small ones took hours.
_FIRST = 512
#: What zlib says of raw deflate.
_RAW = -15
#: No member takes fewer bytes.
LEAST_MEMBER = 20


class MemberError(Exception):
    """It is not what minpack writes; in words."""


class GzipMember(NamedTuple):
    """A gzip member: the SHA-256 of what it holds, where it begins in the layer, its size, and how much it holds."""

    sum: bytes
    at: int
    size: int
    holds: int


def inflated(member: bytes, most: int) -> bytes:
    """What the one gzip member holds.

    :raises MemberError: it is none, or holds more than `most` bytes.
    """
    return next(_Members(_InMemory(member), len(member), most).holding())


def check_layer(reader: Reader, size: int, diff_id: Digest, unpacked: int, setting: LayerSetting) -> None:
    """Raise `MemberError` unless the `size` bytes unpack to `unpacked` bytes of that diff ID.

    No more than those are unpacked.
    """
    total, count = hashlib.sha256(), 0
    for piece in _pieces(reader, size, setting):
        count += len(piece)
        if count > unpacked:
            raise MemberError("it unpacks to more bytes")
        total.update(piece)
    if total.hexdigest() != diff_id.hex:
        raise MemberError("it unpacks to other bytes")


def _pieces(reader: Reader, size: int, setting: LayerSetting) -> Iterator[bytes | memoryview]:
    if setting.is_gzip:
        yield from _Members(reader, size, setting.block_size).holding()
        return
    from minpack.tar.zstd import decompressed, is_one_frame  # noqa: PLC0415 - for zstd alone

    try:
        if not is_one_frame(reader, size, "it"):
            raise MemberError("it is not one zstd frame")
        yield from decompressed(reader, size, "it")
    except ArchiveError as error:
        raise MemberError(error.reason) from error


def members_of(reader: Reader, size: int, most: int) -> tuple[GzipMember, ...]:
    """All members of a layer of `size` bytes, none of which holds more than `most`.

    :raises MemberError: it is not made of such.
    """
    members = _Members(reader, size, most)
    found, before = [], 0
    for held in members.holding():
        found.append(GzipMember(hashlib.sha256(held).digest(), before, members.at - before, len(held)))
        before = members.at
    return tuple(found)


def table_of(members: Iterable[GzipMember]) -> bytes:
    """The table of a layer's members, as it is kept."""
    return b"".join(_ROW.pack(one.sum, one.size, one.holds) for one in members)


def read_table(data: bytes, size: int, most: int) -> tuple[GzipMember, ...]:
    """The members that a table names, of a layer of `size` bytes.

    :raises MemberError: it cannot be true.
    """
    found, at = [], 0
    for row in _ROW.iter_unpack(data[: len(data) // _ROW.size * _ROW.size]):
        one = GzipMember(row[0], at, row[1], row[2])
        if one.size < LEAST_MEMBER or not 0 < one.holds <= most or one.size > 2 * most:
            raise MemberError("it has a member of an impossible size")
        found.append(one)
        at += one.size
    if at != size:
        raise MemberError("it is not of this layer")
    return tuple(found)


class _InMemory:
    """Bytes as far as `Reader` is needed."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_at(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


class _Members:
    """The members of a layer, one after the other; `at` is behind the last."""

    def __init__(self, reader: Reader | _InMemory, size: int, most: int) -> None:
        self._reader = reader
        self._size = size
        self._most = most
        self._read = 0
        self._data = b""
        self._next = 0
        self.at = 0

    def holding(self) -> Iterator[bytes]:
        """What each holds.

        :raises MemberError: something is no such member.
        """
        while self.at < self._size:
            if not self._take(_HEADER_SIZE).startswith(_HEADER):
                raise MemberError("it has a gzip header that minpack does not write")
            held = self._inflate()
            if _TRAILER.unpack(self._take(_TRAILER.size)) != (zlib.crc32(held), len(held)):
                raise MemberError("a gzip member has a wrong sum or size")
            self.at = self._read - len(self._data) + self._next
            yield held

    def _inflate(self) -> bytes:
        inflate, held, most = zlib.decompressobj(_RAW), bytearray(), _FIRST
        try:
            while not inflate.eof:
                data = inflate.unconsumed_tail or self._more(most)
                if not data:
                    raise MemberError("it ends too early")
                most *= 2
                held += inflate.decompress(data, self._most + 1 - len(held))
                if len(held) > self._most:
                    raise MemberError("a gzip member holds more than minpack puts in one")
        except zlib.error as error:
            raise MemberError("its compressed data is damaged") from error
        self._next -= len(inflate.unused_data)
        return bytes(held)

    def _take(self, size: int) -> bytes:
        while len(self._data) - self._next < size:
            piece = self._read_piece()
            if not piece:
                raise MemberError("it ends too early")
            self._data, self._next = self._data[self._next :] + piece, 0
        self._next += size
        return self._data[self._next - size : self._next]

    def _more(self, most: int) -> memoryview:
        """The next bytes, at most so many; none at the end."""
        if self._next == len(self._data):
            self._data, self._next = self._read_piece(), 0
        piece = memoryview(self._data)[self._next : self._next + most]
        self._next += len(piece)
        return piece

    def _read_piece(self) -> bytes:
        data = self._reader.read_at(self._read, min(_PIECE, self._size - self._read))
        self._read += len(data)
        return data
