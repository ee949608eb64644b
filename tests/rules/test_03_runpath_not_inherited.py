"""glibc: a runpath counts for what its own object needs and for nothing further.

Source: glibc elf/dl-load.c, _dl_map_new_object (the loader's l_runpath_dirs alone).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.closure import Considered, FoundBy
from support.elfmaker import library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def test_runpath_is_not_inherited(tmp_path: Path) -> None:
    """A library beside one that a runpath found is missing for that, and the runpath is not said to be considered."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",)))
    tree.put("lib/libmpkb.so", library())
    (missing,) = tree.closure().missing
    assert (missing.name, missing.needed_by) == ("libmpkb.so", tree.at("lib/libmpka.so"))
    assert Considered(tree.at("lib"), FoundBy.RUNPATH) not in missing.considered
    assert missing.considered[-len(tree.constants.directories) :] == tuple(
        Considered(directory, FoundBy.DEFAULT) for directory in tree.constants.directories
    )


def test_a_runpath_hides_all_rpaths(tmp_path: Path) -> None:
    """For what an object with a runpath needs, neither its own rpath nor an inherited one counts."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",), rpath=tree.at("lib"), runpath=tree.at("other")))
    tree.put("lib/libmpkb.so", library())
    (missing,) = tree.closure().missing
    assert missing.considered[0] == Considered(tree.at("other"), FoundBy.RUNPATH)


def test_even_an_empty_runpath_hides_them(tmp_path: Path) -> None:
    """That there is a runpath is enough, though it names no directory."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",), runpath=""))
    tree.put("lib/libmpkb.so", library())
    assert [missing.name for missing in tree.closure().missing] == ["libmpkb.so"]


def test_a_hidden_rpath_is_not_handed_down(tmp_path: Path) -> None:
    """Of an object with both, nothing is inherited: its rpath is as if it were not there."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", rpath=tree.at("lib"), runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",)))
    tree.put("lib/libmpkb.so", library())
    assert [missing.name for missing in tree.closure().missing] == ["libmpkb.so"]


def test_a_runpath_between_does_not_stop_the_chain(tmp_path: Path) -> None:
    """An object without a runpath inherits the rpath of those above one that has a runpath."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",), runpath=tree.at("lib")))
    tree.put("lib/libmpkb.so", library(needed=("libmpkc.so",)))
    tree.put("lib/libmpkc.so", library())
    assert tree.found()["libmpkc.so"] == ("lib/libmpkc.so", "rpath")
