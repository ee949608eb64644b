"""Reading and writing ld.so.cache, in the format glibc has had since 2.2 (glibc sysdeps/generic/dl-cache.h)."""

from __future__ import annotations

import re
import struct
from functools import cmp_to_key
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.target import Target

MAGIC = b"glibc-ld.so.cache1.1"
OLD_MAGIC = b"ld.so-1.7.0"
HEADER_SIZE, ENTRY_SIZE, OLD_HEADER_SIZE, OLD_ENTRY_SIZE = 48, 24, 16, 12
#: Entries with any bit in `hwcap` are for better CPUs than the baseline.
BASELINE_HWCAP = 0
#: Real ones have 50 to 100 bytes for each library.
MAX_CACHE = 16 << 20
MAX_TEXT = 4096
#: In the byte behind the counts: the order of all numbers; 0 in caches older than glibc 2.33.
ORDER_MASK, LITTLE, BIG = 3, 2, 3

#: What `flags` of a target's entries are (_DL_CACHE_DEFAULT_ID of each sysdeps/*/dl-cache.h).
_FLAGS = {
    "x86_64": 0x303,
    "x32": 0x803,
    "aarch64": 0xA03,
    "aarch64_be": 0xA03,
    "armhf": 0x903,
    "armebhf": 0x903,
    "armel": 0xB03,
    "armeb": 0xB03,
    "s390x": 0x403,
    "ppc64": 0x503,
    "ppc64v2": 0x503,
    "ppc64le": 0x503,
    "sparc64": 0x103,
    "ia64": 0x203,
    "mipsn32": 0x603,
    "mipsn32el": 0x603,
    "mips64": 0x703,
    "mips64el": 0x703,
    "riscv64": 0x1003,
    "riscv64sf": 0xF03,
    "riscv32": 0x1003,
    "riscv32sf": 0xF03,
    "loongarch64": 0x1203,
    "loongarch64sf": 0x1103,
}
_PLAIN, _OLDEST = 0x3, 0x1

_LEADING_ZEROS = rb"(?<![0-9])0+(?=[0-9])"


class CacheEntry(NamedTuple):
    """A soname and the path it is at."""

    soname: str
    path: str


class Cache:
    """What a loader on a CPU with nothing but the baseline finds by each name.

    :param places: by name, where its path lies in `data`.
    """

    def __init__(self, data: bytes, places: dict[bytes, int]) -> None:
        self._data = data
        self._places = places

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._places)

    def find(self, name: str) -> str | None:
        """The path for `name`; names that differ in leading zeros of numbers alone are one (_dl_cache_libcmp)."""
        place = self._places.get(_key(name.encode("utf-8", "surrogateescape")))
        return None if place is None else _text(self._data, place).decode("utf-8", "surrogateescape") or None


NO_CACHE = Cache(b"", {})


def cache_flags(target: Target) -> int:
    """What marks the entries of `target`'s libraries."""
    return _FLAGS.get(target.name, _PLAIN)


def parse_cache(data: bytes, target: Target) -> Cache:
    """The cache in `data`, as a loader for `target` reads it.

    Of the entries for one name the first with the target's own flags counts, and without one the last
    with others that its loader takes too (elf/dl-cache.c, search_cache).
    A damaged cache is an empty one, as for the loader, which then goes on to the system directories.
    """
    own = cache_flags(target)
    others = _other_flags(target, own)
    places: dict[bytes, int] = {}
    exact: set[bytes] = set()
    # Names are parts of paths, so that all together are shorter than the file, but for names that overlap.
    left = 2 * len(data)
    for flags, key, place in _rows(data, big_endian=target.big_endian):
        if flags != own and flags not in others:
            continue
        name = _key(_text(data, key))
        left -= len(name)
        if left < 0:
            return NO_CACHE
        if name not in exact:
            places[name] = place
            if flags == own:
                exact.add(name)
    return Cache(data, places)


def build_cache(entries: Iterable[CacheEntry], target: Target) -> bytes:
    """A cache with just `entries`, in the order the loader's binary search expects (elf/cache.c, compare)."""
    order = ">" if target.big_endian else "<"
    by_name = cmp_to_key(compare_names)
    rows = sorted(sorted(set(entries)), key=lambda entry: by_name(entry.soname), reverse=True)
    strings = bytearray()
    table = bytearray()
    at = HEADER_SIZE + ENTRY_SIZE * len(rows)
    for row in rows:
        places = []
        for text in row:
            places.append(at + len(strings))
            strings += text.encode("utf-8", "surrogateescape") + b"\0"
        table += struct.pack(order + "iIIIQ", cache_flags(target), *places, 0, BASELINE_HWCAP)
    header = struct.pack(order + "IIB3xI12x", len(rows), len(strings), BIG if target.big_endian else LITTLE, 0)
    return MAGIC + header + bytes(table) + bytes(strings)


def compare_names(left: str, right: str) -> int:
    """Below, equal to or above 0 as `left` sorts; digits as numbers (elf/dl-cache.c, _dl_cache_libcmp)."""
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


def _key(name: bytes) -> bytes:
    return re.sub(_LEADING_ZEROS, b"", name) if b"0" in name else name


def _other_flags(target: Target, own: int) -> tuple[int, ...]:
    """Further flags that count (_dl_cache_check_flags): plain ones on ARM, the oldest where plain ones are its own."""
    if target.name.startswith("arm"):
        return (_PLAIN,)
    return (_OLDEST,) if own == _PLAIN else ()


def _rows(data: bytes, *, big_endian: bool) -> Iterator[tuple[int, int, int]]:
    """Flags, and offsets of soname and path, of each baseline entry; none if the table cannot be right."""
    start = _new_part(data, big_endian=big_endian)
    order = ">" if big_endian else "<"
    if start is None or len(data) <= start + HEADER_SIZE:
        return
    count, _, marks = struct.unpack_from(order + "IIB", data, start + len(MAGIC))
    table = data[start + HEADER_SIZE : start + HEADER_SIZE + count * ENTRY_SIZE]
    if len(table) != count * ENTRY_SIZE or marks & ORDER_MASK not in (0, BIG if big_endian else LITTLE):
        return
    for flags, key, value, _, hwcap in struct.iter_unpack(order + "iIIIQ", table):
        if hwcap == BASELINE_HWCAP:
            yield flags, start + key, start + value


def _new_part(data: bytes, *, big_endian: bool) -> int | None:
    """Where the new format starts: at once, or aligned behind the old one's entries (_dl_load_cache_lookup)."""
    if data.startswith(MAGIC):
        return 0
    if not data.startswith(OLD_MAGIC) or len(data) < OLD_HEADER_SIZE:
        return None
    count = int(struct.unpack_from(">I" if big_endian else "<I", data, 12)[0])
    at = -(-(OLD_HEADER_SIZE + count * OLD_ENTRY_SIZE) // 8) * 8
    return at if data[at : at + len(MAGIC)] == MAGIC else None


def _text(data: bytes, at: int) -> bytes:
    end = data.find(b"\0", at, at + MAX_TEXT)
    return data[at:end] if end >= 0 else b""
