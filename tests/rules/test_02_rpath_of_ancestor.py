"""An rpath counts for what its object needs, and for all that this needs in turn, up to the program's.

Sources: glibc elf/dl-load.c, _dl_map_new_object; musl ldso/dynlink.c, load_library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_rpath_is_inherited(tmp_path: Path, interpreter: str) -> None:
    """What a library of a library needs is found by the program's rpath."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",)))
    tree.put("lib/libmpkb.so", library(needed=("libmpkc.so",)))
    tree.put("lib/libmpkc.so", library())
    assert tree.found()["libmpkc.so"] == ("lib/libmpkc.so", "rpath")


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_own_rpath_comes_first(tmp_path: Path, interpreter: str) -> None:
    """An object's own rpath is looked into before that of the one it was needed by."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath=tree.at("far"))
    tree.put("far/libmpka.so", library(needed=("libmpkb.so",), rpath=tree.at("near")))
    tree.put("far/libmpkb.so", library())
    tree.put("near/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == ("near/libmpkb.so", "rpath")


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_the_first_to_ask_hands_down_its_rpath(tmp_path: Path, interpreter: str) -> None:
    """Of two that need a library, the rpath of the one that is loaded first is inherited, and the other's is not."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkc.so",), rpath=tree.at("lib")))
    tree.put("lib/libmpkb.so", library(needed=("libmpkc.so",), rpath=tree.at("other")))
    tree.put("lib/libmpkc.so", library(needed=("libmpkd.so",)))
    tree.put("other/libmpkd.so", library())
    assert [missing.name for missing in tree.closure().missing] == ["libmpkd.so"]
