"""The string table of one file's symbols: names by their offset, each read once."""

from __future__ import annotations

from itertools import accumulate, count
from operator import add
from typing import TYPE_CHECKING

from minpack.elf.format import DT_STRTAB

if TYPE_CHECKING:
    from minpack.elf.tables import Region, Tables

DT_STRSZ = 10
#: The bytes first read for a name that the table's own size leaves out, and the most that a name has.
PIECE = 512
MAX_NAME = 1 << 20
#: The most bytes of a table that are read at once; the names of the largest libraries have some ten million.
MAX_TABLE = 64 << 20
#: All names that begin inside others have at most this many bytes together, and twice the table's size more.
MAX_SHARED = 16 << 20


class Names(dict[int, bytes]):
    """The names of a file by their offset in its string table.

    Looking up an offset of which there is no name raises MalformedElfError.

    :param expected: about how many names there are.
    :raises MalformedElfError: there is no string table where the file says.
    """

    def __init__(self, tables: Tables, expected: int) -> None:
        super().__init__()
        self._tables = tables
        self._region: Region | None = None
        self._data = b""
        if DT_STRTAB in tables.last:
            self._region = tables.region(DT_STRTAB)
            # No loader looks at DT_STRSZ: it says where names are at best.
            size = tables.last.get(DT_STRSZ, self._region.room)
            self._data = self._region.most(0, min(size, MAX_TABLE))
        self._left = MAX_SHARED + 2 * len(self._data)
        if self._data.count(0) <= 2 * expected + PIECE:
            self._take_all()

    def _take_all(self) -> None:
        """Take every string that another's end precedes; linkers lay out nearly all names so."""
        strings = self._data.split(b"\0")[:-1]
        starts = map(add, accumulate(map(len, strings), initial=0), count())
        self.update(zip(starts, strings, strict=False))

    def __missing__(self, at: int) -> bytes:
        end = self._data.find(0, at) if at < len(self._data) else -1
        if end >= 0:
            self._spend(at, end - at)
            name = self._data[at:end]
        else:
            name = self._read(at)
        self[at] = name
        return name

    def _spend(self, at: int, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._tables.error(DT_STRTAB, f"the names that overlap with that at {at} are too long together")

    def _read(self, at: int) -> bytes:
        """The name at an offset that the table's own size leaves out, or whose end it does."""
        region, size, end = self._region, PIECE, -1
        if region is None or at >= region.room:
            raise self._tables.error(DT_STRTAB, f"a name at {at} lies behind the string table")
        while end < 0:
            data = region.most(at, size)
            self._spend(at, len(data))
            end = data.find(0)
            if end < 0 and (len(data) < size or size >= MAX_NAME):
                raise region.error(at, f"a name has no end within {len(data)} bytes")
            size *= 8
        return data[:end]
