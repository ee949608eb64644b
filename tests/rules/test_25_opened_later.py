"""What is opened later is searched for as the opener's need with glibc, and then inherits the program's rpath alone.

With musl it is the program's need, whoever opens it. Sources: glibc elf/dl-open.c and elf/dl-load.c (__RTLD_CALLMAP);
musl ldso/dynlink.c, dlopen.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.walk import Walker
from minpack.ld.closure import Closure, LateName
from minpack.ld.resolve import resolve_closure
from support.cc import Compiler
from support.elfmaker import GLIBC, MUSL, library
from support.oracle import need_loader

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = 'extern int opens(const char *); int main(void) { return opens("libmpkb.so"); }'
OPENER = "extern void *dlopen(const char *, int); int opens(const char *name) { return dlopen(name, 2) == 0; }"


def made(root: Path, compiler: str, *flags: str) -> tuple[bool, Closure]:
    """Whether a program can open a through a library with an rpath, and minpack's closure of it.

    The library has `lib` in its rpath; b is there and needs c, which is there too.
    """
    gcc = Compiler(root, compiler)
    gcc.make_library("libmpka.so", OPENER, f"-Wl,--disable-new-dtags,-rpath,{root}/lib")
    program = gcc.program("app", PROGRAM, "-lmpka", "-Wl,--disable-new-dtags", *flags)
    (root / "lib").mkdir()
    (root / "lib" / "libmpkb.so").write_bytes(library("libmpkb.so", ("libmpkc.so",)))
    (root / "lib" / "libmpkc.so").write_bytes(library("libmpkc.so"))
    opened = subprocess.run([program], check=False, env={}).returncode == 0
    late = LateName(("libmpkb.so",), f"{root}/libmpka.so", required=True)
    return opened, resolve_closure(Walker(DirectoryBase("/")), str(program), late=(late,))


@pytest.mark.tool
def test_glibc_finds_it_by_the_openers_rpath(tmp_path: Path) -> None:
    """The library is found, but not what it needs: the opener's rpath is not handed down to it."""
    need_loader(GLIBC)
    opened, closure = made(tmp_path, "gcc")
    assert not opened
    assert f"{tmp_path}/lib/libmpkb.so" in closure.late
    assert [(missing.name, missing.needed_by) for missing in closure.missing] == [
        ("libmpkc.so", f"{tmp_path}/lib/libmpkb.so")
    ]


@pytest.mark.tool
@pytest.mark.parametrize(("compiler", "loader"), [("gcc", GLIBC), ("musl-gcc", MUSL)])
def test_the_programs_rpath_is_handed_down(tmp_path: Path, compiler: str, loader: str) -> None:
    """With the directory in the program's rpath, all of it is found."""
    need_loader(loader)
    opened, closure = made(tmp_path, compiler, f"-Wl,-rpath,{tmp_path}/lib")
    assert opened
    assert closure.missing == ()
    assert closure.late == {f"{tmp_path}/lib/libmpkb.so", f"{tmp_path}/lib/libmpkc.so"}


@pytest.mark.tool
def test_musl_does_not_ask_who_opens_it(tmp_path: Path) -> None:
    """The opener's rpath does not count."""
    need_loader(MUSL)
    opened, closure = made(tmp_path, "musl-gcc")
    assert not opened
    assert [missing.name for missing in closure.missing] == ["libmpkb.so"]


@pytest.mark.tool
@pytest.mark.parametrize("required", [True, False])
def test_what_is_not_required(tmp_path: Path, required: bool) -> None:
    """One that is not required and not there is not missing, and the next of its names is taken."""
    need_loader(GLIBC)
    gcc = Compiler(tmp_path)
    program = str(gcc.program("app", "int main(void) { return 0; }"))
    (tmp_path / "libmpkb.so").write_bytes(library())
    (tmp_path / "libmpka.so").write_text("INPUT(-lmpka)\n" * 20)
    walker = Walker(DirectoryBase("/"))
    none = LateName(("libmpkx.so", "libmpky.so"), program, required)
    closure = resolve_closure(walker, program, late=(none,))
    assert [missing.name for missing in closure.missing] == (["libmpkx.so"] if required else [])
    other = LateName(("libmpka.so", "libmpkb.so"), program, required=False)
    assert resolve_closure(walker, program, late=(other,)).late == {f"{tmp_path}/libmpkb.so"}
