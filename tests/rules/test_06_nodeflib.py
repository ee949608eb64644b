"""glibc: an object with DF_1_NODEFLIB looks into no system directory, nor takes from the cache what lies in one.

Source: glibc elf/dl-load.c, _dl_map_new_object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.ld.cache import CacheEntry, build_cache
from support.elfmaker import library, program
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

DF_1_NODEFLIB = 0x800
TARGET = read_elf(BytesContent(program())).target


def tree_with_cache(root: Path, flags_1: int) -> tuple[Tree, str]:
    """A root with one library in a system directory and one outside, and a cache that names both."""
    tree = Tree(root, rooted=True)
    system = tree.constants.directories[-1].lstrip("/")
    tree.app("libmpka.so", "libmpkb.so", flags_1=flags_1)
    tree.put(f"{system}/libmpka.so", library())
    tree.put("opt/libmpkb.so", library())
    entries = (CacheEntry("libmpka.so", f"/{system}/libmpka.so"), CacheEntry("libmpkb.so", "/opt/libmpkb.so"))
    tree.put("etc/ld.so.cache", build_cache(entries, TARGET))
    return tree, system


def test_nodeflib(tmp_path: Path) -> None:
    """With the flag the library in the system directory is missing, and the other is found."""
    tree, _ = tree_with_cache(tmp_path, DF_1_NODEFLIB)
    closure = tree.closure()
    assert [missing.name for missing in closure.missing] == ["libmpka.so"]
    assert {o.name: o.found_by for o in closure.objects}["libmpkb.so"] == "cache"
    assert not any(considered.rule == "default" for considered in closure.missing[0].considered)


def test_without_the_flag(tmp_path: Path) -> None:
    """Without it both are found, by the cache."""
    tree, system = tree_with_cache(tmp_path, 0)
    assert tree.found() == {
        "libmpka.so": (f"{system}/libmpka.so", "cache"),
        "libmpkb.so": ("opt/libmpkb.so", "cache"),
    }


def test_it_counts_for_its_own_object_alone(tmp_path: Path) -> None:
    """What another object needs is looked for everywhere, though the program has the flag."""
    tree = Tree(tmp_path, rooted=True)
    system = tree.constants.directories[-1].lstrip("/")
    tree.app("libmpka.so", runpath="/lib/own", flags_1=DF_1_NODEFLIB)
    tree.put("lib/own/libmpka.so", library(needed=("libmpkb.so",)))
    tree.put(f"{system}/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == (f"{system}/libmpkb.so", "default")
