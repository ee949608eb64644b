"""What real compilers and linkers make is of the kind that they were asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from minpack.content import FileContent
from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.read import read_elf
from minpack.errors import MalformedElfError
from support.gobuild import go_build
from support.tools import need_tool

C = "int main(void) { return 0; }"
#: Makes a program or library say what interpreter it wants, as glibc does for libc.so.6.
C_INTERP = 'const char interp[] __attribute__((section(".interp"))) = "/lib/ld.so";' + C
GO = "package main\n\nfunc main() {}\n"
GO_C = 'package main\n\nimport "C"\n\nfunc main() {}\n'

#: The compiler's options, its source, and what comes of them.
BUILDS: dict[str, tuple[tuple[str, ...], str, ElfKind]] = {
    "PIE": (("-pie", "-fPIE"), C, ElfKind.DYNAMIC),
    "PIE with a soname": (("-pie", "-fPIE", "-Wl,-soname,app"), C, ElfKind.DYNAMIC),
    "PIE with symbols for plugins": (("-pie", "-fPIE", "-rdynamic"), C, ElfKind.DYNAMIC),
    "fixed program": (("-no-pie",), C, ElfKind.DYNAMIC),
    "fixed program with a soname": (("-no-pie", "-Wl,-soname,app"), C, ElfKind.DYNAMIC),
    "static program": (("-static",), C, ElfKind.STATIC),
    "static-pie": (("-static-pie", "-fPIE"), C, ElfKind.STATIC_PIE),
    "library": (("-shared", "-fPIC", "-Wl,-soname,liba.so.1"), C, ElfKind.LIBRARY),
    "plugin": (("-shared", "-fPIC"), C, ElfKind.LIBRARY),
    "plugin that needs nothing": (("-shared", "-fPIC", "-nostdlib"), C, ElfKind.LIBRARY),
    "plugin with an entry": (("-shared", "-fPIC", "-nostdlib", "-Wl,-e,main"), C, ElfKind.LIBRARY),
    "library that runs": (("-shared", "-fPIC", "-Wl,-soname,liba.so.1,-e,main"), C_INTERP, ElfKind.LIBRARY),
    "object file": (("-c",), C, ElfKind.RELOCATABLE),
    "objects linked into one": (("-r", "-nostdlib"), C, ElfKind.RELOCATABLE),
}


def compiled(tmp_path: Path, source: str, *options: str, compiler: str = "gcc") -> Path:
    """The file that a C compiler makes; the test is skipped without it."""
    (tmp_path / "app.c").write_text(source)
    command = [need_tool(compiler), "-o", "app", *options, "app.c"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    return tmp_path / "app"


def read(path: Path) -> ElfInfo:
    """What the reader says of the file."""
    return read_elf(FileContent(str(path), path.stat().st_size))


@pytest.mark.tool
@pytest.mark.parametrize("build", BUILDS)
def test_what_gcc_makes_is_of_its_kind(build: str, tmp_path: Path) -> None:
    """Every kind of file that gcc and GNU ld make is told apart."""
    options, source, kind = BUILDS[build]
    assert read(compiled(tmp_path, source, *options)).kind is kind


@pytest.mark.tool
@pytest.mark.parametrize(("options", "kind"), [(("-static",), ElfKind.STATIC), ((), ElfKind.DYNAMIC)])
def test_what_musl_gcc_makes_is_of_its_kind(options: tuple[str, ...], kind: ElfKind, tmp_path: Path) -> None:
    """Programs for musl are told apart, and the dynamic one names musl's loader."""
    info = read(compiled(tmp_path, C, *options, compiler="musl-gcc"))
    assert info.kind is kind
    assert kind is ElfKind.STATIC or (info.interpreter or "").startswith("/lib/ld-musl-")


@pytest.mark.tool
@pytest.mark.parametrize("build", ["PIE", "fixed program", "static program", "static-pie", "library", "plugin"])
def test_separated_debug_symbols_are_no_program(build: str, tmp_path: Path) -> None:
    """What objcopy keeps as debug file has all program headers, and is recognised; what strip leaves is unchanged."""
    options, source, kind = BUILDS[build]
    path = compiled(tmp_path, source, "-g", *options)
    subprocess.run([need_tool("objcopy"), "--only-keep-debug", path, f"{path}.debug"], check=True, timeout=60)
    assert read(Path(f"{path}.debug")).kind is ElfKind.DEBUG
    before = read(path)
    subprocess.run([need_tool("strip"), path], check=True, timeout=60)
    after = read(path)
    assert after.kind is kind
    assert after.segments == before.segments
    assert after[6:] == before[6:]


@pytest.mark.tool
def test_a_program_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    """A real program that was copied in part only is an error until its last segment is whole."""
    data = compiled(tmp_path, C, "-pie", "-fPIE").read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data)
    end = read(path).end
    for size in (5, 63, 64, 700, 4096, 4097, end // 2, end - 1):
        path.write_bytes(data[:size])
        with pytest.raises(MalformedElfError):
            read(path)
    path.write_bytes(data[:end])
    assert read(path).kind is ElfKind.DYNAMIC


@pytest.mark.tool
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "options", "kind"),
    [
        (GO, (), ElfKind.STATIC),
        (GO, ("-buildmode=pie",), ElfKind.DYNAMIC),
        (GO_C, (), ElfKind.DYNAMIC),
        (GO_C, ("-buildmode=pie", "-ldflags=-linkmode=external -extldflags=-static-pie"), ElfKind.STATIC_PIE),
        (GO_C, ("-buildmode=c-shared",), ElfKind.LIBRARY),
        (GO, ("-buildmode=plugin",), ElfKind.LIBRARY),
    ],
    ids=["static", "pie", "cgo", "static-pie", "c-shared", "plugin"],
)
def test_what_go_makes_is_of_its_kind(
    source: str, options: tuple[str, ...], kind: ElfKind, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Go's own linker and its use of gcc make files of the right kinds."""
    need_tool("gcc")
    path = go_build(source, tmp_path, tmp_path_factory, *options, cgo=source == GO_C or "-buildmode=plugin" in options)
    assert read(path).kind is kind


@pytest.mark.tool
def test_the_loaders_of_this_machine_are_libraries() -> None:
    """The loader and the libc of glibc can be started, and are libraries all the same."""
    need_tool("ldconfig")
    found = [*Path("/lib").glob("*/libc.so.6"), *Path("/lib").glob("*/ld-linux*.so.*"), *Path("/lib").glob("ld-musl-*")]
    assert found
    assert {path.name: read(path.resolve()).kind for path in found} == {path.name: ElfKind.LIBRARY for path in found}
