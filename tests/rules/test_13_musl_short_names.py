"""musl: a loaded library answers to the file name a search found it by, and never to its soname.

Source: musl ldso/dynlink.c, load_library (`shortname`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def test_soname_is_not_a_name(tmp_path: Path) -> None:
    """A needed name that is the soname of what is loaded is searched for, and missing; glibc takes it."""
    for interpreter, count in ((MUSL, 1), (GLIBC, 0)):
        tree = Tree(tmp_path / interpreter[-3:], interpreter)
        tree.app("libmpka.so", "libmpkb.so", rpath=tree.at("lib"))
        tree.put("lib/libmpka.so", library("libmpkb.so"))
        assert len(tree.closure().missing) == count


def test_loaded_by_path(tmp_path: Path) -> None:
    """What was loaded by a path has no such name until a search comes upon the same file."""
    tree = Tree(tmp_path, MUSL)
    tree.app(tree.at("lib/libmpka.so"), "libmpkz.so", "libmpka.so", rpath=tree.at("links"))
    tree.put("lib/libmpka.so", library())
    # By this the file is found, and from then on it answers to the name of the path it was loaded by.
    tree.link("links/libmpkz.so", "../lib/libmpka.so")
    closure = tree.closure()
    assert closure.missing == ()
    assert [(edge.name, edge.found_by) for edge in closure.edges[1:]] == [
        ("libmpkz.so", "loaded"),
        ("libmpka.so", "loaded"),
    ]


def test_loaded_by_path_alone(tmp_path: Path) -> None:
    """Without such a search the name is missing."""
    tree = Tree(tmp_path, MUSL)
    tree.app(tree.at("lib/libmpka.so"), "libmpka.so")
    tree.put("lib/libmpka.so", library("libmpka.so"))
    assert [missing.name for missing in tree.closure().missing] == ["libmpka.so"]
