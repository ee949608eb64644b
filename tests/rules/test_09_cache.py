"""glibc: behind LD_LIBRARY_PATH and the runpath comes the cache, and the system directories come last.

Sources: glibc elf/dl-load.c, _dl_map_new_object; elf/dl-cache.c, _dl_load_cache_lookup and search_cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.ld.cache import CacheEntry, build_cache
from minpack.ld.closure import Considered, FoundBy
from support.elfmaker import library, program
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

TARGET = read_elf(BytesContent(program())).target


def put_cache(tree: Tree, *entries: tuple[str, str]) -> None:
    """Write a cache of names and paths."""
    tree.put("etc/ld.so.cache", build_cache([CacheEntry(*entry) for entry in entries], TARGET))


def test_cache_before_system_directories(tmp_path: Path) -> None:
    """What the cache names is taken, though a system directory has the library too."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so")
    tree.put("opt/libmpka.so", library())
    tree.put(f"{tree.constants.directories[0].lstrip('/')}/libmpka.so", library())
    put_cache(tree, ("libmpka.so", "/opt/libmpka.so"))
    assert tree.found() == {"libmpka.so": ("opt/libmpka.so", "cache")}


def test_cached_file_that_is_not_there(tmp_path: Path) -> None:
    """Where the cache names nothing, or a foreign library, the system directories are looked into."""
    tree = Tree(tmp_path, rooted=True)
    system = tree.constants.directories[-1].lstrip("/")
    tree.app("libmpka.so", "libmpkb.so")
    tree.put("opt/libmpkb.so", library(machine="x86"))
    tree.put(f"{system}/libmpka.so", library())
    tree.put(f"{system}/libmpkb.so", library())
    put_cache(tree, ("libmpka.so", "/opt/libmpka.so"), ("libmpkb.so", "/opt/libmpkb.so"))
    assert set(tree.found().values()) == {(f"{system}/libmpka.so", "default"), (f"{system}/libmpkb.so", "default")}


def test_names_of_many_kinds(tmp_path: Path) -> None:
    """The loader finds every name by binary search: a written cache is in the order it expects."""
    tree = Tree(tmp_path, rooted=True)
    names = [
        f"libmpk{middle}.so{end}"
        for middle in ("", "a", "A", "-1", "1", "9", "10", "_", "+")
        for end in ("", ".2", ".10")
    ]
    tree.app(*names)
    for name in names:
        tree.put(f"opt/{name}", library())
    put_cache(tree, *((name, f"/opt/{name}") for name in names))
    assert tree.found() == {name: (f"opt/{name}", "cache") for name in names}


def test_leading_zeros(tmp_path: Path) -> None:
    """Numbers in names are compared as numbers: a zero in front makes no difference."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so.07")
    tree.put("opt/libmpka.so.7", library())
    put_cache(tree, ("libmpka.so.7", "/opt/libmpka.so.7"))
    assert tree.found() == {"libmpka.so.07": ("opt/libmpka.so.7", "cache")}


def test_the_first_of_two(tmp_path: Path) -> None:
    """Of two entries for a name the first in the file counts."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so")
    tree.put("opt/one/libmpka.so", library())
    tree.put("opt/two/libmpka.so", library())
    put_cache(tree, ("libmpka.so", "/opt/two/libmpka.so"), ("libmpka.so", "/opt/one/libmpka.so"))
    assert tree.found() == {"libmpka.so": ("opt/one/libmpka.so", "cache")}


@pytest.mark.parametrize("cut", [0, 10, 47, 60, 90])
def test_damaged_cache(tmp_path: Path, cut: int) -> None:
    """A cache that is cut short is as good as none, or as its whole entries, for both."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so")
    tree.put("opt/libmpka.so", library())
    data = build_cache([CacheEntry("libmpka.so", "/opt/libmpka.so")], TARGET)
    tree.put("etc/ld.so.cache", data[:cut])
    assert len(data) > cut
    assert [missing.name for missing in tree.closure().missing] == ["libmpka.so"]


def test_a_missing_name_names_the_cache(tmp_path: Path) -> None:
    """The cache is among the places considered, in its turn."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so", runpath="/opt")
    put_cache(tree, ("libmpkb.so", "/opt/libmpkb.so"))
    (missing,) = tree.closure().missing
    assert missing.considered[:2] == (
        Considered("/opt", FoundBy.RUNPATH),
        Considered("/etc/ld.so.cache", FoundBy.CACHE),
    )
