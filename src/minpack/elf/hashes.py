"""Which symbols a file's hash table leads to: nothing else is a definition for a loader.

Formats: System V gABI chapter 5, "Hash Table"; the GNU hash table and MIPS's
form of it by glibc (`elf/dl-lookup.c`, `elf/dl-setup_hash.c`, `sysdeps/mips/ldsodefs.h`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.elf.abi import EM_MIPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.elf.tables import Region, Tables

EM_S390, EM_ALPHA = 22, 0x9026
DT_HASH, DT_GNU_HASH, DT_MIPS_SYMTABNO, DT_MIPS_XHASH = 4, 0x6FFFFEF5, 0x70000011, 0x70000036
#: More symbols than this in one file is a lie: the largest libraries have some 200,000.
MAX_SYMBOLS = 1_000_000
#: The bytes of chains read at once.
PIECE = 1 << 18
#: Makes of each byte its lowest bit, which a chain's last word has set.
_LOWEST_BIT = bytes(byte & 1 for byte in range(256))


def hashed_symbols(tables: Tables) -> Sequence[int]:
    """The indexes of the symbols that the hash table leads to, in ascending order but for MIPS.

    Of two tables the loaders take the GNU one.

    :raises MalformedElfError: the table cannot be true.
    """
    if DT_GNU_HASH in tables.last:
        return _Gnu(tables, DT_GNU_HASH).positions()
    if DT_HASH in tables.last:
        return _system_v(tables)
    if DT_MIPS_XHASH in tables.last and tables.machine == EM_MIPS:
        return _mips(tables)
    return ()


def _system_v(tables: Tables) -> range:
    # 64-bit entries on Alpha and 64-bit S/390 (glibc bits/elfclass.h), and the second is the number of symbols.
    wide = tables.wide and tables.machine in (EM_S390, EM_ALPHA)
    region = tables.region(DT_HASH)
    count = tables.words(region.read(0, 16 if wide else 8), "Q" if wide else "I")[1]
    if count > MAX_SYMBOLS:
        raise region.error(0, f"a hash table of {count} symbols")
    return range(1, max(1, count))


def _mips(tables: Tables) -> Sequence[int]:
    """MIPS sorts symbols by its global offset table: a table behind the chains has the index for each position."""
    gnu = _Gnu(tables, DT_MIPS_XHASH)
    positions = gnu.positions()
    if not positions:
        return ()
    behind = gnu.chains + 4 * max(0, tables.last.get(DT_MIPS_SYMTABNO, 0) - gnu.first)
    size = 4 * (positions[-1] - gnu.first + 1)
    indexes = tables.words(gnu.region.read(behind, size), "I")
    # The first symbol is none.
    return [index for position in positions if (index := indexes[position - gnu.first])]


class _Gnu:
    """A hash table in GNU's form.

    `first` is the symbol that its chains begin with, `chains` where in the region they do.
    """

    def __init__(self, tables: Tables, tag: int) -> None:
        self.region: Region = tables.region(tag)
        self._low = 3 if tables.big_endian else 0
        count, self.first, bloom, _ = struct.unpack(tables.order + "4I", self.region.read(0, 16))
        at = 16 + bloom * (8 if tables.wide else 4)
        if count > MAX_SYMBOLS:
            raise self.region.error(0, f"a hash table of {count} buckets")
        self._starts = set(tables.words(self.region.read(at, 4 * count), "I")) - {0}
        self.chains: int = at + 4 * count

    def positions(self) -> Sequence[int]:
        """The symbols in the chains that the buckets start, in ascending order."""
        starts, first = self._starts, self.first
        if not starts:
            return ()
        if min(starts) < first:
            raise self.region.error(4, f"the hash table leads to symbol {min(starts)} and begins with {first}")
        ends = self._ends(max(starts) - first)
        # Linkers lay the chains one behind the other: then they hold every symbol from the first on.
        if min(starts) == first and ends.count(1) == len(starts):
            return range(first, first + len(ends))
        return self._walked(ends)

    def _ends(self, last: int) -> bytes:
        """For each word of the chains a byte, 1 where one ends, up to the end of the chain that `last` is in."""
        ends, end = bytearray(), -1
        if last > MAX_SYMBOLS:
            raise self.region.error(4, f"the hash table leads to symbol {self.first + last}")
        while end < 0:
            at = self.chains + 4 * len(ends)
            # Most tables are short, and end with the last chain or soon after.
            data = self.region.most(at, max(4 * (last + 64 - len(ends)), 256) if not ends else PIECE)
            if len(data) < 4 or len(ends) > MAX_SYMBOLS:  # noqa: PLR2004 - a word
                raise self.region.error(at, "a chain of the hash table has no end")
            ends += data[self._low : len(data) // 4 * 4 : 4].translate(_LOWEST_BIT)
            end = ends.find(1, last)
        return bytes(ends[: end + 1])

    def _walked(self, ends: bytes) -> list[int]:
        """The symbols of chains that are not laid out as linkers do."""
        found: list[int] = []
        reached = 0
        for start in sorted(self._starts):
            if start - self.first >= reached:
                reached = ends.index(1, start - self.first) + 1
                found += range(start, self.first + reached)
        return found
