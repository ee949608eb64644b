"""What a closure demands of the CPU, the kernel and its C library's age."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minpack.base.tarball import open_tarball
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.ld.closure import Libc
from minpack.ld.demands import Demands, demands, musl_version
from minpack.paths import normal
from support.closures import LOADER, closure_of, symbols, symbols_by
from support.elfmaker import library, make_elf, program

if TYPE_CHECKING:
    from pathlib import Path

MUSL_123 = make_elf(soname="libc.musl-x86_64.so.1", code=b"\0127.0.0.1\0Version %s\n\0" + b"1.2.3\0")


def note(type_: int, *words: int) -> bytes:
    """A note of GNU's with these words."""
    return struct.pack("<III", 4, 4 * len(words), type_) + b"GNU\0" + struct.pack(f"<{len(words)}I", *words)


def needing(mask: int = 0, kernel: tuple[int, int, int] | None = None) -> bytes:
    """A library that needs x86 levels, and a kernel."""
    notes = note(5, 0xC0008002, 4, mask, 0) if mask else b""
    return make_elf(soname="libx.so", note=notes + (note(1, 0, *kernel) if kernel else b""))


def demanded(*libraries: bytes) -> Demands:
    """What a program with these libraries demands; they lie at /0, /1 and so on."""
    return demands(closure_of({"/app": program()} | {f"/{n}": data for n, data in enumerate(libraries)}))


def test_a_closure_that_says_nothing_demands_nothing() -> None:
    """Empty strings and None stand for what no object says."""
    assert demanded(library("libx.so")) == Demands("", "", None, "", (), ())


@pytest.mark.parametrize(
    ("masks", "isa", "by"),
    [
        ((1,), "x86-64", "/0"),
        ((1, 3, 1), "x86-64-v2", "/1"),
        ((4, 2), "x86-64-v3", "/0"),
        ((2, 3), "x86-64-v2", "/0"),
        ((3, 15, 8), "x86-64-v4", "/1"),
        ((16,), "", ""),
        ((0x80000001,), "x86-64", "/0"),
    ],
)
def test_the_highest_level_counts_with_its_first_object(masks: tuple[int, ...], isa: str, by: str) -> None:
    """Levels are bits, of which the highest known one is the level."""
    found = demanded(*(needing(mask) for mask in masks))
    assert (found.isa, found.isa_by) == (isa, by)


def test_the_highest_kernel_counts_with_its_first_object() -> None:
    """Versions are compared number by number."""
    found = demanded(needing(kernel=(3, 9, 0)), needing(kernel=(3, 10, 0)), needing(kernel=(3, 10, 0)))
    assert (found.kernel, found.kernel_by) == ((3, 10, 0), "/1")


def test_notes_that_are_wrong_are_told_of_with_their_object() -> None:
    """They keep nothing from being packed."""
    data = b"oops\0\0\0\0"
    wrong = make_elf(soname="libx.so", note=struct.pack("<III", 4, len(data), 0x407C0C0A) + b"FDO\0" + data)
    found = demanded(wrong)
    assert found.problems == ()
    assert len(found.passed_over) == 1
    assert found.passed_over[0].startswith("/0: its dlopen note is not JSON")


def relr_problems(loader: bytes, libc: Libc | None = Libc.MUSL) -> tuple[str, ...]:
    """The problems of a closure whose program, library and loader all have DT_RELR."""
    files = {"/app": program(), "/lib/libx.so": library("libx.so")}
    packed = symbols(relr=True)
    known = symbols_by({"/app": packed, "/lib/libx.so": packed, LOADER: packed})
    return demands(closure_of(files, libc, loader), known).problems


def test_relr_is_a_problem_under_old_musl() -> None:
    """DT_RELR is ignored before 1.2.4; the loader's own file, which it relocates by itself, is no problem."""
    problems = relr_problems(MUSL_123)
    assert [problem.split(" has ")[0] for problem in problems] == ["/app", "/lib/libx.so"]
    assert "musl 1.2.3 ignores" in problems[0]


@pytest.mark.parametrize("version", [b"1.2.4", b"1.2.5", b"1.10.0", b"2.0.0", b"1.2.5-git-7-gabcdef", b"unknown"])
def test_relr_is_none_under_musl_that_heeds_it(version: bytes) -> None:
    """From 1.2.4 on, compared as numbers, or where no version can be read, there is nothing to say."""
    assert relr_problems(make_elf(soname="libc.so", code=b"\0" + version + b"\0")) == ()


def test_relr_is_none_under_glibc() -> None:
    """There a version need tells."""
    assert relr_problems(MUSL_123, Libc.GLIBC) == ()


@pytest.mark.data
@pytest.mark.parametrize("arch", ["aarch64", "armv7", "riscv64", "s390x", "x86", "x86_64"])
def test_musl_s_version_is_read_out_of_its_loader(data: Path, arch: str) -> None:
    """Alpine 3.20 has musl 1.2.5, whatever the architecture."""
    name = f"alpine-minirootfs-3.20.3-{arch}.tar.gz"
    with open_tarball(str(data / "bases" / name), name) as base:
        walker = Walker(base)
        loader = next(part for part in walker.base.listdir(normal("/lib")) if part.startswith("ld-musl"))
        file = walker.find_file(f"/lib/{loader}")
        assert file is not None
        assert file.content is not None
        assert musl_version(file.content) == (1, 2, 5)


def test_addresses_are_no_version() -> None:
    """What has other than three numbers is none, and of several that do the first counts."""
    assert musl_version(BytesContent(b"\x00127.0.0.1\0001.2\0")) is None
    assert musl_version(BytesContent(b"\x001.1.24\0003.3.3\0")) == (1, 1, 24)
