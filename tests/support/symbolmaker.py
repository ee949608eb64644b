"""ELF files with symbols, versions and relocations made in memory, every table and tag of which can be falsified.

A file is one loaded segment at address 0, so that addresses are file offsets.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from support.elfmaker import (
    DT_HASH,
    DT_NEEDED,
    DT_NULL,
    DT_SONAME,
    DT_STRTAB,
    DT_SYMTAB,
    ET_DYN,
    MACHINES,
    PT_DYNAMIC,
    PT_INTERP,
    PT_LOAD,
    _Layout,
    _place,
    _Strings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_STRSZ, DT_REL, DT_RELSZ, DT_PLTREL, DT_JMPREL = 2, 7, 8, 10, 17, 18, 20, 23
DT_GNU_HASH, DT_VERSYM, DT_VERDEF, DT_VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE
GLOBAL_FUNC, WEAK_FUNC, LOCAL_SECTION = 0x12, 0x22, 0x03
#: By machine: a relocation that names a symbol, and the one for calls.
TYPES = {
    62: (6, 7),
    3: (6, 7),
    183: (1025, 1026),
    40: (21, 22),
    22: (10, 11),
    243: (2, 5),
    8: (3, 127),
    258: (2, 5),
    21: (38, 21),
}


class Symbol(NamedTuple):
    """A symbol; undefined with `section` 0. `version` is the index with the hidden bit."""

    name: str
    section: int = 1
    info: int = GLOBAL_FUNC
    other: int = 0
    value: int = 0x1000
    version: int = 1


class Need(NamedTuple):
    """A version needed of a file."""

    file: str
    version: str
    number: int
    flags: int = 0


class Version(NamedTuple):
    """A version that is defined."""

    name: str
    number: int
    flags: int = 0


class Linked(NamedTuple):
    """A file and where its chunks and the entries of its dynamic section lie."""

    data: bytes
    places: Mapping[str, int]
    sizes: Mapping[str, int]
    tags: Mapping[int, int]


def linked_elf(
    symbols: Sequence[Symbol] = (),
    *,
    machine: str = "x86_64",
    style: str = "gnu",
    relocations: Sequence[tuple[str, int]] = (),
    jumps: Sequence[tuple[str, int]] = (),
    needs: Sequence[Need] = (),
    versions: Sequence[Version] = (),
    soname: str | None = None,
    needed: Sequence[str] = (),
    interpreter: str | None = None,
    tags: Mapping[int, int | None] | None = None,
    chunks: Mapping[str, bytes] | None = None,
    tail: bytes = b"",
) -> Linked:
    """A library, or with an interpreter a program.

    :param symbols: undefined ones come first in the file, as the GNU hash table wants it.
    :param style: of the hash table: ``gnu``, ``sysv``, ``xhash`` (MIPS's) or empty.
    :param relocations: symbol and type of each, with addends where the machine has them.
    :param jumps: the same for the lazy table.
    :param tags: dynamic entries to add or replace, or to leave out where None.
    :param chunks: what to have in place of a chunk: ``symbols``, ``strings``, ``hash``, ``versym``, ``verneed``,
        ``verdef``, ``relocations``, ``jumps``.
    :param tail: bytes at the end of the segment.
    """
    layout = _Layout(MACHINES[machine])
    ordered = [Symbol("", 0, 0, 0, 0, 0), *sorted(symbols, key=lambda symbol: symbol.section != 0)]
    indexes = {symbol.name: index for index, symbol in enumerate(ordered)}
    strings = _Strings()
    entries = [(DT_NEEDED, strings.add(name)) for name in needed]
    entries += [(DT_SONAME, strings.add(soname))] if soname is not None else []
    made = {
        "interpreter": interpreter.encode() + b"\0" if interpreter is not None else b"",
        "symbols": b"".join(_symbol(layout, symbol, strings) for symbol in ordered),
        "hash": _HASHES[style](layout, ordered) if style else b"",
        "verneed": _verneed(layout, needs, strings),
        "verdef": _verdef(layout, versions, strings),
        "relocations": _relocations(layout, relocations, indexes),
        "jumps": _relocations(layout, jumps, indexes),
    }
    versioned = bool(needs or versions)
    made["versym"] = layout.pack("H" * len(ordered), *(s.version for s in ordered)) if versioned else b""
    made |= {"strings": bytes(strings.data), **(chunks or {}), "tail": tail}
    wanted = _tags(layout, {kind: bool(data) for kind, data in made.items()}, style)
    return _put_together(layout, made, entries, wanted, tags or {}, with_interpreter=interpreter is not None)


def _put_together(
    layout: _Layout,
    chunks: dict[str, bytes],
    entries: list[tuple[int, int]],
    wanted: list[tuple[int, str]],
    tags: Mapping[int, int | None],
    *,
    with_interpreter: bool,
) -> Linked:
    """Headers, the dynamic section, and behind it the chunks."""
    start = layout.header_size + layout.segment_size * (2 + with_interpreter)
    word = len(layout.pack("PP", 0, 0))
    names = dict.fromkeys([tag for tag, _ in wanted] + list(tags))
    count = len(entries) + sum(tags.get(tag, 0) is not None for tag in names) + 1
    places, end = _place(start + word * count, chunks)
    sizes = {kind: len(data) for kind, data in chunks.items()}
    numbers = {**places, **{f"size {kind}": size for kind, size in sizes.items()}}
    values = {tag: numbers[what] if what in numbers else int(what) for tag, what in wanted} | dict(tags)
    rows = entries + [(tag, value) for tag, value in values.items() if value is not None]
    dynamic = b"".join(layout.pack("PP", tag, value) for tag, value in (*rows, (DT_NULL, 0)))
    table = [(PT_LOAD, 7, 0, end), (PT_DYNAMIC, 6, start, len(dynamic))]
    if with_interpreter:
        table.insert(0, (PT_INTERP, 4, places["interpreter"], sizes["interpreter"]))
    header = layout.header(ET_DYN, 0, layout.machine.flags, len(table), 0)
    segments = b"".join(layout.segment(type_, flags, at, at, size, 8) for type_, flags, at, size in table)
    out = bytearray(end)
    for at, piece in ((0, header + segments + dynamic), *((places[kind], chunks[kind]) for kind in chunks)):
        out[at : at + len(piece)] = piece
    return Linked(bytes(out), places, sizes, {tag: start + word * n for n, (tag, _) in enumerate(rows)})


def _tags(layout: _Layout, there: dict[str, bool], style: str) -> list[tuple[int, str]]:
    """The entries for the chunks that are there: the tag, and a chunk, ``size`` of one, or a number."""
    rela = layout.machine.bits == 64 and layout.machine.number != 8
    hash_tag = {"gnu": DT_GNU_HASH, "sysv": DT_HASH, "xhash": 0x70000036}.get(style, 0)
    rows = [(DT_STRTAB, "strings"), (DT_STRSZ, "size strings"), (DT_SYMTAB, "symbols")]
    rows += [(hash_tag, "hash")] if style else []
    for tag, kind in ((DT_VERSYM, "versym"), (DT_VERNEED, "verneed"), (DT_VERDEF, "verdef")):
        rows += [(tag, kind)] if there[kind] else []
    if there["relocations"]:
        rows += [(DT_RELA if rela else DT_REL, "relocations"), (DT_RELASZ if rela else DT_RELSZ, "size relocations")]
    if there["jumps"]:
        rows += [(DT_JMPREL, "jumps"), (DT_PLTRELSZ, "size jumps"), (DT_PLTREL, str(DT_RELA if rela else DT_REL))]
    return rows


def _symbol(layout: _Layout, symbol: Symbol, strings: _Strings) -> bytes:
    name = strings.add(symbol.name) if symbol.name else 0
    if layout.machine.bits == 64:
        return layout.pack("IBBHQQ", name, symbol.info, symbol.other, symbol.section, symbol.value, 0)
    return layout.pack("IIIBBH", name, symbol.value, 0, symbol.info, symbol.other, symbol.section)


def _gnu_hash(layout: _Layout, symbols: Sequence[Symbol]) -> bytes:
    """One bucket, whose chain has all that is defined, and a filter that lets all through."""
    first = next((n for n, symbol in enumerate(symbols) if symbol.section), len(symbols))
    hashes = [gnu_hash(symbol.name) & ~1 for symbol in symbols[first:]]
    if not hashes:
        return layout.pack("IIIIPI", 1, len(symbols), 1, 0, 0, 0)
    hashes[-1] |= 1
    head = layout.pack("IIIIPI", 1, first, 1, 0, (1 << layout.machine.bits) - 1, first)
    return head + layout.pack("I" * len(hashes), *hashes)


def _mips_hash(layout: _Layout, symbols: Sequence[Symbol]) -> bytes:
    """The same with the symbols' indexes behind it; DT_MIPS_SYMTABNO must be their number."""
    table = _gnu_hash(layout, symbols)
    first = struct.unpack_from(layout.machine.order + "I", table, 4)[0]
    return table + layout.pack("I" * (len(symbols) - first), *range(first, len(symbols)))


def _sysv_hash(layout: _Layout, symbols: Sequence[Symbol]) -> bytes:
    """One bucket, whose chain has every symbol."""
    word = "Q" if layout.machine.number == 22 and layout.machine.bits == 64 else "I"
    count = len(symbols)
    chain = [0, *range(2, count), 0] if count > 1 else [0]
    return layout.pack(word * (3 + count), 1, count, min(1, count - 1), *chain)


_HASHES = {"gnu": _gnu_hash, "sysv": _sysv_hash, "xhash": _mips_hash}


def gnu_hash(name: str) -> int:
    """The hash of a name in the GNU hash table."""
    value = 5381
    for byte in name.encode():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def _verneed(layout: _Layout, needs: Sequence[Need], strings: _Strings) -> bytes:
    """One record with one version for each need."""
    out = b""
    for number, need in enumerate(needs):
        following = 32 if number < len(needs) - 1 else 0
        out += layout.pack("HHIII", 1, 1, strings.add(need.file), 16, following)
        out += layout.pack("IHHII", 0, need.flags, need.number, strings.add(need.version), 0)
    return out


def _verdef(layout: _Layout, versions: Sequence[Version], strings: _Strings) -> bytes:
    out = b""
    for number, version in enumerate(versions):
        following = 28 if number < len(versions) - 1 else 0
        out += layout.pack("HHHHIII", 1, version.flags, version.number, 1, 0, 20, following)
        out += layout.pack("II", strings.add(version.name), 0)
    return out


def _relocations(layout: _Layout, relocations: Sequence[tuple[str, int]], indexes: Mapping[str, int]) -> bytes:
    out = b""
    for name, type_ in relocations:
        index = indexes[name] if name else 0
        if layout.machine.bits == 32:
            out += layout.pack("II", 0x1000, index << 8 | type_)
        elif layout.machine.number == 8:
            # A 32-bit symbol, a byte for a special one, and three types, the first last.
            out += layout.pack("QIBBBB", 0x1000, index, 0, 0, 18, type_)
        else:
            out += layout.pack("QQQ", 0x1000, index << 32 | type_, 0)
    return out
