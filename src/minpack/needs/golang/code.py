"""Where a Go program's machine code lies, and which function each part of it is.

The table of functions has their entries as distances from the start of the code, which itself is said in up to four
places, some of them wrong for some ways of linking. So each is tried, and the first counts by which calls in the code
lead to functions' entries. Formats: as in `functions`; x86-64 and arm64, Go 1.18 and newer.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from itertools import islice
from operator import le
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.golang.functions import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.needs.binary import Binary
    from minpack.needs.golang.functions import FunctionTable

EM_X86_64, EM_AARCH64 = 62, 183
PIECE = 1 << 20
#: ``call`` and ``jmp`` with a distance of less than 48 MiB, which the code of no program exceeds.
X86_CALL = re.compile(rb"[\xe8\xe9](?=[\s\S]{3}[\x00-\x02\xfd-\xff])")
X86_CALL_SIZE = 5
#: The last byte of ``bl`` and ``b`` (Arm ARM, C6.2, "BL" and "B").
ARM_CALL = re.compile(rb"[\x14-\x17\x94-\x97]")
#: A sample of this many bytes of code has some hundred calls; at least so many of them must lead to entries.
SAMPLE = 1 << 16
ENOUGH = 8
#: The most addresses that are tried, and places looked at for the runtime's moduledata, of which there is one.
MAX_BASES = 16
MAX_MODULES = 64
#: The most bytes that look like a function's record and are none; see `entries_of`. Programs have some hundred.
MAX_PLACES = 100_000
#: The bytes first read of a name.
SHORT = 512
#: Words of the runtime's moduledata that are looked through for the code's address.
MODULE_WORDS = 40
RELA = 24


class Code(NamedTuple):
    """The code begins at the address `base` and the file offset `start`.

    `entries` are the functions' distances from there, ascending; `records` where the table tells of each. The last
    entry is the end of the code.
    """

    base: int
    start: int
    entries: array[int]
    records: array[int]

    @property
    def size(self) -> int:
        """How many bytes of code there are."""
        return self.entries[-1]

    def function_at(self, distance: int) -> int:
        """The index of the function that the code at `distance` is part of."""
        return bisect_right(self.entries, distance) - 1

    def is_entry(self, distance: int) -> bool:
        """Whether a function begins there."""
        index = bisect_left(self.entries, distance)
        return index < len(self.records) and self.entries[index] == distance


def read_code(binary: Binary, table: FunctionTable) -> Code | None:
    """The program's code; None if it is for another machine, of an older Go, or where it lies cannot be told."""
    machine, wide = binary.header.machine, binary.word == "Q"
    if machine not in (EM_X86_64, EM_AARCH64) or not wide or binary.header.layout.big_endian:
        return None
    words: array[int] = array("I")
    data = binary.window.peek(table.records, 8 * table.functions + 4)
    if words.itemsize != 4 or len(data) != 8 * table.functions + 4:  # noqa: PLR2004 - as on all that Python runs on
        return None
    words.frombytes(data)
    if sys.byteorder == "big":
        words.byteswap()
    entries, records = words[0::2], words[1::2]
    if not all(map(le, entries, islice(entries, 1, None))):
        return None
    for base in dict.fromkeys(islice(_bases(binary, table, entries, records), MAX_BASES)):
        start = binary.offset_of(base)
        if start is None or start + entries[-1] > binary.info.size:
            continue
        code = Code(base, start, entries, records)
        if _leads_to_entries(binary, code):
            return code
    return None


def name_of(binary: Binary, table: FunctionTable, code: Code, index: int) -> str:
    """The name of the function at `index`, the first `MAX_NAME` bytes of it; empty if it cannot be read."""
    record = binary.window.peek(table.records + code.records[index], 8)
    if len(record) != 8:  # noqa: PLR2004 - entry and name
        return ""
    start, end = table.names
    (at,) = struct.unpack_from("<i", record, 4)
    if not 0 <= at < end - start:
        return ""
    name, nul, _ = binary.window.peek(start + at, min(SHORT, end - start - at)).partition(b"\0")
    if not nul:
        name = binary.window.peek(start + at, min(MAX_NAME, end - start - at)).partition(b"\0")[0]
    # Escaping byte by byte would take the square of their number.
    return name.decode("utf-8", "surrogateescape")


def entries_of(binary: Binary, table: FunctionTable, code: Code, names: dict[bytes, int]) -> dict[bytes, int]:
    """The index of the function of each of `names`, which have the offsets of their texts; none of those inlined."""
    wanted = {struct.pack("<i", at): name for name, at in names.items()}
    end = table.records + max(code.records, default=0) + 8
    found: dict[bytes, int] = {}
    left = MAX_PLACES
    for at, buffer, size in binary.pieces([(table.records, end)], 16):
        for word, name in wanted.items():
            place = buffer.find(word, 4, size) if name not in found else -1
            while place >= 0 and left > 0:
                left -= 1
                index = _record_at(code, at + place - 4 - table.records, buffer[place - 4 : place])
                if index is not None:
                    found[name] = index
                    break
                place = buffer.find(word, place + 1, size)
    return found


def _record_at(code: Code, offset: int, entry: bytearray) -> int | None:
    """The index of the function whose record begins at `offset` with `entry`, if one does."""
    (distance,) = struct.unpack("<I", entry)
    index = bisect_left(code.entries, distance)
    if index < len(code.records) and code.entries[index] == distance and code.records[index] == offset:
        return index
    return None


def _bases(binary: Binary, table: FunctionTable, entries: array[int], records: array[int]) -> Iterator[int]:
    """Addresses that the code may begin at."""
    section = binary.section(".text")
    if section is not None:
        yield section.address
    if table.text:
        yield table.text
    unplaced = Code(0, 0, entries, records)
    # Go's own linker starts programs at a function of the runtime that is among the last or first few.
    for index in (*range(min(64, table.functions)), *range(max(0, table.functions - 64), table.functions)):
        if name_of(binary, table, unplaced, index).startswith("_rt0_"):
            yield binary.info.entry - entries[index]
    yield from _told_by_module(binary, table)


def _told_by_module(binary: Binary, table: FunctionTable) -> Iterator[int]:
    """What the runtime's moduledata says, which begins with the address of the function table.

    It has the lowest and the end address of the code and then its start, which is the lowest (`runtime/symtab.go`).
    Of a position-independent program the words are addends of relocations.
    """
    address = binary.address_of(table.offset)
    if address is None:
        return
    key = struct.pack("<Q", address)
    for offset in islice(binary.find(key, binary.segments(writable=True), align=8), MAX_MODULES):
        words = binary.window.peek(offset, 8 * MODULE_WORDS)
        yield from _lowest_twice(struct.unpack(f"<{len(words) // 8}Q", words[: len(words) // 8 * 8]))
    section = binary.section(".rela.dyn", ".rela")
    if section is None:
        return
    for offset in islice(binary.find(key, [(section.offset, section.end)], align=8), MAX_MODULES):
        first = offset - 16
        if (first - section.offset) % RELA:
            continue
        data = binary.window.peek(first, min(RELA * MODULE_WORDS, section.end - first))
        rows = list(struct.iter_unpack("<QQQ", data[: len(data) // RELA * RELA]))
        by_word = {(where - rows[0][0]) // 8: addend for where, _, addend in rows}
        yield from _lowest_twice(tuple(by_word.get(index, 0) for index in range(MODULE_WORDS)))


def _lowest_twice(words: tuple[int, ...]) -> Iterator[int]:
    for low, high, start in zip(words, words[1:], words[2:], strict=False):
        if low == start and low and high > low:
            yield start


def _leads_to_entries(binary: Binary, code: Code) -> bool:
    """Whether calls in the middle of the code lead to entries of functions."""
    first = code.size // 2 & ~3
    sample = binary.window.peek(code.start + first, min(SAMPLE, code.size - first))
    within = [
        target for _, target in calls_in(binary.header.machine, sample, len(sample), first) if 0 <= target < code.size
    ]
    hits = sum(map(code.is_entry, within))
    return hits >= min(ENOUGH, code.size >> 10) and hits * 2 > len(within)


def calls_in(machine: int, data: bytes | bytearray, size: int, first: int) -> Iterator[tuple[int, int]]:
    """Where each call or jump of a piece of code is, and where it leads, both as distances from the code's start.

    :param first: the distance of the piece; of arm64 it is a multiple of four.
    """
    if machine == EM_X86_64:
        unpack = struct.Struct("<i").unpack_from
        for match in X86_CALL.finditer(data, 0, size):
            at = match.start()
            yield first + at, first + at + X86_CALL_SIZE + unpack(data, at + 1)[0]
        return
    words: array[int] = array("I")
    words.frombytes(data[: size // 4 * 4])
    if sys.byteorder == "big":
        words.byteswap()
    for match in ARM_CALL.finditer(bytes(data[3:size:4])):
        index = match.start()
        distance = words[index] & 0x3FFFFFF
        distance -= (distance & 0x2000000) << 1
        yield first + 4 * index, first + 4 * (index + distance)
