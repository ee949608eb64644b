"""The names of a Go program's functions, read from the table that its runtime needs for tracebacks.

It is there however the program was stripped. Format: Go's `internal/abi/symtab.go`, `runtime/symtab.go` and
`cmd/link/internal/ld/pcln.go`. The names are of all functions that were linked, and of those inlined into them.
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.golang.buildinfo import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.needs.binary import Binary

#: The first byte of the magic number, the others being ff ff ff 00 00, and how many words follow the first 8 bytes:
#: Go 1.20, 1.18, 1.16. Older tables have no table of names.
_MAGICS = {0xF1: 8, 0xF0: 8, 0xFA: 7}
HEADER = 8
#: The unit of addresses in code by machine, where it is not 4 (`cmd/internal/sys`, `MinLC`).
_QUANTA = {3: 1, 62: 1, 22: 2, 243: 2}
#: The largest programs seen have 300,000 functions, and names of 25 MB.
MAX_FUNCTIONS = 2_000_000
MAX_NAMES = 256 << 20
#: Of a longer name, which generic functions of generic functions may have, the beginning is read.
MAX_NAME = 4096
#: The most places of which each may be where a table begins.
MAX_CANDIDATES = 1000
PIECE = 1 << 18


class FunctionTable(NamedTuple):
    """Where the parts of the table lie, as file offsets; `text` is the header's own word for the code's address.

    `names` has start and end, `records` is where entries and records of functions begin, `functions` their number.
    """

    offset: int
    names: tuple[int, int]
    records: int
    functions: int
    text: int


def find_functions(binary: Binary) -> FunctionTable | None:
    """The table of a program that is known to be Go's; None if it has none that can be read."""
    section = binary.section(*TABLES)
    if section is not None:
        return _table_at(binary, section.offset)
    # Linked by an external linker as PIE it lies within .data.rel.ro up to Go 1.25.
    relocated = binary.section(".data.rel.ro")
    ranges = ((relocated.offset, relocated.end),) if relocated is not None else ()
    everywhere = (*binary.segments(writable=False), *binary.segments(writable=True))
    for offset in islice(_candidates(binary, ranges or everywhere), MAX_CANDIDATES):
        table = _table_at(binary, offset)
        if table is not None:
            return table
    return None


def _candidates(binary: Binary, ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    ranges = tuple(ranges)
    pointer = struct.calcsize(binary.order + binary.word)
    quantum = _QUANTA.get(binary.header.machine, 4)
    for first in _MAGICS:
        word = struct.pack(binary.order + "I", 0xFFFFFF00 | first)
        yield from binary.find(word + bytes((0, 0, quantum, pointer)), ranges, align=4)


def _table_at(binary: Binary, offset: int) -> FunctionTable | None:
    """The table whose header is at `offset`, if all it says can be true."""
    head = binary.window.peek(offset, HEADER + 8 * 8)
    if len(head) < HEADER + 8 * 8:
        return None
    (magic,) = struct.unpack_from(binary.order + "I", head)
    words = _MAGICS.get(magic & 0xFF) if magic >> 8 == 0xFFFFFF else None  # noqa: PLR2004 - see _MAGICS
    form = {4: "I", 8: "Q"}.get(head[7])
    if words is None or form is None or head[4] or head[5] or head[6] not in (1, 2, 4):
        return None
    values = struct.unpack_from(f"{binary.order}{words}{form}", head, HEADER)
    names, units, files, counters, records = values[-5:]
    count, text = values[0], values[2] if words == max(_MAGICS.values()) else 0
    room = binary.info.size - offset
    if not (0 < count < MAX_FUNCTIONS and HEADER < names < units <= files <= counters <= records < room):
        return None
    if units - names > MAX_NAMES:
        return None
    return FunctionTable(offset, (offset + names, offset + units), offset + records, count, text)


def named_functions(binary: Binary, table: FunctionTable, wanted: frozenset[bytes]) -> dict[bytes, int]:
    """Those of `wanted` that are in the program, each with the offset of its name in the table of names."""
    found: dict[bytes, int] = {}
    start, end = table.names
    for at, piece in _whole_names(binary, start, end):
        names = wanted.intersection(piece.split(b"\0"))
        for name in names:
            place = 0 if piece.startswith(name + b"\0") else piece.find(b"\0" + name + b"\0") + 1
            found.setdefault(name, at + place - start)
    return found


def _whole_names(binary: Binary, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The table in pieces that end with a name's NUL, with the offset of each; nothing behind a name without end."""
    at = start
    while at < end:
        piece = binary.window.peek(at, min(PIECE, end - at))
        stop = piece.rfind(b"\0") + 1
        if stop == 0:
            return
        yield at, piece[:stop]
        at += stop
