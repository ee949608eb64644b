"""glibc: ``$LIB`` is what the C library was built with, and a directory with ``$PLATFORM`` is passed over here.

What ``$PLATFORM`` is depends on the CPU, and no image should. Source: glibc elf/dl-load.c, _dl_dst_substitute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.closure import Considered, FoundBy
from support.elfmaker import library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


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
