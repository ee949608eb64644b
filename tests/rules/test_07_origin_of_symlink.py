"""A library's ``$ORIGIN`` is where it was opened, links in that path not followed; a program's is where it truly is.

Sources: glibc elf/dl-object.c, _dl_new_object, and elf/dl-origin.c; musl ldso/dynlink.c, fixup_rpath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.oracle import listing, start_glibc
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_linked_library(tmp_path: Path, interpreter: str) -> None:
    """Of a library opened through a link, the origin is the link's directory."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath=tree.at("links"))
    tree.put("real/libmpka.so", library(needed=("libmpkb.so",), rpath="$ORIGIN"))
    tree.link("links/libmpka.so", "../real/libmpka.so")
    tree.put("real/libmpkb.so", library())
    tree.put("links/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == ("links/libmpkb.so", "rpath")


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_dots_stay(tmp_path: Path, interpreter: str) -> None:
    """Nor are ``..`` parts taken out: behind a linked directory they lead elsewhere than they read."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath=f"{tree.at('linked')}/../lib")
    tree.link("linked", "deep/inside")
    tree.put("deep/inside/here", b"")
    tree.put("deep/lib/libmpka.so", library(needed=("libmpkb.so",), rpath="$ORIGIN/../other"))
    tree.put("deep/other/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == ("linked/../lib/../other/libmpkb.so", "rpath")


def test_linked_program(tmp_path: Path) -> None:
    """Of a program that is started by a link, the origin is the directory of the file."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath="$ORIGIN/../lib")
    tree.put("lib/libmpka.so", library())
    tree.link("elsewhere/started", "../bin/app")
    tree.program = "elsewhere/started"
    closure = tree.resolve()
    assert listing(closure).objects == (("libmpka.so", tree.at("bin/../lib/libmpka.so")),)
    if tree.asks:
        assert listing(closure) == start_glibc(tree.at(tree.program))
