"""Who calls a function of a Go program, and with which constant texts, read from the machine code.

Only direct calls are seen: what is called through an interface or a function value has no callers here.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from minpack.needs.golang.code import EM_X86_64, X86_CALL, X86_CALL_SIZE, calls_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minpack.needs.binary import Binary
    from minpack.needs.golang.code import Code

#: How far before a call its arguments are looked for.
ARGUMENTS = 64
MAX_TEXT = 200
#: The most functions gone through, and callers told, for one function.
MAX_VISITED = 20_000
MAX_CALLERS = 5


class Site(NamedTuple):
    """A call: the distance of the instruction from the code's start."""

    at: int
    target: int


def calls_of(binary: Binary, code: Code, targets: frozenset[int]) -> Iterator[Site]:
    """All direct calls of `targets`, which are entries' distances, but those of a function to itself.

    One on the border of two pieces may come twice. Jumps count, as compilers end a function with one; a function's
    jump to its own start grows its stack.
    """
    if binary.header.machine == EM_X86_64:
        found = _x86_calls(binary, code, targets)
    else:
        found = (
            Site(at, target)
            for first, data, size in _code_pieces(binary, code)
            for at, target in calls_in(binary.header.machine, data, size, first)
            if target in targets
        )
    return (site for site in found if code.entries[code.function_at(site.at)] != site.target)


def _code_pieces(binary: Binary, code: Code) -> Iterator[tuple[int, bytearray, int]]:
    for offset, data, size in binary.pieces([(code.start, code.start + code.size)], 4):
        yield offset - code.start, data, size


def _x86_calls(binary: Binary, code: Code, targets: frozenset[int]) -> Iterator[Site]:
    """Calls of a few functions, many times faster than looking at all calls.

    In every 64 KiB of code, counted from the target, the upper half of the distance to it is the same.
    """
    for first, data, size in _code_pieces(binary, code):
        for target in sorted(targets):
            origin = target - first - X86_CALL_SIZE
            start = 0
            while start < size:
                high = (origin - start) >> 16
                end = min(size, origin - (high << 16) + 1)
                last = min(size, end + X86_CALL_SIZE - 1)
                yield from _x86_calls_within(data, first, (start, last), struct.pack("<H", high & 0xFFFF), target)
                start = end


def _x86_calls_within(data: bytearray, first: int, within: tuple[int, int], high: bytes, target: int) -> Iterator[Site]:
    start, end = within
    place = data.find(high, start + 3, end)
    while place >= 0:
        at = place - 3
        if data[at] in (0xE8, 0xE9) and place + 2 <= end:
            (distance,) = struct.unpack_from("<i", data, at + 1)
            if first + at + X86_CALL_SIZE + distance == target:
                yield Site(first + at, target)
        place = data.find(high, place + 1, end)


class CallGraph(NamedTuple):
    """By the index of each function that is called directly, the distances of the calls."""

    callers: dict[int, array[int]]


def read_graph(binary: Binary, code: Code) -> CallGraph:
    """All direct calls of the program. It takes about 30 ms for a megabyte of code."""
    index_of = {distance: index for index, distance in enumerate(code.entries[:-1])}
    get = index_of.get
    callers: dict[int, array[int]] = {}
    for first, data, size in _code_pieces(binary, code):
        for at, target in calls_in(binary.header.machine, data, size, first):
            index = get(target)
            if index is not None:
                callers.setdefault(index, array("I")).append(at)
    return CallGraph(callers)


def nearest_callers(
    graph: CallGraph, code: Code, targets: Iterable[int], name: Callable[[int], str], is_own: Callable[[str], bool]
) -> list[tuple[int, ...]]:
    """The shortest ways from `targets` up to functions that `is_own` says are not Go's, each with its target last."""
    before: dict[int, int | None] = dict.fromkeys(targets)
    todo = deque(before)
    ways: list[tuple[int, ...]] = []
    while todo and len(before) < MAX_VISITED and len(ways) < MAX_CALLERS:
        here = todo.popleft()
        if is_own(name(here)):
            way = [here]
            while (after := before[way[-1]]) is not None:
                way.append(after)
            ways.append(tuple(way))
            continue
        sites = graph.callers.get(here, ())
        for caller in dict.fromkeys(code.function_at(at) for at in sites):
            if caller not in before:
                before[caller] = here
                todo.append(caller)
    return ways


def text_argument(binary: Binary, code: Code, site: Site) -> str | None:
    """The constant text that is the first argument of a call, or None if that is not constant."""
    return (_x86_text if binary.header.machine == EM_X86_64 else _arm_text)(binary, code, site)


def _before(binary: Binary, code: Code, at: int) -> bytes:
    start = max(code.entries[code.function_at(at)], at - ARGUMENTS)
    return binary.window.peek(code.start + start, at - start)


#: ``lea rax, [rip+distance]`` and ``mov ebx, length``: a text's address and length in the registers of Go's ABI
#: (`cmd/compile/abi-internal.md`), and ``xor ebx, ebx`` for an empty one.
_LEA_RAX, _MOV_EBX = b"\x48\x8d\x05", b"\xbb"


def _x86_text(binary: Binary, code: Code, site: Site) -> str | None:
    before = _before(binary, code, site.at)
    lea, mov = before.rfind(_LEA_RAX), before.rfind(_MOV_EBX)
    if lea < 0 or mov < 0 or lea + 7 > len(before) or mov + 5 > len(before):
        return None
    start = site.at - len(before)
    # A call in between may have changed both registers.
    for match in X86_CALL.finditer(before, min(lea, mov)):
        place = match.start()
        if place + X86_CALL_SIZE <= len(before):
            (distance,) = struct.unpack_from("<i", before, place + 1)
            if code.is_entry(start + place + X86_CALL_SIZE + distance):
                return None
    (distance,) = struct.unpack_from("<i", before, lea + 3)
    (length,) = struct.unpack_from("<I", before, mov + 1)
    return _text_at(binary, code.base + start + lea + 7 + distance, length)


def _arm_text(binary: Binary, code: Code, site: Site) -> str | None:
    """``adrp`` and ``add`` into x0, ``movz`` or ``orr`` of an immediate into x1 (Arm ARM, C6.2)."""
    before = _before(binary, code, site.at)
    start = code.base + site.at - len(before)
    pages: dict[int, int] = {}
    address = length = None
    for index, (word,) in enumerate(struct.iter_unpack("<I", before)):
        if word & 0x9F000000 == 0x90000000:  # noqa: PLR2004 - adrp
            distance = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            distance -= (distance & 0x100000) << 1
            pages[word & 31] = (start + 4 * index & ~0xFFF) + (distance << 12)
        elif word & 0xFFC00000 == 0x91000000 and word & 31 == 0:  # noqa: PLR2004 - add x0, xN, imm
            page = pages.get(word >> 5 & 31)
            address = page + (word >> 10 & 0xFFF) if page is not None else None
        elif word & 0x7FE0001F == 0x52800001:  # noqa: PLR2004 - movz w1 or x1, imm
            length = word >> 5 & 0xFFFF
        elif word & 0xFFC003FF == 0xB24003E1:  # noqa: PLR2004 - orr x1, xzr, imm: here a run of ones
            ones, turned = word >> 10 & 63, word >> 16 & 63
            length = ((1 << ones + 1) - 1) << (64 - turned & 63)
        elif word >> 26 in (0x25, 0x05):
            address = length = None
    return _text_at(binary, address, length) if address is not None and length is not None else None


def _text_at(binary: Binary, address: int, length: int) -> str | None:
    offset = binary.offset_of(address)
    if offset is None or not 0 < length <= MAX_TEXT:
        return None
    data = binary.window.peek(offset, length)
    return data.decode("ascii") if len(data) == length and re.fullmatch(rb"[ -~]+", data) else None


def is_referenced(binary: Binary, address: int) -> bool:
    """Whether data has the address: a function that is kept in a variable may be called from anywhere.

    A position-independent program has it among its relocations, or, if those are packed (DT_RELR), in its data.
    """
    key = struct.pack("<Q", address)
    ranges = [*binary.segments(writable=False), *binary.segments(writable=True)]
    return next(binary.find(key, ranges, align=8), None) is not None
