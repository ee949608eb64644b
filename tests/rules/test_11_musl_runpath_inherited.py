"""musl: a runpath is inherited as an rpath is, and of an object with both the runpath counts.

Source: musl ldso/dynlink.c, decode_dyn and load_library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.elfmaker import MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def test_runpath_is_inherited(tmp_path: Path) -> None:
    """What a library of a library needs is found by the program's runpath."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",)))
    tree.put("lib/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == ("lib/libmpkb.so", "runpath")


def test_both(tmp_path: Path) -> None:
    """Of a program with both, the rpath is as if it were not there."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", "libmpkb.so", rpath=tree.at("rpath"), runpath=tree.at("runpath"))
    tree.put("rpath/libmpka.so", library())
    tree.put("rpath/libmpkb.so", library())
    tree.put("runpath/libmpkb.so", library())
    closure = tree.closure()
    assert [missing.name for missing in closure.missing] == ["libmpka.so"]
    assert closure.edges[1].path == tree.at("runpath/libmpkb.so")
