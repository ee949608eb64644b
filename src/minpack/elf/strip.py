"""Symbol tables and debug sections: what they weigh, and a program without them.

No loader reads them, so a program without starts alike. What goes is what `strip --strip-all` takes (strip(1)): the
symbol table with its names, debug sections, and relocations that a linker kept for other tools. All else is copied:
what is loaded stays where it is, other sections move up behind it, and the section headers are written anew.
Formats: System V gABI, chapter 4, "Sections".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.content import JoinedContent, Piece
from minpack.elf.sections import MAX_NAMES, MAX_SECTIONS, SHF_ALLOC, SHT_NOBITS
from minpack.elf.segments import read_header
from minpack.elf.window import Window
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo

SHT_NULL = 0
SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_REL, SHT_SYMTAB_SHNDX = 2, 3, 4, 9, 18
SHF_INFO_LINK = 0x40
SHN_LORESERVE = 0xFF00
#: As binutils has it (bfd/elf.c, `_bfd_elf_make_section_from_shdr`), and the compressed table of symbols of Fedora
#: (GDB manual, "MiniDebugInfo").
_DEBUG = (".debug", ".zdebug", ".gnu.debuglto_.debug_", ".gnu.linkonce.wi.", ".line", ".stab", ".gdb_index")
_MINI_DEBUG = ".gnu_debugdata"
#: No section that is not loaded is aligned to more.
_MOST_ALIGN = 4096
#: Linkers align the end of a segment to a page, of up to 64 KiB; a longer stretch without a section is not padding.
_MOST_PADDING = 1 << 20
#: By class: the fields of a section header; offset, format of the table's offset, size, number and index of names.
_ROWS = {64: "IIQQQQIIQQ", 32: "IIIIIIIIII"}
_AT = {64: (40, "Q", 58), 32: (32, "I", 46)}


class Weight(NamedTuple):
    """The bytes of a file that its symbol tables and its debug sections have."""

    symbols: int
    debug: int


class _Row(NamedTuple):
    """One section header, as it is in the file."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int

    @property
    def end(self) -> int:
        """The offset behind its last byte in the file; 0 if it has none there."""
        return 0 if self.type in (SHT_NULL, SHT_NOBITS) else self.offset + self.size


class _Table(NamedTuple):
    """The section headers; `loaded` is the end of what is loaded, `end` that of all that headers tell of."""

    order: str
    bits: int
    head: bytes
    rows: tuple[_Row, ...]
    names_index: int
    symbols: frozenset[int]
    debug: frozenset[int]
    loaded: int
    end: int
    has_gap: bool


def weigh(content: Content, info: ElfInfo) -> Weight:
    """What could be left out of the file; nothing where its section headers cannot be true.

    :raises InputError: the system could not read it.
    """
    table = _read(content, info)
    if table is None:
        return Weight(0, 0)
    return Weight(*(sum(table.rows[n].size for n in part) for part in (table.symbols, table.debug)))


def why_not(content: Content, info: ElfInfo) -> str:
    """Why the program has to stay as it is; empty if it has not to.

    :raises InputError: the system could not read it.
    """
    table = _read(content, info)
    return "" if table is None else _refusal(table, content.size)


def _refusal(table: _Table, size: int) -> str:
    """Why a file of `size` bytes has to stay as it is; empty if it has not to."""
    # Of segments that are not loaded the kernel looks at few, and checks no end.
    if max(table.loaded, table.end) > min(size, (1 << table.bits) - 1):
        return "its program headers name bytes behind its end"
    payload = size - table.end
    if payload > 0:
        return f"{payload} bytes follow its ELF image, where it may look for them"
    return "it has data that no header describes, and may look for it where it is" if table.has_gap else ""


def stripped(content: Content, info: ElfInfo) -> Content:
    """The program without symbol tables and debug sections; as it is where it has none or `why_not` says so.

    Nothing is held in memory but its headers.

    :raises InputError: the system could not read it.
    """
    table = _read(content, info)
    if table is None or not (table.symbols | table.debug) or _refusal(table, content.size):
        return content
    gone = table.symbols | table.debug
    kept = [number for number in range(len(table.rows)) if number not in gone]
    offsets, pieces, end = _placed(table, kept)
    at = _aligned(end, 8)
    new_index = {number: position for position, number in enumerate(kept)}
    form = struct.Struct(table.order + _ROWS[table.bits])
    rows = b"".join(form.pack(*_moved(table.rows[n], offsets.get(n), new_index)) for n in kept)
    head = _head(table, at, len(kept), new_index.get(table.names_index, 0))
    first = (Piece(0, len(head), data=head), Piece(len(head), table.loaded - len(head), start=len(head)))
    made = JoinedContent(content.where, at + len(rows), content, (*first, *pieces, Piece(at, len(rows), data=rows)))
    return made if made.size < content.size else content


def _placed(table: _Table, kept: Sequence[int]) -> tuple[dict[int, int], list[Piece], int]:
    """New offsets of the sections that move, the pieces of the file they are copied from, and where they end."""
    offsets: dict[int, int] = {}
    pieces: list[Piece] = []
    at = table.loaded
    for number in sorted(kept, key=lambda number: table.rows[number].offset):
        row = table.rows[number]
        if row.type in (SHT_NULL, SHT_NOBITS):
            offsets[number] = min(row.offset, table.loaded)
        if row.type in (SHT_NULL, SHT_NOBITS) or row.offset < table.loaded:
            continue
        at = _aligned(at, max(1, min(row.align, _MOST_ALIGN)))
        offsets[number] = at
        pieces.append(Piece(at, row.size, start=row.offset))
        at += row.size
    return offsets, pieces, at


def _moved(row: _Row, offset: int | None, new_index: dict[int, int]) -> _Row:
    """The header with the new offset of its section, and the new indexes of those it names."""
    names_section = row.type in (SHT_REL, SHT_RELA) or row.flags & SHF_INFO_LINK
    return row._replace(
        offset=row.offset if offset is None else offset,
        link=new_index.get(row.link, 0),
        info=new_index.get(row.info, 0) if names_section else row.info,
    )


def _head(table: _Table, at: int, count: int, names_index: int) -> bytes:
    """The ELF header, with the new place of the section headers."""
    where, word, sizes = _AT[table.bits]
    head = bytearray(table.head)
    struct.pack_into(table.order + word, head, where, at)
    struct.pack_into(f"{table.order}HH", head, sizes + 2, count, names_index)
    return bytes(head)


def _read(content: Content, info: ElfInfo) -> _Table | None:
    """The section headers, if there are any and they can be true."""
    with content.open() as reader:
        window = Window(reader, content.size, content.where)
        header = read_header(window)
        layout = header.layout
        order, bits = ">" if layout.big_endian else "<", layout.bits
        _, _, sizes = _AT[bits]
        form = struct.Struct(order + _ROWS[bits])
        size, count, names_index = struct.unpack_from(f"{order}3H", window.head.ljust(sizes + 6, b"\0"), sizes)
        end = header.shoff + size * count
        if header.shoff == 0 or size != form.size or not 0 < count <= MAX_SECTIONS or end > window.size:
            return None
        rows = tuple(map(_Row._make, form.iter_unpack(window.peek(header.shoff, size * count))))
        if len(rows) != count or not 0 < names_index < count or any(row.end > window.size for row in rows):
            return None
        names = window.peek(rows[names_index].offset, min(rows[names_index].size, MAX_NAMES))
        allocated = (row.end for row in rows if row.flags & SHF_ALLOC)
        headers_end = header.phoff + header.phentsize * len(info.segments)
        loaded = max(info.end, headers_end, sizes + 6, *allocated)
        spans = [(row.offset, row.end) for row in rows if row.end > loaded] + [(header.shoff, end)]
        has_gap = _has_gap(window, spans, loaded)
    symbols = frozenset(_symbols(rows, names_index))
    debug = frozenset(n for n, row in enumerate(rows) if not row.flags & SHF_ALLOC and _is_debug(names, row)) - symbols
    all_end = max(loaded, *(stop for _, stop in spans))
    head = window.head[: sizes + 6]
    return _Table(order, bits, head, rows, names_index, symbols, debug, loaded, all_end, has_gap)


def _symbols(rows: Sequence[_Row], names_index: int) -> Iterator[int]:
    """The symbol tables that are not loaded, what belongs to them, and the names that nothing else has."""
    tables = {n for n, row in enumerate(rows) if row.type == SHT_SYMTAB and not row.flags & SHF_ALLOC}
    yield from tables
    strings = {rows[n].link for n in tables} - {row.link for n, row in enumerate(rows) if n not in tables}
    for number, row in enumerate(rows):
        if row.flags & SHF_ALLOC or number in tables:
            continue
        belongs = row.type in (SHT_SYMTAB_SHNDX, SHT_REL, SHT_RELA) and row.link in tables
        if belongs or (row.type == SHT_STRTAB and number in strings and number != names_index):
            yield number


def _is_debug(names: bytes, row: _Row) -> bool:
    name = names[row.name : row.name + 64].partition(b"\0")[0].decode("latin-1")
    return name.startswith(_DEBUG) or name == _MINI_DEBUG


def _has_gap(window: Window, spans: Sequence[tuple[int, int]], start: int) -> bool:
    """Whether there are bytes behind `start` that are neither a section's nor padding, which is zeros."""
    at = start
    for begin, end in sorted(spans):
        if begin - at > _MOST_PADDING or window.peek(at, max(0, begin - at)).strip(b"\0"):
            return True
        at = max(at, end)
    return False


def _aligned(offset: int, align: int) -> int:
    return (offset + align - 1) // align * align
