"""Reading and writing ld.so.cache, in the format glibc has had since 2.2 (sysdeps/generic/dl-cache.h)."""

from __future__ import annotations

import struct
from functools import cmp_to_key
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.target import Target

MAGIC = b"glibc-ld.so.cache1.1"
OLD_MAGIC = b"ld.so-1.7.0"
HEADER_SIZE, ENTRY_SIZE, OLD_HEADER_SIZE, OLD_ENTRY_SIZE = 48, 24, 16, 12
#: Entries with any of these bits in `hwcap` are for better CPUs than the baseline.
BASELINE_HWCAP = 0
MAX_CACHE = 64 << 20

#: What `flags` of a target's entries must be (_DL_CACHE_DEFAULT_ID of each sysdeps/*/dl-cache.h).
_FLAGS = {
    "x86_64": 0x303,
    "x32": 0x803,
    "aarch64": 0xA03,
    "armhf": 0x903,
    "armel": 0xB03,
    "s390x": 0x403,
    "ppc64": 0x503,
    "ppc64le": 0x503,
    "sparc64": 0x103,
    "mipsn32": 0x603,
    "mipsn32el": 0x603,
    "mips64": 0x703,
    "mips64el": 0x703,
    "riscv64": 0x1003,
    "riscv64sf": 0xF03,
    "loongarch64": 0x1203,
    "loongarch64sf": 0x1103,
}
_OTHER_FLAGS = 0x3


class CacheEntry(NamedTuple):
    """A soname and the path it is at."""

    soname: str
    path: str


def cache_flags(target: Target) -> int:
    """What marks the entries of `target`'s libraries."""
    return _FLAGS.get(target.name, _OTHER_FLAGS)


def parse_cache(data: bytes, target: Target) -> dict[str, str]:
    """The path for each soname of `target`, as the loader would take it on a CPU with nothing but the baseline.

    A damaged cache is an empty one, as for the loader, which then goes on to the system directories.
    """
    start = _new_part(data)
    order = ">" if target.big_endian else "<"
    if start is None or len(data) < start + HEADER_SIZE:
        return {}
    count = struct.unpack_from(order + "I", data, start + len(MAGIC))[0]
    table = data[start + HEADER_SIZE : start + HEADER_SIZE + count * ENTRY_SIZE]
    if len(table) != count * ENTRY_SIZE:
        return {}
    wanted = cache_flags(target)
    found: dict[str, str] = {}
    for flags, key, value, _, hwcap in struct.iter_unpack(order + "iIIIQ", table):
        if flags == wanted and hwcap == BASELINE_HWCAP:
            soname, path = _text(data, start + key), _text(data, start + value)
            if soname and path:
                found.setdefault(soname, path)
    return found


def build_cache(entries: Sequence[CacheEntry], target: Target) -> bytes:
    """A cache with just `entries`, in the order the loader's binary search expects (glibc elf/cache.c, compare)."""
    order = ">" if target.big_endian else "<"
    by_name = cmp_to_key(compare_names)
    rows = sorted(entries, key=lambda entry: by_name(entry.soname), reverse=True)
    strings = bytearray()
    table = bytearray()
    at = HEADER_SIZE + ENTRY_SIZE * len(rows)
    for soname, path in rows:
        places = []
        for text in (soname, path):
            places.append(at + len(strings))
            strings += text.encode("utf-8", "surrogateescape") + b"\0"
        table += struct.pack(order + "iIIIQ", cache_flags(target), *places, 0, 0)
    endianness = 3 if target.big_endian else 2
    header = MAGIC + struct.pack(order + "IIB3xI12x", len(rows), len(strings), endianness, 0)
    return header + bytes(table) + bytes(strings)


def compare_names(left: str, right: str) -> int:
    """Below, equal to or above 0 as `left` sorts; digits as numbers (glibc elf/dl-cache.c, _dl_cache_libcmp)."""
    a, b = left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    i = j = 0
    while i < len(a):
        digit_a, digit_b = a[i : i + 1].isdigit(), b[j : j + 1].isdigit()
        if digit_a and digit_b:
            number_a, i = _number(a, i)
            number_b, j = _number(b, j)
            if number_a != number_b:
                return number_a - number_b
        elif digit_a != digit_b:
            return 1 if digit_a else -1
        else:
            other = b[j] if j < len(b) else 0
            if a[i] != other:
                return a[i] - other
            i, j = i + 1, j + 1
    return -(b[j] if j < len(b) else 0)


def _number(text: bytes, at: int) -> tuple[int, int]:
    end = at
    while text[end : end + 1].isdigit():
        end += 1
    return int(text[at:end]), end


def _new_part(data: bytes) -> int | None:
    """Where the new format starts: at once, or aligned behind the old one's entries."""
    if data.startswith(MAGIC):
        return 0
    if not data.startswith(OLD_MAGIC) or len(data) < OLD_HEADER_SIZE:
        return None
    for order in "<>":
        count = int(struct.unpack_from(order + "I", data, 12)[0])
        at = -(-(OLD_HEADER_SIZE + count * OLD_ENTRY_SIZE) // 8) * 8
        if data[at : at + len(MAGIC)] == MAGIC:
            return at
    return None


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at, at + 4096)
    return data[at:end].decode("utf-8", "surrogateescape") if end > 0 else ""
