"""A cache of libraries that lies costs no more than its size, and is an empty one."""

from __future__ import annotations

import struct
import tracemalloc

from minpack.ld.cache import ENTRY_SIZE, HEADER_SIZE, MAGIC, MAX_TEXT, CacheEntry, build_cache, parse_cache
from minpack.target import Target

X86_64 = Target(62, 64, big_endian=False, abi="")
FLAGS = 0x303


def made(rows: list[tuple[int, int]], strings: bytes) -> bytes:
    """A cache of entries whose names and paths lie at these places of `strings`."""
    head = MAGIC + struct.pack("<IIB3xI12x", len(rows), len(strings), 2, 0)
    start = HEADER_SIZE + ENTRY_SIZE * len(rows)
    table = b"".join(struct.pack("<iIIIQ", FLAGS, start + name, start + path, 0, 0) for name, path in rows)
    return head + table + strings


def test_names_may_be_parts_of_paths() -> None:
    """As in the caches that ldconfig writes; several entries may share one name."""
    strings = b"/usr/lib/libz.so.1\0/lib/libz.so.1\0"
    found = parse_cache(made([(9, 0), (9, 19)], strings), X86_64)
    assert found.find("libz.so.1") == "/usr/lib/libz.so.1"


def test_names_that_overlap_are_damage() -> None:
    """Ten thousand names out of a few kilobytes would take a hundred times their memory and time."""
    strings = b"".join(b"%04x" % n for n in range(MAX_TEXT // 8)) * 10 + b"\0"
    strings = strings[-MAX_TEXT:]
    data = made([(n % (MAX_TEXT - 100), 0) for n in range(20_000)], strings)
    tracemalloc.start()
    found = parse_cache(data, X86_64)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not found
    assert most < 6 * len(data)


def test_a_large_true_cache_is_read() -> None:
    """A thousand libraries with long names are no damage."""
    rows = [CacheEntry(f"lib{'x' * 60}{n}.so", f"/usr/lib/lib{'x' * 60}{n}.so") for n in range(1000)]
    found = parse_cache(build_cache(rows, X86_64), X86_64)
    assert found.find(rows[-1].soname) == rows[-1].path
