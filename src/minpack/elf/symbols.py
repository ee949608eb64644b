"""What one ELF file offers to others and asks of them: definitions, references, and versions.

Driven as the loaders are: a definition counts if the hash table leads to it, a
reference if a relocation names it. Tables are read in bulk and every count is
bounded by the bytes that are there. Formats: System V gABI chapter 5; the GNU
hash table and symbol versions by glibc (`elf/dl-lookup.c`, `elf/dl-version.c`).
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING, NamedTuple

from minpack.elf.dynamic import Dynamic
from minpack.elf.relocations import relocation_types
from minpack.elf.segments import extent_at, read_header, read_segments
from minpack.elf.versions import Versions, read_versions
from minpack.elf.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content
    from minpack.elf.info import Segment
    from minpack.elf.segments import Header

DT_PLTRELSZ, DT_HASH, DT_SYMTAB, DT_RELA, DT_RELASZ = 2, 4, 6, 7, 8
DT_SYMBOLIC, DT_REL, DT_RELSZ, DT_PLTREL, DT_JMPREL, DT_BIND_NOW, DT_RELR = 16, 17, 18, 20, 23, 24, 36
DT_FLAGS, DT_FLAGS_1, DT_STRTAB, DT_GNU_HASH, DT_VERSYM = 30, 0x6FFFFFFB, 5, 0x6FFFFEF5, 0x6FFFFFF0
DT_MIPS_LOCAL_GOTNO, DT_MIPS_SYMTABNO, DT_MIPS_GOTSYM = 0x7000000A, 0x70000011, 0x70000013
DF_SYMBOLIC, DF_BIND_NOW, DF_1_NOW = 2, 8, 1
EM_MIPS, EM_S390, EM_ALPHA = 8, 22, 0x9026
#: More symbols or relocations than this in one file is a lie: the largest libraries have some 200,000 of the first.
MAX_SYMBOLS = 4_000_000
MAX_TABLE = 1 << 29


class Definition(NamedTuple):
    """A symbol that the hash table leads to.

    `version` is the index in the file's versions with the hidden bit, 1 if the file has none.
    """

    info: int
    other: int
    section: int
    value: int
    version: int


class Reference(NamedTuple):
    """A symbol that relocations name.

    `version` is the version's name or empty, `hidden` the hidden bit of its
    need. `kind` is ``jump``, ``tls``, ``copy`` or empty. `lazy` says that all such
    relocations wait for the first call, unless the loader binds at once.
    """

    name: bytes
    info: int
    other: int
    section: int
    version: str
    hidden: bool
    kind: str
    lazy: bool


class Symbols(NamedTuple):
    """One file's symbols.

    `names` leads from the name of each definition, bytes as in the file, to its
    index, or to several where it has several versions; `definition` has the
    rest. `has_versions` says that symbols have versions at all, `has_relr` that
    it has DT_RELR relocations, `calls_resolvers` that it has relocations that
    call one (IRELATIVE).
    """

    names: dict[bytes, int | tuple[int, ...]]
    table: list[tuple[int, int, int, int, int]]
    version_indexes: array[int]
    references: tuple[Reference, ...]
    versions: Versions
    symbolic: bool
    bind_now: bool
    has_relr: bool
    calls_resolvers: bool

    @property
    def has_versions(self) -> bool:
        """Whether the file's symbols have versions."""
        return bool(self.version_indexes)

    def definitions(self, name: bytes) -> tuple[Definition, ...]:
        """The definitions of `name`, in the file's order."""
        found = self.names.get(name, ())
        indexes = (found,) if isinstance(found, int) else found
        return tuple(
            Definition(*self.table[index][1:], self.version_indexes[index] if self.version_indexes else 1)
            for index in indexes
        )


def read_symbols(content: Content, name: str | None = None) -> Symbols:
    """The symbols of a dynamically linked file.

    :raises MalformedElfError: a table is not where the file says, or longer than can be.
    """
    with content.open() as reader:
        window = Window(reader, content.size, name or content.where)
        header = read_header(window)
        segments = read_segments(window, header)
        return _Tables(window, header, segments).symbols()


class _Tables:
    """The tables of one file while they are read."""

    def __init__(self, window: Window, header: Header, segments: tuple[Segment, ...]) -> None:
        self._window = window
        self._header = header
        self._segments = segments
        self._last = Dynamic(window, header, segments).last
        self._wide = header.layout.bits == 64  # noqa: PLR2004 - the two classes there are
        self._order = ">" if header.layout.big_endian else "<"
        self._strings = self._table(DT_STRTAB, None)
        self._types = relocation_types(header.machine)
        #: Every relocation type in the file.
        self._seen: set[int] = set()

    def symbols(self) -> Symbols:
        versions = read_versions(self._last, self._table_at, self._name, self._order)
        infos = dict(self._relocations())
        got = self._mips_got()
        hashed = self._hashed()
        count = 1 + max((*(info[0] for info in infos), *got, hashed[-1] if hashed else 0), default=0)
        table = self._symbol_table(count)
        indexes = self._version_indexes(len(table))
        last = self._last
        flags, flags_1 = last.get(DT_FLAGS, 0), last.get(DT_FLAGS_1, 0)
        return Symbols(
            self._names(table, hashed),
            table,
            indexes,
            tuple(self._references(table, infos, got, versions, indexes)),
            versions,
            DT_SYMBOLIC in last or bool(flags & DF_SYMBOLIC),
            DT_BIND_NOW in last or bool(flags & DF_BIND_NOW) or bool(flags_1 & DF_1_NOW),
            DT_RELR in last,
            bool(self._seen & self._types.ifunc),
        )

    def _error(self, what: str) -> Exception:
        return self._window.error(self._header.phoff, what)

    def _table_at(self, address: int, size: int | None) -> bytes:
        """`size` bytes that are loaded at `address`; with None all that its segment has from there on."""
        extent = extent_at(address, self._segments)
        if extent is None:
            if size == 0:
                return b""
            raise self._error(f"a table at address {address:#x} is in no segment")
        offset, room = extent
        size = room if size is None else size
        if size > room or size > MAX_TABLE:
            raise self._error(f"a table of {size} bytes at address {address:#x} is longer than its segment")
        return self._window.read(offset, size, "a table of the dynamic section", self._header.phoff)

    def _table(self, tag: int, size: int | None) -> bytes:
        address = self._last.get(tag)
        return b"" if address is None else self._table_at(address, size)

    def _name(self, at: int) -> bytes:
        end = self._strings.find(b"\0", at)
        if end < 0:
            raise self._error(f"a name at {at} lies behind the string table")
        return self._strings[at:end]

    def _words(self, data: bytes, code: str) -> array[int]:
        """Numbers of the file's byte order; `code` is one of array's."""
        values = array(code)
        values.frombytes(data[: len(data) // values.itemsize * values.itemsize])
        if self._header.layout.big_endian != (sys.byteorder == "big"):
            values.byteswap()
        return values

    def _hashed(self) -> list[int] | range:
        """The indexes of the symbols that the hash table leads to, in order."""
        if DT_GNU_HASH in self._last:
            return self._gnu_hashed()
        if DT_HASH not in self._last:
            return []
        # 64-bit entries on Alpha and 64-bit S/390 (glibc bits/elfclass.h), and the second is the number of symbols.
        wide = self._wide and self._header.machine in (EM_S390, EM_ALPHA)
        head = self._words(self._table(DT_HASH, 16 if wide else 8), "Q" if wide else "I")
        if head[1] > MAX_SYMBOLS:
            raise self._error(f"a hash table of {head[1]} symbols")
        return range(1, max(1, head[1]))

    def _gnu_hashed(self) -> list[int] | range:
        data = self._table(DT_GNU_HASH, None)
        if len(data) < 16:  # noqa: PLR2004 - its four words
            raise self._error("the GNU hash table is cut short")
        buckets, first, bloom, _ = struct.unpack_from(self._order + "4I", data)
        at = 16 + bloom * (8 if self._wide else 4)
        if at + 4 * buckets > len(data) or buckets > MAX_SYMBOLS:
            raise self._error("the GNU hash table is cut short")
        starts = {start for start in self._words(data[at : at + 4 * buckets], "I") if start}
        chain = self._words(data[at + 4 * buckets :], "I")
        if not starts:
            return []
        if min(starts) < first:
            raise self._error("the GNU hash table leads to symbols before its first")
        end = max(starts) - first
        while end < len(chain) and not chain[end] & 1:
            end += 1
        if end >= len(chain):
            raise self._error("a chain of the GNU hash table has no end")
        # Linkers lay the chains one behind the other: then they hold every symbol from the first on.
        ends = sum(link & 1 for link in chain[: end + 1])
        if min(starts) == first and ends == len(starts):
            return range(first, first + end + 1)
        return self._walked(starts, chain, first)

    def _walked(self, starts: set[int], chain: array[int], first: int) -> list[int]:
        """The symbols of chains that are not laid out as linkers do."""
        found: set[int] = set()
        for start in starts:
            at = start
            while at not in found and at - first < len(chain):
                found.add(at)
                if chain[at - first] & 1:
                    break
                at += 1
        return sorted(found)

    def _symbol_table(self, count: int) -> list[tuple[int, int, int, int, int]]:
        """Name, info, other, section and value of the first `count` symbols."""
        if count > MAX_SYMBOLS:
            raise self._error(f"relocations name symbol {count - 1}")
        if DT_SYMTAB not in self._last or count <= 1:
            return []
        size = 24 if self._wide else 16
        data = self._table(DT_SYMTAB, count * size)
        if self._wide:
            return list(struct.iter_unpack(self._order + "IBBHQ8x", data))
        return [(n, i, o, s, v) for n, v, i, o, s in struct.iter_unpack(self._order + "II4xBBH", data)]

    def _version_indexes(self, count: int) -> array[int]:
        """For each symbol the index of its version; empty without versions."""
        if DT_VERSYM not in self._last or not count:
            return array("H")
        return self._words(self._table(DT_VERSYM, 2 * count), "H")

    def _names(
        self, table: list[tuple[int, int, int, int, int]], hashed: list[int] | range
    ) -> dict[bytes, int | tuple[int, ...]]:
        """Each name the hash table leads to, with its index or indexes. Most files have tens of thousands."""
        strings = self._strings + b"\0"
        find = strings.find
        texts = [strings[at : find(b"\0", at)] for at, _, _, _, _ in (table[index] for index in hashed)]
        found: dict[bytes, int | tuple[int, ...]] = dict(zip(texts, hashed, strict=True))
        if len(found) < len(texts):
            several: dict[bytes, list[int]] = {}
            for text, index in zip(texts, hashed, strict=True):
                several.setdefault(text, []).append(index)
            found |= {text: tuple(indexes) for text, indexes in several.items() if len(indexes) > 1}
        return found

    def _relocations(self) -> Iterator[tuple[tuple[int, str], bool]]:
        """Each symbol and kind of use that relocations name, with whether all of them are lazy."""
        last = self._last
        lazy_only: dict[tuple[int, str], bool] = {}
        plt_rela = last.get(DT_PLTREL) == DT_RELA
        for tag, size, rela, lazy in (
            (DT_RELA, last.get(DT_RELASZ, 0), True, False),
            (DT_REL, last.get(DT_RELSZ, 0), False, False),
            (DT_JMPREL, last.get(DT_PLTRELSZ, 0), plt_rela, True),
        ):
            if tag not in last or not size:
                continue
            for symbol, type_ in self._uses(self._table(tag, size), rela=rela):
                self._seen.add(type_)
                if symbol:
                    key = (symbol, self._types.kind(type_))
                    lazy_only[key] = lazy and lazy_only.get(key, True)
        yield from lazy_only.items()

    def _uses(self, data: bytes, *, rela: bool) -> set[tuple[int, int]]:
        """The distinct pairs of symbol and type in a relocation table (gABI chapter 4, "Relocation")."""
        step = 3 if rela else 2
        infos = set(self._words(data, "Q" if self._wide else "I")[1::step])
        if not self._wide:
            return {(info >> 8, info & 0xFF) for info in infos}
        if self._header.machine == EM_MIPS:
            return {_mips64_use(info, big_endian=self._header.layout.big_endian) for info in infos}
        return {(info >> 32, info & 0xFFFFFFFF) for info in infos}

    def _mips_got(self) -> range:
        """The symbols of MIPS's global offset table, which no relocation names (MIPS psABI, chapter 5)."""
        last = self._last
        if self._header.machine != EM_MIPS or DT_MIPS_GOTSYM not in last:
            return range(0)
        first, count = last[DT_MIPS_GOTSYM], last.get(DT_MIPS_SYMTABNO, 0)
        if count > MAX_SYMBOLS:
            raise self._error(f"a global offset table of {count} symbols")
        return range(first, max(first, count))

    def _references(
        self,
        table: list[tuple[int, int, int, int, int]],
        infos: dict[tuple[int, str], bool],
        got: range,
        versions: Versions,
        indexes: array[int],
    ) -> Iterator[Reference]:
        for (symbol, kind), lazy in {**dict.fromkeys(((s, "") for s in got), False), **infos}.items():
            at, info, other, section, _ = table[symbol]
            version = versions.named.get(indexes[symbol] & 0x7FFF) if indexes else None
            name, hidden = version or ("", False)
            yield Reference(self._name(at), info, other, section, name, hidden, kind, lazy)


def _mips64_use(info: int, *, big_endian: bool) -> tuple[int, int]:
    """A 64-bit MIPS relocation has a 32-bit symbol, then one byte each of special symbol and three types."""
    if big_endian:
        return info >> 32, info & 0xFF
    return info & 0xFFFFFFFF, info >> 56
