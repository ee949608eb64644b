"""Libraries are loaded breadth-first, each once, and each keeps what first asked for it.

Sources: glibc elf/dl-deps.c, _dl_map_object_deps; musl ldso/dynlink.c, load_deps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_order(tmp_path: Path, interpreter: str) -> None:
    """What the program needs comes first, in its order, then what those need, and circles end."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkc.so",)))
    tree.put("lib/libmpkb.so", library(needed=("libmpkd.so", "libmpkc.so")))
    tree.put("lib/libmpkc.so", library(needed=("libmpke.so", "libmpka.so")))
    tree.put("lib/libmpkd.so", library(needed=("libmpke.so",)))
    tree.put("lib/libmpke.so", library(needed=("libmpke.so",)))
    assert "".join(name[len("libmpk")] for name in tree.found()) == "abcde"
    needed_by = {o.name: o.needed_by.rpartition("/")[2] for o in tree.closure().objects}
    assert needed_by["libmpkc.so"] == "libmpka.so"
    assert needed_by["libmpke.so"] == "libmpkc.so"


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_each_who_misses_it(tmp_path: Path, interpreter: str) -> None:
    """A missing library is searched for once more for each that needs it, and one may find it."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", "libmpkc.so", runpath=tree.at("lib"))
    tree.put("lib/libmpkb.so", library(needed=("libmpka.so",)))
    tree.put("lib/libmpkc.so", library(needed=("libmpka.so",), runpath=tree.at("other")))
    tree.put("other/libmpka.so", library())
    closure = tree.closure()
    assert [missing.needed_by.rpartition("/")[2] for missing in closure.missing] == ["app", "libmpkb.so"]
    assert closure.edges[-1].path == tree.at("other/libmpka.so")
