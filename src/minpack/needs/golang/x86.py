"""Where the instructions of a function of x86-64 begin, and where its jumps lead.

Only lengths are read: of what Go's compiler emits, which has no data among its code. Format: Intel SDM, volume 2,
chapter 2 and appendix A.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIXES = frozenset(b"\x66\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65")
_OPERAND_SIZE = 0x66


def _spread(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(code for first, last in ranges for code in range(first, last + 1))


_ALU = tuple((row, row + 3) for row in range(0, 0x40, 8))
#: One-byte opcodes with a ModRM byte, and those without one.
_MODRM = _spread(
    *_ALU, (0x63, 0x63), (0x69, 0x69), (0x6B, 0x6B), (0x80, 0x81), (0x83, 0x8F), (0xC0, 0xC1), (0xC6, 0xC7),
    (0xD0, 0xD3), (0xD8, 0xDF), (0xF6, 0xF7), (0xFE, 0xFF),
)  # fmt: skip
_PLAIN = _spread(
    *((row + 4, row + 5) for row in range(0, 0x40, 8)), (0x50, 0x5F), (0x68, 0x68), (0x6A, 0x6A), (0x70, 0x7F),
    (0x90, 0x99), (0x9B, 0x9F), (0xA4, 0xBF), (0xC3, 0xC3), (0xC9, 0xC9), (0xCC, 0xCD), (0xE0, 0xE3), (0xE8, 0xE9),
    (0xEB, 0xEB), (0xF4, 0xF5), (0xF8, 0xFD),
)  # fmt: skip
#: Immediates of one byte, and of four, or two with the prefix.
_IMM8 = _spread(
    *((row + 4, row + 4) for row in range(0, 0x40, 8)), (0x6A, 0x6B), (0x70, 0x7F), (0x80, 0x80), (0x83, 0x83),
    (0xA8, 0xA8), (0xB0, 0xB7), (0xC0, 0xC1), (0xC6, 0xC6), (0xCD, 0xCD), (0xE0, 0xE3), (0xEB, 0xEB),
)  # fmt: skip
_IMM32 = _spread(
    *((row + 5, row + 5) for row in range(0, 0x40, 8)), (0x68, 0x69), (0x81, 0x81), (0xA9, 0xA9), (0xC7, 0xC7)
)
#: The same behind 0f.
_PLAIN_0F = _spread((0x05, 0x09), (0x0B, 0x0B), (0x31, 0x31), (0x77, 0x77), (0xA2, 0xA2), (0xC8, 0xCF))
_IMM8_0F = _spread((0x70, 0x73), (0xA4, 0xA4), (0xAC, 0xAC), (0xBA, 0xBA), (0xC2, 0xC2), (0xC4, 0xC6))
_REL32 = frozenset((0xE8, 0xE9))
_REL8 = _spread((0x70, 0x7F), (0xEB, 0xEB), (0xE0, 0xE3))


def instructions(body: bytes) -> Iterator[tuple[int, int]]:
    """The offset of each instruction of a function, and where it jumps to, -1 if it does not.

    :raises ValueError: an instruction is not known, or the code ends within one.
    """
    at, size = 0, len(body)
    while at < size:
        start = at
        try:
            at, target = _one(body, at)
        except (IndexError, ValueError, struct.error) as error:
            raise ValueError(start) from error
        if at > size:
            raise ValueError(start)
        yield start, target


def _one(body: bytes, at: int) -> tuple[int, int]:
    """The end of the instruction at `at`, and where it jumps to."""
    is_short = False
    while body[at] in _PREFIXES:
        is_short = is_short or body[at] == _OPERAND_SIZE
        at += 1
    is_wide = False
    if 0x40 <= body[at] <= 0x4F:  # noqa: PLR2004 - REX
        is_wide = bool(body[at] & 8)
        at += 1
    code = body[at]
    at += 1
    if code == 0x0F:  # noqa: PLR2004 - the second map
        return _two(body, at)
    if code in (0xC4, 0xC5):
        return _vex(body, at, code), -1
    if code in _REL8:
        return at + 1, at + 1 + int.from_bytes(body[at : at + 1], "little", signed=True)
    if code in _REL32:
        (distance,) = struct.unpack_from("<i", body, at)
        return at + 4, at + 4 + distance if code == 0xE9 else -1  # noqa: PLR2004 - jmp
    if 0xB8 <= code <= 0xBF:  # noqa: PLR2004 - mov of an immediate into a register
        return at + (8 if is_wide else 2 if is_short else 4), -1
    operation = 0
    if code in _MODRM:
        operation = body[at] >> 3 & 7
        at = _operand(body, at)
    elif code not in _PLAIN:
        raise ValueError(code)
    if code in _IMM8 or (code == 0xF6 and operation < 2):  # noqa: PLR2004 - test
        at += 1
    elif code in _IMM32 or (code == 0xF7 and operation < 2):  # noqa: PLR2004 - test
        at += 2 if is_short else 4
    return at, -1


def _two(body: bytes, at: int) -> tuple[int, int]:
    """As `_one`, behind 0f."""
    code = body[at]
    at += 1
    if 0x80 <= code <= 0x8F:  # noqa: PLR2004 - jcc
        (distance,) = struct.unpack_from("<i", body, at)
        return at + 4, at + 4 + distance
    if code in (0x38, 0x3A):
        return _operand(body, at + 1) + (code == 0x3A), -1  # noqa: PLR2004 - its map has immediates
    if code in _PLAIN_0F:
        return at, -1
    return _operand(body, at) + (code in _IMM8_0F), -1


def _vex(body: bytes, at: int, first: int) -> int:
    """The end of an instruction with a VEX prefix."""
    which = body[at] & 31 if first == 0xC4 else 1  # noqa: PLR2004 - the longer one, which says its map
    at += 2 if first == 0xC4 else 1  # noqa: PLR2004 - as above
    code = body[at]
    if which == 1 and code == 0x77:  # noqa: PLR2004 - vzeroupper
        return at + 1
    return _operand(body, at + 1) + (which == 3 or (which == 1 and code in _IMM8_0F))  # noqa: PLR2004 - as 0f 3a


def _operand(body: bytes, at: int) -> int:
    """The end of a ModRM byte and what it brings."""
    mode, register = body[at] >> 6, body[at] & 7
    at += 1
    if mode == 3:  # noqa: PLR2004 - a register
        return at
    base = register
    if register == 4:  # noqa: PLR2004 - a SIB byte
        base = body[at] & 7
        at += 1
    if mode == 1:
        return at + 1
    return at + 4 if mode == 2 or base == 5 else at  # noqa: PLR2004 - no base, or the instruction pointer


def jump_targets(body: bytes) -> frozenset[int] | None:
    """Where the jumps of a function lead, None if that cannot be told."""
    try:
        return frozenset(target for _, target in instructions(body) if target != -1)
    except ValueError:
        return None
