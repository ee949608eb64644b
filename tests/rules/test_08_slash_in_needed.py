"""A needed name with a slash is a path, and nothing is searched for it.

Sources: glibc elf/dl-load.c, _dl_map_new_object; musl ldso/dynlink.c, load_library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Considered, Environment, FoundBy
from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_absolute_path(tmp_path: Path, interpreter: str) -> None:
    """The file at the path is loaded, whatever the rpath has."""
    tree = Tree(tmp_path, interpreter)
    tree.app(tree.at("a/libmpka.so"), rpath=tree.at("b"))
    tree.put("a/libmpka.so", library())
    tree.put("b/libmpka.so", library())
    assert tree.found() == {tree.at("a/libmpka.so"): ("a/libmpka.so", "path")}


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_relative_path(tmp_path: Path, interpreter: str) -> None:
    """A relative path starts in the working directory."""
    tree = Tree(tmp_path, interpreter)
    tree.app("a/libmpka.so")
    tree.put("a/libmpka.so", library())
    assert tree.found(Environment(working_directory=str(tmp_path))) == {"a/libmpka.so": ("a/libmpka.so", "path")}


def test_tokens_in_it(tmp_path: Path) -> None:
    """Tokens in it are replaced by glibc."""
    tree = Tree(tmp_path)
    tree.app("$ORIGIN/../a/libmpka.so")
    tree.put("a/libmpka.so", library())
    assert list(tree.found().values()) == [("bin/../a/libmpka.so", "path")]


def test_musl_has_none(tmp_path: Path) -> None:
    """Not so with musl: it is missing, and its directory is the one considered."""
    tree = Tree(tmp_path, MUSL)
    tree.app("$ORIGIN/../a/libmpka.so")
    tree.put("a/libmpka.so", library())
    (missing,) = tree.closure().missing
    assert missing.considered == (Considered("$ORIGIN/../a", FoundBy.PATH),)


@pytest.mark.parametrize(("interpreter", "count"), [(GLIBC, 1), (MUSL, 2)])
def test_a_loaded_path_as_a_name(tmp_path: Path, interpreter: str, count: int) -> None:
    """What was loaded by its path answers to its soname with glibc; musl searches for the name first."""
    tree = Tree(tmp_path, interpreter)
    tree.app(tree.at("a/libmpka.so"), "libmpka.so", rpath=tree.at("b"))
    tree.put("a/libmpka.so", library("libmpka.so"))
    tree.put("b/libmpka.so", library("libmpka.so"))
    assert len(tree.found()) == count
