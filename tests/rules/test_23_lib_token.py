"""glibc: ``$LIB`` is what the C library was built with, ``$PLATFORM`` what Linux calls all CPUs of the machine.

Where the name depends on the CPU a directory with it is passed over here: no image should depend on it. Source: glibc
elf/dl-load.c, _dl_dst_substitute.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from minpack.base.directory import DirectoryBase
from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.ld.closure import Considered, FoundBy
from minpack.ld.resolve import resolve_closure
from minpack.paths import normal
from minpack.rootfs.entry import file
from support.elfmaker import library, make_elf, program
from support.rulebook import Tree
from support.tools import need_file, need_tool

if TYPE_CHECKING:
    from pathlib import Path

AARCH64 = "/lib/ld-linux-aarch64.so.1"
#: Where Debian's libc6-arm64-cross has it.
CROSS = "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1"


def test_lib(tmp_path: Path) -> None:
    """With and without braces, and in a needed path too."""
    tree = Tree(tmp_path)
    lib = tree.constants.lib
    tree.app("libmpka.so", f"{tree.at('x')}/$LIB/libmpkb.so", runpath=f"{tree.at('x')}/${{LIB}}")
    tree.put(f"x/{lib}/libmpka.so", library())
    tree.put(f"x/{lib}/libmpkb.so", library())
    assert list(tree.found().values()) == [(f"x/{lib}/libmpka.so", "runpath"), (f"x/{lib}/libmpkb.so", "path")]


def test_platform(tmp_path: Path) -> None:
    """It stands as it is written among the directories considered."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=f"{tree.at('x')}/$PLATFORM")
    (missing,) = tree.closure().missing
    assert missing.considered[0] == Considered(f"{tree.at('x')}/$PLATFORM", FoundBy.RUNPATH)


def test_platform_of_all_machines(tmp_path: Path) -> None:
    """On 64-bit ARM it is always the same, and so it is followed, in a needed path too."""
    app = tmp_path / "app"
    names = ("libmpka.so", f"{tmp_path}/${{PLATFORM}}/libmpkb.so")
    app.write_bytes(program(names, machine="aarch64", interpreter=AARCH64, runpath=f"{tmp_path}/$PLATFORM"))
    (tmp_path / "aarch64").mkdir()
    for name in "ab":
        (tmp_path / "aarch64" / f"libmpk{name}.so").write_bytes(library(machine="aarch64"))
    made = make_elf(machine="aarch64", overlay=b"GLIBC_PRIVATE\0")
    data = need_file(CROSS).read_bytes() if os.path.exists(CROSS) else made
    base = DirectoryBase("/")
    place = Walker(base).locate(normal(AARCH64)).path
    walker = Walker(OverlayBase(base_of("loader", [file(place, BytesContent(data), 0o755)]), base))
    found = [o.path for o in resolve_closure(walker, str(app)).objects[1:3]]
    assert found == [f"{tmp_path}/aarch64/libmpka.so", f"{tmp_path}/aarch64/libmpkb.so"]
    # Where there is no such loader, minpack alone was asked.
    asked = [need_tool("qemu-aarch64-static"), "-E", "LD_TRACE_LOADED_OBJECTS=1", str(need_file(CROSS)), str(app)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert all(path in done.stdout for path in found)
    assert "not found" not in done.stdout
