"""Strings of one file that a pattern matches, found in one pass with bounded memory."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from minpack.elf.dynamic import Dynamic
from minpack.elf.format import DT_STRTAB, PT_LOAD
from minpack.elf.segments import extent_at, read_header
from minpack.elf.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content, Reader
    from minpack.elf.info import ElfInfo, Segment

PF_X, PF_W = 1, 2
DT_STRSZ = 10
PIECE = 1 << 18
#: Longer strings are not found. Pieces overlap by more than two of them, so that one has each whole, its NULs included.
MAX_STRING = 1024
OVERLAP = 2 * MAX_STRING + 2
#: The most bytes looked through, and the most places looked at: beyond these, strings are not found.
MAX_BYTES = 512 << 20
MAX_PLACES = 20_000


def find_strings(content: Content, info: ElfInfo, mark: bytes, pattern: bytes) -> tuple[re.Match[bytes], ...]:
    """The distinct NUL-terminated strings in the data that `pattern` matches as a whole.

    Machine code is left out, where it is kept apart from data, and so is the dynamic string table. Strings are in the
    file's order; those longer than `MAX_STRING` are not found.

    :param mark: a pattern of what is in or behind each of the strings and in few others; it bounds the work.
    :raises InputError: the system could not read the file.
    :raises MalformedElfError: its dynamic section cannot be true.
    """
    found: dict[bytes, re.Match[bytes] | None] = {}
    marked, whole, left = re.compile(mark), re.compile(pattern), MAX_PLACES
    with content.open() as reader:
        for piece in _pieces(reader, _extents(reader, content, info)):
            for place in islice(marked.finditer(piece), left):
                left -= 1
                at = place.start()
                start = piece.rfind(b"\0", max(0, at - MAX_STRING), at) + 1
                end = piece.find(b"\0", at, at + MAX_STRING)
                # Cut out, as a match in the piece would keep all of it in memory.
                text = piece[start:end] if start and end >= 0 else b""
                if text not in found:
                    found[text] = whole.fullmatch(text)
    return tuple(match for match in found.values() if match is not None)


def _extents(reader: Reader, content: Content, info: ElfInfo) -> Iterator[tuple[int, int]]:
    """Start and end of the data in the file, without the dynamic string table.

    Linkers that do not keep code apart put read-only data into the executable segment (GNU ld, -z noseparate-code).
    """
    loaded = [segment for segment in info.segments if segment.type == PT_LOAD and segment.file_size]
    data = [segment for segment in loaded if not segment.flags & PF_X]
    apart = any(not segment.flags & PF_W for segment in data)
    hole = _string_table(reader, content, info)
    for segment in data if apart else loaded:
        yield from _without(segment, hole)


def _without(segment: Segment, hole: tuple[int, int]) -> Iterator[tuple[int, int]]:
    start, end = segment.offset, segment.offset + segment.file_size
    yield from ((a, b) for a, b in ((start, min(end, hole[0])), (max(start, hole[1]), end)) if a < b)


def _string_table(reader: Reader, content: Content, info: ElfInfo) -> tuple[int, int]:
    """Start and end of the dynamic string table, as far as DT_STRSZ says."""
    window = Window(reader, content.size, content.where)
    last = Dynamic(window, read_header(window), info.segments).last
    offset, room = extent_at(last.get(DT_STRTAB, 0), info.segments) or (0, 0)
    return offset, offset + min(room, last.get(DT_STRSZ, 0))


def _pieces(reader: Reader, extents: Iterator[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of the extents in overlapping pieces; a NUL stands before and behind each extent."""
    left = MAX_BYTES
    for start, end in extents:
        at = start
        while at < end and left > 0:
            size = min(PIECE, end - at)
            left -= size
            data = reader.read_at(at, size)
            yield (b"\0" if at == start else b"") + data + (b"\0" if at + size == end else b"")
            at = end if at + size == end else at + size - OVERLAP
