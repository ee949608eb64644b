"""Mutations that formats of numbers and offsets answer to, besides those of a fuzzer that knows bytes alone."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

#: Numbers at which mistakes are made.
EDGES: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    4,
    8,
    16,
    24,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
EDGES += (1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
WIDTHS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")


def mutated(data: bytes, longest: int, rng: Random) -> bytes:
    """`data` with one to four changes."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        _CHANGES[rng.randrange(len(_CHANGES))](out, rng)
    return bytes(out[:longest])


def _number(out: bytearray, rng: Random) -> None:
    """An edge, an offset, or a number near the one that is there, over an aligned one."""
    form = rng.choice(WIDTHS)
    size = struct.calcsize(form)
    if len(out) < size:
        return
    at = rng.randrange(0, len(out) - size + 1, 4 if size >= 4 and len(out) > size + 4 else 1)
    there = struct.unpack_from(form, out, at)[0]
    value = rng.choice(
        (rng.choice(EDGES), rng.randint(0, len(out)), there + rng.randint(-16, 16), there ^ 1 << rng.randrange(64))
    )
    struct.pack_into(form, out, at, value % (1 << 8 * size))


def _copy(out: bytearray, rng: Random) -> None:
    """A piece from elsewhere over another."""
    if len(out) < 16:
        return
    size = rng.choice((4, 8, 16, 24, 32))
    start, at = rng.randrange(len(out)), rng.randrange(len(out))
    piece = out[start : start + size]
    out[at : at + len(piece)] = piece


def _cut(out: bytearray, rng: Random) -> None:
    """The end taken away, a little or a lot."""
    if rng.random() < 0.3 and out:
        del out[rng.randrange(len(out)) :]


def _byte(out: bytearray, rng: Random) -> None:
    if out:
        out[rng.randrange(len(out))] = rng.randrange(256)


def _repeat(out: bytearray, rng: Random) -> None:
    """A piece many times, put in."""
    if rng.random() < 0.3 and out:
        start = rng.randrange(len(out))
        out[start:start] = out[start : start + rng.choice((1, 4, 16, 24))] * rng.randint(1, 64)


_CHANGES = (_number, _number, _number, _copy, _byte, _cut, _repeat)
