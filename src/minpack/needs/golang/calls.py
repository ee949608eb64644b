"""Who calls a function of a Go program, read from the machine code.

Only direct calls are seen: what is called through an interface or a function value has no callers here.
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.binary import LIMIT, PIECE
from minpack.needs.golang.code import EM_X86_64, X86_CALL_SIZE, calls_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minpack.needs.binary import Binary
    from minpack.needs.golang.code import Code

#: The most functions gone through, and callers told, for one function; and the most functions from one to the other.
MAX_VISITED = 20_000
MAX_CALLERS = 5
MAX_WAY = 100
#: The size of an instruction of arm64.
WORD = 4


class Site(NamedTuple):
    """A call: the distance of the instruction from the code's start."""

    at: int
    target: int


def calls_of(binary: Binary, code: Code, targets: frozenset[int]) -> Iterator[Site]:
    """All direct calls of `targets`, which are entries' distances, but those of a function to itself.

    Those of the program's own packages come early, as they lie last: who asks for one that is special soon has it.
    One on the border of two pieces may come twice. Jumps count, as compilers end a function with one; a function's
    jump to its own start grows its stack.
    """
    if binary.header.machine == EM_X86_64:
        found = _x86_calls(binary, code, targets)
    else:
        found = (
            Site(at, target)
            for first, data, size in _last_code_first(binary, code)
            for at, target in calls_in(binary.header.machine, data, size, first)
            if target in targets
        )
    return (site for site in found if code.entries[code.function_at(site.at)] != site.target)


def _code_pieces(binary: Binary, code: Code) -> Iterator[tuple[int, bytearray, int]]:
    for offset, data, size in binary.pieces([(code.start, code.start + code.size)], 4):
        yield offset - code.start, data, size


def _last_code_first(binary: Binary, code: Code) -> Iterator[tuple[int, bytearray, int]]:
    end = code.start + code.size
    # Pieces begin at instructions of arm64, and have those of x86-64 whole that lie on their border.
    starts = range(code.start, end, PIECE - 2 * WORD)
    for offset, data, size in binary.pieces((at, min(end, at + PIECE)) for at in reversed(starts)):
        yield offset - code.start, data, size


def _x86_calls(binary: Binary, code: Code, targets: frozenset[int]) -> Iterator[Site]:
    """Calls of a few functions, many times faster than looking at all calls.

    In every 64 KiB of code, counted from the target, the upper half of the distance to it is the same.
    """
    for first, data, size in _last_code_first(binary, code):
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
    todo = deque((target, 1) for target in before)
    ways: list[tuple[int, ...]] = []
    while todo and len(before) < MAX_VISITED and len(ways) < MAX_CALLERS:
        here, depth = todo.popleft()
        if is_own(name(here)):
            way = [here]
            while (after := before[way[-1]]) is not None:
                way.append(after)
            ways.append(tuple(way))
            continue
        sites = graph.callers.get(here, ()) if depth < MAX_WAY else ()
        for caller in dict.fromkeys(code.function_at(at) for at in sites):
            if caller not in before:
                before[caller] = here
                todo.append((caller, depth + 1))
    return ways


def is_referenced(binary: Binary, address: int) -> bool:
    """Whether data has the address: a function that is kept in a variable may be called from anywhere.

    A position-independent program has it among its relocations, or, if those are packed (DT_RELR), in its data.
    """
    if address >= LIMIT:
        return False
    key = struct.pack("<Q", address)
    ranges = [*binary.segments(writable=False), *binary.segments(writable=True)]
    return next(binary.find(key, ranges, align=8), None) is not None
