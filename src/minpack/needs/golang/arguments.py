"""The constant text that a function of a Go program is called with, read from the machine code before the call.

A text is an address and a length, in the first two registers of Go's ABI (`cmd/compile/abi-internal.md`). It counts
only if all instructions from where the first of the two is set up to the call are known not to change them, and if no
jump of the function leads in between: else there may be another text.
"""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.golang.code import EM_X86_64
from minpack.needs.golang.x86 import jump_targets

if TYPE_CHECKING:
    from minpack.needs.binary import Binary
    from minpack.needs.golang.calls import Site
    from minpack.needs.golang.code import Code

#: How far before a call its arguments are looked for.
ARGUMENTS = 64
MAX_TEXT = 200
#: How much code is read for jumps, which takes a millisecond for three kilobytes; and of how many functions at once
#: they are remembered.
MAX_CODE, MAX_KEPT = 1 << 20, 64


class Arguments:
    """Reads the arguments of calls in one program, each function's jumps once."""

    def __init__(self, binary: Binary, code: Code) -> None:
        self._binary, self._code = binary, code
        self._is_x86 = binary.header.machine == EM_X86_64
        self._left = MAX_CODE
        self._jumps: dict[int, frozenset[int] | None] = {}

    def text(self, site: Site) -> str | None:
        """The constant text that is the first argument of a call, or None if that is not constant."""
        index = self._code.function_at(site.at)
        start = self._code.entries[index]
        near = max(start, site.at - ARGUMENTS)
        before = self._binary.window.peek(self._code.start + near, site.at - near)
        found = (_x86_text if self._is_x86 else _arm_text)(before, self._code.base + site.at)
        text = _text_at(self._binary, found.address, found.length) if found is not None else None
        if found is None or text is None:
            return None
        jumps = self._jumps_of(index)
        if jumps is None or not jumps.isdisjoint(site.at - start - distance for distance in found.between):
            return None
        return text

    def _jumps_of(self, index: int) -> frozenset[int] | None:
        """Where the jumps of a function lead, None if that cannot be told or enough code was read."""
        if index not in self._jumps:
            start, end = self._code.entries[index], self._code.entries[index + 1]
            self._left -= end - start
            body = self._binary.window.peek(self._code.start + start, end - start) if self._left >= 0 else None
            if len(self._jumps) >= MAX_KEPT:
                self._jumps.clear()
            read = jump_targets if self._is_x86 else _arm_jumps
            self._jumps[index] = read(body) if body is not None else None
        return self._jumps[index]


class _Found(NamedTuple):
    """Where a text is, and how far before the call each instruction begins that is behind the one that sets up first.

    The call itself is among them, with 0.
    """

    address: int
    length: int
    between: tuple[int, ...]


#: ``lea rax, [rip+distance]``; ``mov ebx, length``.
_ADDRESS, _LENGTH = rb"\x48\x8d\x05(?P<address>....)", rb"(?<!\x41)\xbb(?P<length>....)"
#: ModRM bytes of ``mov`` into rcx, rdx, rsi or rdi from a register.
_MOVED = re.escape(bytes(code for code in range(0xC0, 0x100) if code & 7 in (1, 2, 6, 7)))
#: Instructions that change neither: to do nothing, as compilers align code; to set up other arguments from constants,
#: the stack and each other; and to store registers on the stack.
_OTHER = rb"|".join(
    (
        rb"\x66?\x90|\x0f\x1f(?:\x00|\x40.|\x44..|\x80....|\x84.....)|\x66\x0f\x1f(?:\x44..|\x84.....)",
        rb"[\xb9\xba\xbe\xbf]....|\x41[\xb8-\xbf]....|\x31[\xc9\xd2\xf6\xff]|\x45\x31[\xc0\xc9\xd2\xdb]",
        rb"\x48\x8d[\x0d\x15\x35\x3d]....|\x4c\x8d[\x05\x0d\x15\x1d]....",
        rb"\x48\x8d[\x4c\x54\x74\x7c]\x24.|\x48\x8d[\x8c\x94\xb4\xbc]\x24....",
        rb"\x48\x8b[\x4c\x54\x74\x7c]\x24.|\x48\x8b[\x8c\x94\xb4\xbc]\x24....",
        rb"[\x48\x4c]\x89[\x44\x4c\x54\x5c\x6c\x74\x7c]\x24.|[\x48\x4c]\x89[\x84\x8c\x94\x9c\xac\xb4\xbc]\x24....",
        rb"[\x44\x48\x4c]?\x89[%s]|[\x41\x45\x49\x4d]\x89[\xc0-\xff]" % _MOVED,
    )
)


@cache
def _x86_patterns() -> tuple[tuple[re.Pattern[bytes], ...], re.Pattern[bytes]]:
    """What there is before a call with a text, in either order, and one instruction of it."""
    orders = ((_ADDRESS, _LENGTH), (_LENGTH, _ADDRESS))
    wholes = (rb"(?s:%s(?:%s)*%s(?:%s)*\Z)" % (first, _OTHER, second, _OTHER) for first, second in orders)
    return tuple(map(re.compile, wholes)), re.compile(rb"(?s:%s|%s|%s)" % (_ADDRESS, _LENGTH, _OTHER))


def _x86_text(before: bytes, end: int) -> _Found | None:
    """The text, by the code before the address `end`, that of the call."""
    if b"\x48\x8d\x05" not in before or b"\xbb" not in before:
        # Patterns take longer to compile than most searches do.
        return None
    wholes, one = _x86_patterns()
    for pattern in wholes:
        match = pattern.search(before)
        if match is not None:
            (distance,) = struct.unpack("<i", match["address"])
            (length,) = struct.unpack("<I", match["length"])
            after = end - len(before) + match.end("address")
            between = tuple(len(before) - step.end() for step in one.finditer(before, match.start()))
            return _Found(after + distance, length, between)
    return None


def _arm_text(before: bytes, end: int) -> _Found | None:
    """As `_x86_text`: ``adrp`` and ``add`` into x0, ``movz`` or ``orr`` of an immediate into x1 (Arm ARM, C6.2)."""
    pages: dict[int, tuple[int, int]] = {}
    set_up: dict[int, tuple[int, int]] = {}
    # Only a table that lies has a function that begins within an instruction.
    before = before[len(before) & 3 :]
    at = end - len(before)
    for (word,) in struct.iter_unpack("<I", before):
        page = pages.get(word >> 5 & 31)
        value = _arm_value(word, page[0] if page is not None else None)
        # mov xN, xM: from where that was set up on, all counts.
        made = set_up.get(word >> 16 & 31) if word & 0xFFE0FFE0 == 0xAA0003E0 else None  # noqa: PLR2004
        for register in _arm_written(word):
            pages.pop(register, None)
            set_up.pop(register, None)
        if word & 0x9F000000 == 0x90000000:  # noqa: PLR2004 - adrp
            distance = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            distance -= (distance & 0x100000) << 1
            pages[word & 31] = ((at & ~0xFFF) + (distance << 12), at)
        elif value is not None:
            is_add = word >> 22 == 0x244  # noqa: PLR2004 - which goes on from adrp
            set_up[word & 31] = (value, page[1] if is_add and page is not None else at)
        elif made is not None:
            set_up[word & 31] = made
        elif word >> 26 in (0x25, 0x05) or word >> 25 == 0x6B:  # noqa: PLR2004 - bl, b; br, blr, ret
            pages.clear()
            set_up.clear()
        at += 4
    if 0 not in set_up or 1 not in set_up:
        return None
    (address, first), (length, second) = set_up[0], set_up[1]
    return _Found(address, length, tuple(range(0, end - min(first, second), 4)))


def _arm_written(word: int) -> tuple[int, ...]:
    """The registers that an instruction may change: of those not known, the one that is where results are named."""
    first, base, second = word & 31, word >> 5 & 31, word >> 10 & 31
    if word & 0x3A400000 == 0x28000000:  # noqa: PLR2004 - stp, which may move its base
        return (base,)
    is_atomic = word & 0x01200C00 == 0x00200000  # noqa: PLR2004 - ldadd, swp and the like, which load
    if word & 0x3AC00000 == 0x38000000 and not is_atomic:  # noqa: PLR2004 - str
        return (base,)
    if word & 0x3A400000 == 0x28400000:  # noqa: PLR2004 - ldp
        return first, second, base
    return first, base if word & 0x3B200C00 in (0x38000400, 0x38000C00) else first  # ldr with a new base


def _arm_value(word: int, page: int | None) -> int | None:
    """What an instruction sets its register to, if that is a constant.

    :param page: what ``adrp`` set its operand to.
    """
    if word & 0xFFC00000 == 0x91000000 and page is not None:  # noqa: PLR2004 - add xN, xM, imm
        return page + (word >> 10 & 0xFFF)
    if word & 0x7FE00000 == 0x52800000:  # noqa: PLR2004 - movz wN or xN, imm
        return word >> 5 & 0xFFFF
    if word & 0xFFC003E0 == 0xB24003E0:  # noqa: PLR2004 - orr xN, xzr, imm: here a run of ones
        ones, turned = word >> 10 & 63, word >> 16 & 63
        return ((1 << ones + 1) - 1) << (64 - turned & 63)
    return None


def _arm_jumps(body: bytes) -> frozenset[int]:
    """Where branches of a function lead to."""
    found = []
    for index, (word,) in enumerate(struct.iter_unpack("<I", body[: len(body) & ~3])):
        if word >> 26 == 5:  # noqa: PLR2004 - b
            bits, distance = 26, word
        elif word >> 24 == 0x54 or word >> 25 & 0x3F == 0x1A:  # noqa: PLR2004 - b.cond; cbz, cbnz
            bits, distance = 19, word >> 5
        elif word >> 25 & 0x3F == 0x1B:  # noqa: PLR2004 - tbz, tbnz
            bits, distance = 14, word >> 5
        else:
            continue
        distance &= (1 << bits) - 1
        distance -= (distance >> bits - 1) << bits
        found.append(4 * (index + distance))
    return frozenset(found)


def _text_at(binary: Binary, address: int, length: int) -> str | None:
    offset = binary.offset_of(address)
    if offset is None or not 0 < length <= MAX_TEXT:
        return None
    data = binary.window.peek(offset, length)
    return data.decode("ascii") if len(data) == length and re.fullmatch(rb"[ -~]+", data) else None
