"""Sparse files in tars: a member's data is only what is not a hole, and a map says where it goes.

GNU tar has four forms of the map (GNU tar manual, "Storing Sparse Files"): in the header and the blocks behind it, in
pax records of each piece, in one record of all, and before the data.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from enum import IntEnum
from typing import TYPE_CHECKING

from minpack.content import key_of
from minpack.errors import InputError
from minpack.namedtuple import NamedTuple
from minpack.tar.header import BLOCK, number, padded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from minpack.content import Content, Reader

#: More pieces than any file of a root file system has: each costs memory.
MAX_PIECES = 1_000_000
_PIECE = 24
#: Where the old form's header and its other blocks have their pieces, and how many.
_IN_HEADER, _PIECES_IN_HEADER, _PIECES_IN_BLOCK = 386, 4, 21
#: The most digits of a number of 64 bits.
_DIGITS = 20
_DAMAGED = "make the tarball again with tar, without --sparse"


class SparseForm(IntEnum):
    """Where the map is. The numbers are kept between runs."""

    OLD = 1
    RECORDS = 2
    RECORD = 3
    DATA = 4


class Sparse(NamedTuple):
    """How a sparse member is read.

    `size` is that of the file. The map is in the `length` bytes at `at` of the tar: header blocks, or a pax header's
    records; with `SparseForm.DATA` it is in the member's data, as long as it says itself.
    """

    form: SparseForm
    size: int
    at: int
    length: int


class SparseContent(NamedTuple):
    """The bytes of a sparse file, holes as zeros.

    `source` has the map at its begin, and the member's data at its end, the last `stored` bytes.
    """

    source: Content
    form: SparseForm
    length: int
    stored: int
    size: int
    where: str

    @property
    def key(self) -> str:
        """What identifies these bytes without reading them; None if nothing does."""
        key = key_of(self.source)
        return f"sparse:{self.form}:{self.size}:{key}" if key else ""

    def open(self) -> Reader:
        """A reader of the file.

        :raises InputError: the map says what cannot be true, or the tar cannot be read.
        """
        with self.source.open() as reader:
            pieces = _read_map(self, reader)
        return _SparseReader(self.source.open(), pieces, self.size)


class _Pieces(NamedTuple):
    """Where each piece starts in the file and in the source, and how long it is."""

    starts: array[int]
    sources: array[int]
    lengths: array[int]


def is_continued(block: bytes, *, header: bool) -> bool:
    """Whether another block of the old form's map follows this one."""
    return block[482 if header else 504] != 0


def old_size(header: bytes) -> int | None:
    """The size of the file, which the old form has in its header."""
    return number(header[483:495])


def _read_map(content: SparseContent, reader: Reader) -> _Pieces:
    begin = content.source.size - content.stored
    if content.form is SparseForm.DATA:
        numbers, length = _in_data(content, reader, begin)
        begin += length
    elif content.form is SparseForm.OLD:
        numbers = _in_blocks(content, reader.read_at(0, content.length))
    else:
        numbers = _in_records(content, reader.read_at(0, content.length))
    return _placed(content, numbers, begin)


def _placed(content: SparseContent, numbers: array[int], at: int) -> _Pieces:
    """The pieces, whose data begins at `at` in the source; they come in order and lie in the file."""
    pieces = _Pieces(numbers[0::2], array("Q"), numbers[1::2])
    last = 0
    for start, length in zip(pieces.starts, pieces.lengths, strict=False):
        pieces.sources.append(at)
        at += length
        if start < last or start + length > content.size or at > content.source.size:
            raise _damaged(content)
        last = start + length
    if len(numbers) % 2:
        raise _damaged(content)
    return pieces


def _damaged(content: SparseContent) -> InputError:
    return InputError(content.where, "it is a sparse file, and the map of its pieces is damaged", hint=_DAMAGED)


def _in_blocks(content: SparseContent, blocks: bytes) -> array[int]:
    found = array("Q")
    if len(blocks) % BLOCK:
        raise _damaged(content)
    for at in range(0, len(blocks), BLOCK):
        first, count = (at, _PIECES_IN_BLOCK) if at else (_IN_HEADER, _PIECES_IN_HEADER)
        for place in range(first, first + count * _PIECE, _PIECE):
            if blocks[place + 12] == 0:
                break
            for field in (blocks[place : place + 12], blocks[place + 12 : place + 24]):
                _add(content, found, number(field))
    return found


def _in_records(content: SparseContent, data: bytes) -> array[int]:
    """The numbers of ``GNU.sparse.map``, or of the records of each piece."""
    found = array("Q")
    at = 0
    while data[at : at + 1].isdigit():
        digits, blank, _ = data[at : at + _DIGITS].partition(b" ")
        length = _decimal(digits) if blank else None
        # A record counts its own digits, the blank and the newline (pax, "pax Extended Header").
        if length is None or length < len(digits) + 2:
            raise _damaged(content)
        record = data[at + len(digits) + 1 : at + length - 1]
        at += length
        key, _, value = record.partition(b"=")
        if key == b"GNU.sparse.map":
            found = array("Q")
            for text in value.split(b","):
                _add(content, found, _decimal(text))
        elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes") and content.form is SparseForm.RECORDS:
            _add(content, found, _decimal(value))
    return found


def _in_data(content: SparseContent, reader: Reader, begin: int) -> tuple[array[int], int]:
    """The numbers of the map that the data begins with, and the bytes it takes up."""
    numbers = _lines(content, reader, begin)
    count, at = next(numbers)
    found = array("Q")
    if count is None or count > MAX_PIECES:
        raise _damaged(content)
    for _ in range(2 * count):
        value, at = next(numbers)
        _add(content, found, value)
    return found, padded(at)


def _lines(content: SparseContent, reader: Reader, begin: int) -> Iterator[tuple[int | None, int]]:
    """The numbers, each on a line of its own, and how many bytes they and those before them take."""
    at = 0
    rest = b""
    while True:
        piece = reader.read_at(begin + at + len(rest), BLOCK)
        if not piece:
            raise _damaged(content)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            at += len(line) + 1
            yield _decimal(line), at
        if len(rest) > _DIGITS:
            raise _damaged(content)


def _decimal(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) <= _DIGITS else None


def _add(content: SparseContent, found: array[int], value: int | None) -> None:
    if value is None or value > content.size or len(found) >= 2 * MAX_PIECES:
        raise _damaged(content)
    found.append(value)


class _SparseReader:
    """Reads the pieces where they lie, and zeros between them."""

    def __init__(self, source: Reader, pieces: _Pieces, size: int) -> None:
        self._source = source
        self._pieces = pieces
        self._size = size

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        if offset < 0 or size <= 0:
            return b""
        buffer = bytearray(max(0, min(size, self._size - offset)))
        return bytes(buffer[: self.readinto_at(memoryview(buffer), offset)])

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end."""
        want = min(len(buffer), self._size - offset) if offset >= 0 else 0
        if want <= 0:
            return 0
        buffer[:want] = bytes(want)
        starts, sources, lengths = self._pieces
        first = max(0, bisect_right(starts, offset) - 1)
        for index in range(first, len(starts)):
            start, length = starts[index], lengths[index]
            if start >= offset + want:
                break
            begin, end = max(start, offset), min(start + length, offset + want)
            if begin < end:
                part = buffer[begin - offset : end - offset]
                count = self._source.readinto_at(part, sources[index] + begin - start)
                if count != len(part):
                    return begin - offset + count
        return want

    def __enter__(self) -> Reader:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)
