"""A file that is loaded already is not loaded again under another name; but it is opened, and so must be there.

Sources: glibc elf/dl-load.c, _dl_map_object_from_fd; musl ldso/dynlink.c, load_library (device and inode).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
@pytest.mark.parametrize("hard", [True, False])
def test_another_name(tmp_path: Path, interpreter: str, hard: bool) -> None:
    """A hard or a symbolic link to it is found, and answers as what is loaded; it is noted with its path."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    if hard:
        tree.hard_link("lib/libmpkb.so", "lib/libmpka.so")
    else:
        tree.link("lib/libmpkb.so", "libmpka.so")
    closure = tree.closure()
    assert [o.name for o in closure.objects[1:2]] == ["libmpka.so"]
    assert [(edge.name, edge.found_by) for edge in closure.edges] == [
        ("libmpka.so", "runpath"),
        ("libmpkb.so", "loaded"),
    ]
    assert [(alias.name, alias.path) for alias in closure.aliases] == [("libmpkb.so", tree.at("lib/libmpkb.so"))]


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_a_copy_is_another_file(tmp_path: Path, interpreter: str) -> None:
    """The same bytes in two files are two objects."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/libmpkb.so", library())
    assert len(tree.found()) == 2


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_the_program_is_not_known_by_its_file(tmp_path: Path, interpreter: str) -> None:
    """Opened as a library, the file of the program is a new object; glibc then refuses it, being a program."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.link("lib/libmpka.so", "../bin/app")
    if interpreter == GLIBC:
        assert "program" in tree.refusal().reason
    else:
        assert tree.found() == {"libmpka.so": ("lib/libmpka.so", "runpath")}
