"""Relocations: which symbols they name, and for what (the processor supplements; glibc `elf/elf.h`)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from minpack.elf.abi import EM_MIPS
from minpack.elf.hashes import DT_MIPS_SYMTABNO, MAX_SYMBOLS
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from minpack.elf.tables import Tables

EM_SPARCV9 = 43
DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_REL, DT_RELSZ, DT_PLTREL, DT_JMPREL = 2, 7, 8, 17, 18, 20, 23
DT_MIPS_GOTSYM = 0x70000013
#: The bytes of a table read at once: whole entries of each form.
PIECE = 24 << 15
#: So many are looked at one by one.
FEW = 64
#: More distinct pairs of symbol and type than this has no real file: few symbols are named in two ways.
MAX_USES = MAX_SYMBOLS


class RelocationTypes(NamedTuple):
    """The numbers of one machine's types.

    `jump_slot` are calls through the procedure linkage table, `tls` what glibc
    looks up as strictly as those (elf_machine_type_class), `ifunc` what calls a
    resolver, which musl does not know.
    """

    jump_slot: frozenset[int]
    tls: frozenset[int]
    copy: frozenset[int]
    ifunc: frozenset[int]

    def kind(self, type_: int) -> str:
        """``jump``, ``tls``, ``copy`` or nothing."""
        if type_ in self.jump_slot:
            return "jump"
        if type_ in self.tls:
            return "tls"
        return "copy" if type_ in self.copy else ""


class Uses(NamedTuple):
    """What the relocations of a file use: for each symbol and kind whether all of them are lazy; and all types."""

    lazy: dict[tuple[int, str], bool]
    types: frozenset[int]


_NONE = RelocationTypes(frozenset(), frozenset(), frozenset(), frozenset())

# machine: jump slot; TLS; copy; irelative
_TABLE = {
    62: ((7,), (16, 17, 18, 36), (5,), (37,)),
    3: ((7,), (14, 35, 36, 37, 41), (5,), (42,)),
    183: ((1026,), (1028, 1029, 1030, 1031), (1024,), (1032,)),
    40: ((22,), (13, 17, 18, 19), (20,), (160,)),
    22: ((11,), (54, 55, 56), (9,), (61,)),
    243: ((5,), (6, 7, 8, 9, 10, 11, 12), (4,), (58,)),
    258: ((5,), (6, 7, 8, 9, 10, 11, 13, 14), (4,), (12,)),
    21: ((21,), (68, 73, 78), (19,), (248,)),
    20: ((21,), (68, 73, 78), (19,), (248,)),
    8: ((127,), (38, 39, 40, 41, 47, 48), (126,), ()),
    2: ((21,), (74, 75, 76, 77, 78, 79), (19,), (249,)),
    43: ((21,), (74, 75, 76, 77, 78, 79), (19,), (249,)),
    4: ((21,), (40, 41, 42), (19,), ()),
    42: ((164,), (149, 150, 151), (162,), ()),
    15: ((129,), (242, 243, 153), (128,), ()),
}


@cache
def relocation_types(machine: int) -> RelocationTypes:
    """The types of `machine`, an e_machine; none are known of others."""
    row = _TABLE.get(machine)
    return _NONE if row is None else RelocationTypes(*(frozenset(numbers) for numbers in row))


def read_uses(tables: Tables) -> Uses:
    """What relocations name, in an order that the file's numbers alone decide. Those of DT_RELR name nothing.

    :raises MalformedElfError: a table is not whole, or names more symbols than a file has.
    """
    kinds = _Kinds(relocation_types(tables.machine))
    lazy: dict[tuple[int, str], bool] = {}
    for tag, size, rela, is_lazy in _extents(tables):
        keys = _keys(tables, sorted(_infos(tables, tag, size, rela=rela)), kinds)
        named = dict.fromkeys([key for key in keys if key[0]], is_lazy)
        # The lazy table comes last: what another names too is not lazy.
        lazy = {**lazy, **named, **lazy} if lazy else named
    return Uses(lazy, frozenset(kinds))


class _Kinds(dict[int, str]):
    """The kind of each type that was asked for."""

    def __init__(self, types: RelocationTypes) -> None:
        super().__init__()
        self._types = types

    def __missing__(self, type_: int) -> str:
        self[type_] = kind = self._types.kind(type_)
        return kind


def offset_table_symbols(tables: Tables) -> range:
    """The symbols of MIPS's global offset table, which no relocation names (MIPS psABI, chapter 5).

    :raises MalformedElfError: they are too many.
    """
    last = tables.last
    if tables.machine != EM_MIPS or DT_MIPS_GOTSYM not in last:
        return range(0)
    first, count = max(1, last[DT_MIPS_GOTSYM]), last.get(DT_MIPS_SYMTABNO, 0)
    if count > MAX_SYMBOLS:
        raise tables.error(DT_MIPS_SYMTABNO, f"a global offset table of {count} symbols")
    return range(first, max(first, count))


def _extents(tables: Tables) -> Iterator[tuple[int, int, bool, bool]]:
    """Tag, size, whether its entries have addends, and whether it is bound lazily, of each table."""
    last = tables.last
    jumps, jumps_size = last.get(DT_JMPREL, 0), last.get(DT_PLTRELSZ, 0)
    jumps_rela = last.get(DT_PLTREL) == DT_RELA
    for tag, size_tag, rela in ((DT_RELA, DT_RELASZ, True), (DT_REL, DT_RELSZ, False)):
        size = last.get(size_tag, 0)
        if tag not in last or not size:
            continue
        # Where the lazy table is the end of this one, it is not part of it (glibc elf/dynamic-link.h).
        if rela == jumps_rela and last[tag] + size == jumps + jumps_size and jumps_size <= size:
            size -= jumps_size
        yield tag, size, rela, False
    if DT_JMPREL in last and jumps_size:
        yield DT_JMPREL, jumps_size, jumps_rela, True


def _infos(tables: Tables, tag: int, size: int, *, rela: bool) -> set[int]:
    """The distinct values of `r_info` (gABI chapter 4, "Relocation")."""
    found: set[int] = set()
    if not size:
        return found
    region = tables.region(tag)
    code, step = "Q" if tables.wide else "I", 3 if rela else 2
    region.check(0, size)
    for at in range(0, size, PIECE):
        infos = tables.words(region.read(at, min(PIECE, size - at)), code)[1::step]
        found.update(infos[_alike(infos) :])
        found.update(infos[:1])
        if len(found) > MAX_USES:
            raise tables.error(tag, f"relocations name symbols in more than {MAX_USES} ways")
    return found


def _alike(infos: array[int]) -> int:
    """How many of the first are the same, rounded down: linkers put relative ones first, which name nothing.

    Comparing bytes takes a fifth of the time of looking at numbers, of which large libraries have a hundred thousand.
    """
    data, low, high = infos.tobytes(), 0, len(infos)
    one = data[: infos.itemsize]
    # The first half, then three quarters, until what is left is few.
    while high - low > FEW:
        middle = (low + high) // 2
        if data[low * len(one) : middle * len(one)] == one * (middle - low):
            low = middle
        else:
            high = middle
    return low


def _keys(tables: Tables, infos: list[int], kinds: _Kinds) -> list[tuple[int, str]]:
    """Symbol and kind of each."""
    if not tables.wide:
        return [(info >> 8, kinds[info & 0xFF]) for info in infos]
    if tables.machine == EM_MIPS:
        # A 32-bit symbol, then one byte each of special symbol and three types, the first last (elf/elf.h).
        if tables.big_endian:
            return [(info >> 32, kinds[info & 0xFF]) for info in infos]
        return [(info & 0xFFFFFFFF, kinds[info >> 56]) for info in infos]
    # SPARC has data of the type's own in the other bits (ELF64_R_TYPE_DATA).
    mask = 0xFF if tables.machine == EM_SPARCV9 else 0xFFFFFFFF
    return [(info >> 32, kinds[info & mask]) for info in infos]
