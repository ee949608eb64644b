"""What one ELF file offers to others and asks of them: definitions, references, and versions.

Driven as the loaders are: a definition counts if the hash table leads to it, a
reference if a relocation names it. Tables are read in bulk, every count is
bounded by the bytes that are there, and memory by the size of the file.
Formats: System V gABI chapter 5; symbol versions by glibc (`elf/dl-lookup.c`).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from minpack.elf.abi import EM_MIPS
from minpack.elf.format import DT_FLAGS, DT_FLAGS_1, DT_STRTAB
from minpack.elf.hashes import MAX_SYMBOLS, hashed_symbols
from minpack.elf.names import DT_STRSZ, MAX_TABLE, Names
from minpack.elf.relocations import Uses, offset_table_symbols, read_uses, relocation_types
from minpack.elf.tables import Tables
from minpack.elf.versions import INDEX, Versions, read_versions
from minpack.elf.window import Window
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.content import Content

DT_SYMTAB, DT_SYMBOLIC, DT_BIND_NOW, DT_RELR, DT_VERSYM = 6, 16, 24, 36, 0x6FFFFFF0
DF_SYMBOLIC, DF_BIND_NOW, DF_1_NOW = 2, 8, 1
STT_FUNC, STO_MIPS_PLT = 2, 8
#: The fields of a symbol that matter, by class: name, info, other, section, value (gABI chapter 4, "Symbol Table").
_FORMS = {True: "IBBHQ8x", False: "II4xBBH"}
#: Bindings and types, and visibilities, of ordinary definitions: global, weak or unique ones of no type, of data, code,
#: common or thread-local storage, that others may see. Both C libraries bind to these.
_BOUND = bytes(info >> 4 in (1, 2, 10) and info & 15 in (0, 1, 2, 5, 6) for info in range(256))
_VISIBLE = bytes(other & 3 in (0, 3) for other in range(256))


class Definition(NamedTuple):
    """A symbol that the hash table leads to.

    `version` is the index in the file's versions with the hidden bit, 1 if the file has none.
    """

    info: int
    other: int
    section: int
    value: int
    version: int


class SymbolReference(NamedTuple):
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


class SymbolTable(Sequence[tuple[int, int, int, int, int]]):
    """The symbols of a file as they lie in it: name, info, other, section and value of each."""

    def __init__(self, tables: Tables, count: int) -> None:
        self._form = struct.Struct(tables.order + _FORMS[tables.wide])
        self._tables = tables
        self._wide = tables.wide
        self._count = count
        self._data = tables.region(DT_SYMTAB).read(0, count * self._form.size) if count else b""
        words = tables.words(self._data, "I")
        #: Where the name of each begins in the string table.
        self.names: array[int] = words[:: self._form.size // 4]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[int, int, int, int, int]:  # type: ignore[override] # no slices
        row = self._form.unpack_from(self._data, self._form.size * index)
        if self._wide:
            return row
        name, value, info, other, section = row
        return name, info, other, section, value

    def sections(self) -> array[int]:
        """The section of each, 0 where it is not defined."""
        return self._tables.words(self._data, "H")[3 if self._wide else 7 :: self._form.size // 2]

    def values(self) -> array[int]:
        """The value of each."""
        return self._tables.words(self._data, "Q")[1::3] if self._wide else self._tables.words(self._data, "I")[1::4]

    def kinds(self) -> tuple[bytes, bytes]:
        """For each a byte that says whether its binding and type, and one whether its visibility, are ordinary."""
        at, size = (4, 24) if self._wide else (12, 16)
        return self._data[at::size].translate(_BOUND), self._data[at + 1 :: size].translate(_VISIBLE)

    def rows(self, indexes: Iterable[int]) -> list[tuple[int, int, int, int, int]]:
        """Those with these indexes."""
        unpack, data, size = self._form.unpack_from, self._data, self._form.size
        rows = [unpack(data, size * index) for index in indexes]
        return rows if self._wide else [(n, i, o, s, v) for n, v, i, o, s in rows]


class Symbols(NamedTuple):
    """One file's symbols.

    `names` leads from the name of each definition, bytes as in the file, to its
    index, or to several where it has several versions; `definitions` has the
    rest. `has_relr` says that it has DT_RELR relocations, `calls_resolvers` that
    it has relocations that call one (IRELATIVE). `imports` are, by name, those of
    the `references` that the file does not define, `outward` those that its definitions do not surely answer.
    """

    names: dict[bytes, int | tuple[int, ...]]
    table: SymbolTable
    version_indexes: array[int]
    references: tuple[SymbolReference, ...]
    versions: Versions
    symbolic: bool
    bind_now: bool
    has_relr: bool
    calls_resolvers: bool
    imports: Mapping[bytes, SymbolReference]
    outward: Sequence[SymbolReference]

    @property
    def has_versions(self) -> bool:
        """Whether the file's symbols have versions."""
        return bool(self.version_indexes)

    def definitions(self, name: bytes) -> tuple[Definition, ...]:
        """The definitions of `name`, in the file's order."""
        found = self.names.get(name, ())
        if isinstance(found, int):
            return (self._definition(found),)
        return tuple([self._definition(index) for index in found])

    def ordinary(self, names: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """Of these names, which it defines, those with one definition in a section that all may bind to; its index."""
        found = [(name, at) for name in names if type(at := self.names[name]) is int]
        if not found:
            return []
        (bound, visible), sections, values = self.table.kinds(), self.table.sections(), self.table.values()
        return [(name, at) for name, at in found if bound[at] and visible[at] and sections[at] and values[at]]

    def _definition(self, index: int) -> Definition:
        _, info, other, section, value = self.table[index]
        return Definition(info, other, section, value, self.version_indexes[index] if self.version_indexes else 1)


def read_symbols(content: Content, name: str | None = None, *, imports_alone: bool = False) -> Symbols:
    """The symbols of a dynamically linked file.

    :param name: what to call it in errors; by default where its bytes come from.
    :param imports_alone: leave out what it defines, `names` and references to them, which takes half as long.
    :raises MalformedElfError: a table is not where the file says, or longer than can be.
    :raises InputError: the system could not read it.
    """
    with content.open() as reader:
        return _symbols(Tables(Window(reader, content.size, name or content.where)), imports_alone=imports_alone)


def has_strings(content: Content, names: Iterable[bytes]) -> bool:
    """Whether the dynamic string table has all these names; without, no symbol of the file is called so.

    It is looked through as far as DT_STRSZ says.

    :raises MalformedElfError: the table is not where the file says.
    :raises InputError: the system could not read it.
    """
    with content.open() as reader:
        tables = Tables(Window(reader, content.size, content.where))
        if DT_STRTAB not in tables.last:
            return False
        data = tables.region(DT_STRTAB).most(0, min(tables.last.get(DT_STRSZ, 0), MAX_TABLE))
    return all(name + b"\0" in data for name in names)


def _symbols(tables: Tables, *, imports_alone: bool) -> Symbols:
    uses = read_uses(tables)
    offsets = offset_table_symbols(tables)
    hashed = () if imports_alone else hashed_symbols(tables)
    table = SymbolTable(tables, _count(tables, uses, offsets, hashed))
    used = _all_uses(table, uses, offsets)
    if imports_alone:
        sections = table.sections()
        used = {use: lazy for use, lazy in used.items() if not sections[use[0]]}
    # Taking all names at once costs a fifth, each, of finding one.
    names = Names(tables, 2 * len(used) if imports_alone else len(table))
    versions = read_versions(tables, names)
    indexes = array("H")
    if DT_VERSYM in tables.last and len(table):
        indexes = tables.words(tables.region(DT_VERSYM).read(0, 2 * len(table)), "H")
    if tables.machine == EM_MIPS:
        hashed = [index for index in hashed if _is_defined_on_mips(table, index)]
    last = tables.last
    flags, flags_1 = last.get(DT_FLAGS, 0), last.get(DT_FLAGS_1, 0)
    references = _references(table, names, used, versions, indexes)
    by_name = _by_name(table, names, hashed)
    return Symbols(
        by_name,
        table,
        indexes,
        references,
        versions,
        DT_SYMBOLIC in last or bool(flags & DF_SYMBOLIC),
        DT_BIND_NOW in last or bool(flags & DF_BIND_NOW) or bool(flags_1 & DF_1_NOW),
        DT_RELR in last,
        bool(uses.types & relocation_types(tables.machine).ifunc),
        {reference.name: reference for reference in references if reference.section == 0},
        references if imports_alone else _outward(references, used, by_name, table, indexes),
    )


def _count(tables: Tables, uses: Uses, offsets: range, hashed: Sequence[int]) -> int:
    """How many symbols anything leads to, with the first, which is none; 0 without any."""
    last = hashed[-1] if isinstance(hashed, range) and hashed else max(hashed, default=0)
    highest = max(last, max(uses.lazy, default=(0, ""))[0], max(offsets, default=0))
    if highest >= MAX_SYMBOLS:
        raise tables.error(DT_SYMTAB, f"relocations or a hash table lead to symbol {highest}")
    if highest and DT_SYMTAB not in tables.last:
        raise tables.error(DT_SYMTAB, "symbols are named and there is no symbol table")
    return highest + 1 if highest else 0


def _is_defined_on_mips(table: SymbolTable, index: int) -> bool:
    """There, an undefined symbol with a value is a stub for lazy binding (glibc sysdeps/mips/dl-machine.h)."""
    _, _, other, section, _ = table[index]
    return section != 0 or bool(other & STO_MIPS_PLT)


def _by_name(table: SymbolTable, names: Names, hashed: Sequence[int]) -> dict[bytes, int | tuple[int, ...]]:
    """Each name the hash table leads to, with its index or indexes. Most files have tens of thousands."""
    if isinstance(hashed, range):
        offsets: Sequence[int] = table.names[hashed.start : hashed.stop]
    else:
        offsets = [table.names[index] for index in hashed]
    texts = list(map(names.__getitem__, offsets))
    found: dict[bytes, int | tuple[int, ...]] = dict(zip(texts, hashed, strict=True))
    if len(found) < len(texts):
        found |= _several(texts, hashed)
    # Sections and the like: no relocation names what has no name.
    found.pop(b"", None)
    return found


def _several(texts: Sequence[bytes], hashed: Sequence[int]) -> dict[bytes, tuple[int, ...]]:
    """The names that more than one symbol has."""
    several: dict[bytes, list[int]] = {}
    for text, index in zip(texts, hashed, strict=True):
        several.setdefault(text, []).append(index)
    return {text: tuple(indexes) for text, indexes in several.items() if len(indexes) > 1}


def _all_uses(table: SymbolTable, uses: Uses, offsets: range) -> dict[tuple[int, str], bool]:
    """What relocations and MIPS's global offset table use, with whether it is lazy."""
    if not offsets:
        return uses.lazy
    return {(symbol, ""): _is_stub(table, symbol) for symbol in offsets} | uses.lazy


def _is_stub(table: SymbolTable, symbol: int) -> bool:
    """Whether an entry of MIPS's global offset table waits for the first call (glibc sysdeps/mips/dl-machine.h)."""
    _, info, other, section, value = table[symbol]
    return section == 0 and info & 15 == STT_FUNC and value != 0 and not other & STO_MIPS_PLT


def _references(
    table: SymbolTable,
    names: Names,
    uses: dict[tuple[int, str], bool],
    versions: Versions,
    indexes: array[int],
) -> tuple[SymbolReference, ...]:
    """What relocations name, made column by column: there are hundreds in a file, tens of thousands in a closure."""
    if not uses:
        return ()
    symbols, kinds = zip(*uses, strict=True)
    at, info, other, section, _ = zip(*table.rows(symbols), strict=True)
    named, none = versions.named, ("", False)
    found = [named.get(indexes[symbol] & INDEX, none) for symbol in symbols] if indexes else [none] * len(symbols)
    version, hidden = zip(*found, strict=True)
    texts = map(names.__getitem__, at)
    rows = zip(texts, info, other, section, version, hidden, kinds, uses.values(), strict=True)
    return tuple(map(tuple.__new__, repeat(SymbolReference), rows))


def _outward(
    references: Sequence[SymbolReference],
    uses: Iterable[tuple[int, str]],
    names: Mapping[bytes, int | tuple[int, ...]],
    table: SymbolTable,
    indexes: array[int],
) -> list[SymbolReference]:
    """The references that are not to an ordinary definition of the file itself: half of those of a library of C++.

    Whoever looks into the file finds it, if it is the only one of its name and its version is not hidden. A COPY
    relocation does not look into its own file.
    """
    (bound, visible), sections, values = table.kinds(), table.sections(), table.values()
    return [
        reference
        for reference, (at, kind) in zip(references, uses, strict=True)
        if not (sections[at] and values[at] and bound[at] and visible[at])
        or (indexes and indexes[at] > INDEX)
        or kind == "copy"
        or names.get(reference.name) != at
    ]
