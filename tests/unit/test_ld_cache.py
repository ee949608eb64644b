"""Reading and writing ld.so.cache: what ldconfig wrote is read as ldconfig reads it, and what is damaged is empty."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.ld.cache import MAGIC, CacheEntry, build_cache, cache_flags, compare_names, parse_cache
from minpack.target import Target, target_named
from support.tools import need_tool

HOST_CACHE = Path("/etc/ld.so.cache")


def target(name: str) -> Target:
    """The target of that name."""
    found = target_named(name)
    assert found is not None
    return found


X86_64 = target("x86_64")
ONE = CacheEntry("libone.so.1", "/opt/libone.so.1")


def cache(*rows: tuple[int, str, str, int], order: str = "<", marks: int | None = None) -> bytes:
    """A cache of flags, name, path and hwcap, in that order, made apart from the code under test."""
    strings = b"".join(f"{name}\0{path}\0".encode() for _, name, path, _ in rows)
    at = 48 + 24 * len(rows)
    table = b""
    for flags, name, path, hwcap in rows:
        table += struct.pack(order + "iIIIQ", flags, at, at + len(name) + 1, 0, hwcap)
        at += len(name) + len(path) + 2
    marks = (2 if order == "<" else 3) if marks is None else marks
    return MAGIC + struct.pack(order + "IIB3xI12x", len(rows), len(strings), marks, 0) + table + strings


@pytest.mark.parametrize("name", ["x86_64", "s390x", "x86", "aarch64", "armhf", "riscv64", "loongarch64", "mips"])
def test_what_is_written_is_read(name: str) -> None:
    """Every entry is found by its name, for big-endian targets too, and no other is."""
    entries = [ONE, CacheEntry("libé.so", "/opt/é"), CacheEntry("lib\udcff.so", "/opt/\udcff")]
    found = parse_cache(build_cache(entries, target(name)), target(name))
    assert [found.find(entry.soname) for entry in entries] == [entry.path for entry in entries]
    assert found.find("libtwo.so") is None


def test_order_and_repetition_make_no_difference() -> None:
    """The bytes are the same in whatever order the entries come, and however often."""
    entries = [CacheEntry(f"lib{n}.so.{n}", f"/opt/{n}") for n in (1, 2, 9, 10, 100)]
    assert build_cache(entries, X86_64) == build_cache([*reversed(entries), *entries], X86_64)


def test_layout() -> None:
    """It is, byte for byte, the table that another hand makes."""
    two = CacheEntry("libtwo.so", "/opt/libtwo.so")
    assert build_cache((ONE, two), X86_64) == cache((0x303, *two, 0), (0x303, *ONE, 0))


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("x86_64", 0x303),
        ("x86", 3),
        ("x32", 0x803),
        ("aarch64", 0xA03),
        ("armhf", 0x903),
        ("ppc64le", 0x503),
        ("m68k", 3),
    ],
)
def test_flags(name: str, flags: int) -> None:
    """Each target has the flags of glibc's table, and those without any of their own the plain ones."""
    assert cache_flags(target(name)) == flags


def test_other_targets_entries_do_not_count() -> None:
    """On a machine with two sorts of libraries the ones of the target are found."""
    data = cache((3, "libone.so", "/lib32/libone.so", 0), (0x303, "libone.so", "/lib64/libone.so", 0))
    assert parse_cache(data, X86_64).find("libone.so") == "/lib64/libone.so"
    assert parse_cache(data, target("x86")).find("libone.so") == "/lib32/libone.so"


def test_variants_do_not_count() -> None:
    """Entries for better CPUs, old and new in style, are passed over."""
    variants = [(0x303, "libone.so", "/v3/libone.so", 1 << 62 | 3), (0x303, "libone.so", "/tls/libone.so", 1 << 2)]
    data = cache(*variants, (0x303, "libone.so", "/lib/libone.so", 0))
    assert parse_cache(data, X86_64).find("libone.so") == "/lib/libone.so"
    assert not parse_cache(cache(*variants), X86_64)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((0x903, 3), "0"), ((3, 0x903), "1"), ((3, 3), "1"), ((0x903, 0x903), "0"), ((0xB03,), None)],
)
def test_plain_entries_on_arm(flags: tuple[int, ...], expected: str | None) -> None:
    """On ARM plain entries count where there is none with its own flags, and then the last of them."""
    data = cache(*((flag, "libone.so", str(n), 0) for n, flag in enumerate(flags)))
    assert parse_cache(data, target("armhf")).find("libone.so") == expected


def test_behind_the_old_format() -> None:
    """The new table is found behind one of the old format, aligned; the old one is not read."""
    old = b"ld.so-1.7.0".ljust(12, b"\0") + struct.pack("<I", 1) + struct.pack("<iII", 3, 0, 0)
    data = old.ljust(-(-len(old) // 8) * 8, b"\0") + build_cache((ONE,), X86_64)
    assert parse_cache(data, X86_64).find(ONE.soname) == ONE.path
    assert not parse_cache(old + b"libold.so\0", X86_64)


@pytest.mark.parametrize(("marks", "read"), [(0, True), (2, True), (3, False), (1, False)])
def test_byte_order_mark(marks: int, read: bool) -> None:
    """A cache that says it has the other byte order is not read; one that says nothing is."""
    assert bool(parse_cache(cache((0x303, *ONE, 0), marks=marks), X86_64)) is read


def test_the_other_byte_order() -> None:
    """A big-endian table is not a table for a little-endian target."""
    assert not parse_cache(cache((0x303, *ONE, 0), order=">"), X86_64)


@pytest.mark.parametrize("change", [b"", MAGIC, MAGIC + bytes(28), MAGIC + b"\xff" * 28, b"x" * 100])
def test_damaged(change: bytes) -> None:
    """What cannot be a table is an empty one."""
    assert not parse_cache(change, X86_64)


def test_texts_that_are_not_there() -> None:
    """An entry whose name or path lies outside the file answers to nothing."""
    data = bytearray(build_cache((ONE,), X86_64))
    struct.pack_into("<II", data, 48 + 4, 1 << 31, 1 << 31)
    assert parse_cache(bytes(data), X86_64).find(ONE.soname) is None
    data = bytearray(build_cache((ONE,), X86_64))
    struct.pack_into("<I", data, 48 + 8, 1 << 31)
    assert parse_cache(bytes(data), X86_64).find(ONE.soname) is None


@given(st.binary(max_size=400), st.integers(0, 120))
def test_any_bytes(noise: bytes, at: int) -> None:
    """No damage to a cache does more than lose entries."""
    data = build_cache((ONE, CacheEntry("libtwo.so", "/opt/two")), X86_64)
    found = parse_cache(data[:at] + noise + data[at + len(noise) :], X86_64)
    assert found.find(ONE.soname) is None or isinstance(found.find(ONE.soname), str)


@pytest.mark.parametrize(
    ("left", "right", "sign"),
    [
        ("liba.so.10", "liba.so.9", 1),
        ("liba.so.9", "liba.so.10", -1),
        ("liba.so", "liba.so", 0),
        ("liba.so.1", "liba.so", 1),
        ("liba.so", "liba.so.1", -1),
        ("lib1", "liba", 1),
        ("liba", "lib1", -1),
        ("lib07", "lib7", 0),
        ("libB", "liba", -1),
    ],
)
def test_order_of_names(left: str, right: str, sign: int) -> None:
    """Numbers count as numbers, and more than letters."""
    order = compare_names(left, right)
    assert (order > 0) - (order < 0) == sign


@pytest.mark.tool
def test_this_machines_cache() -> None:
    """Every name that ldconfig prints from this machine's cache leads to the first path it prints for it."""
    if not HOST_CACHE.exists():
        pytest.skip("this machine has no cache")
    shown = subprocess.run([need_tool("ldconfig"), "-p"], capture_output=True, text=True, check=True).stdout
    wanted: dict[str, str] = {}
    for name, kind, path in re.findall(r"^\t(\S+) \((.*?)\) => (\S+)$", shown, re.MULTILINE):
        if kind == "libc6,x86-64":
            wanted.setdefault(name, path)
    if not wanted:
        pytest.skip("this machine has no libraries for x86-64")
    found = parse_cache(HOST_CACHE.read_bytes(), X86_64)
    assert {name: found.find(name) for name in wanted} == wanted


@pytest.mark.tool
def test_ldconfig_reads_what_is_written(tmp_path: Path) -> None:
    """Ldconfig prints the entries of a written cache, in its order."""
    path = tmp_path / "cache"
    path.write_bytes(build_cache((ONE, CacheEntry("libtwo.so.2", "/opt/two")), X86_64))
    shown = subprocess.run([need_tool("ldconfig"), "-p", "-C", str(path)], capture_output=True, text=True, check=True)
    assert re.findall(r"^\t(\S+) \((.*?)\) => (\S+)$", shown.stdout, re.MULTILINE) == [
        ("libtwo.so.2", "libc6,x86-64", "/opt/two"),
        ("libone.so.1", "libc6,x86-64", "/opt/libone.so.1"),
    ]
