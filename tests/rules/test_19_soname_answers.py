"""glibc: a loaded object answers to its soname, to the names it was asked for by, and to the path it was opened by.

Source: glibc elf/dl-load.c, _dl_lookup_map; elf/dl-misc.c, _dl_name_match_p.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.elfmaker import library, program
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def test_soname(tmp_path: Path) -> None:
    """A library that is loaded under another file name is not searched for by its soname."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", "libmpka.so.1", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library("libmpka.so.1"))
    tree.put("lib/libmpka.so.1", library("libmpka.so.1"))
    closure = tree.closure()
    assert [(edge.found_by, edge.path) for edge in closure.edges] == [
        ("runpath", tree.at("lib/libmpka.so")),
        ("loaded", tree.at("lib/libmpka.so")),
    ]
    assert closure.aliases == ()


def test_path_it_was_opened_by(tmp_path: Path) -> None:
    """A path is compared as text with the one a search opened: nothing is opened again for it."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", tree.at("lib/libmpka.so"), runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    closure = tree.closure()
    assert closure.edges[1].found_by == "loaded"
    assert closure.aliases == ()


def test_soname_of_the_program(tmp_path: Path) -> None:
    """The program answers to its own soname too, if it has one."""
    tree = Tree(tmp_path)
    tree.put("bin/app", program(("libmpkapp.so", "libmpka.so"), soname="libmpkapp.so", runpath=tree.at("lib")))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/libmpkapp.so", library())
    assert tree.found() == {"libmpka.so": ("lib/libmpka.so", "runpath")}


def test_soname_of_the_loader(tmp_path: Path) -> None:
    """What needs the loader by its soname gets the one that runs."""
    tree = Tree(tmp_path)
    tree.app("ld-linux-x86-64.so.2", "libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/ld-linux-x86-64.so.2", library())
    closure = tree.closure()
    assert closure.edges[0].found_by == "loaded"
    assert [o.path for o in closure.objects][1:] == [tree.interpreter, tree.at("lib/libmpka.so")]


def test_the_kernels_own_object(tmp_path: Path) -> None:
    """The vDSO is there before anything is searched for: its name is not missing, and no file answers to it."""
    tree = Tree(tmp_path)
    tree.app("linux-vdso.so.1", "libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    closure = tree.closure()
    assert closure.missing == ()
    assert [edge.name for edge in closure.edges] == ["libmpka.so"]
