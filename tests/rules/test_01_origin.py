"""``$ORIGIN`` is the directory of the object whose rpath or runpath it stands in.

Sources: glibc elf/dl-load.c, _dl_dst_substitute; musl ldso/dynlink.c, fixup_rpath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
@pytest.mark.parametrize("token", ["$ORIGIN", "${ORIGIN}"])
def test_origin_of_the_program(tmp_path: Path, interpreter: str, token: str) -> None:
    """With and without braces, it is the directory that the program is in."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", "libmpkb.so", runpath=f"{token}/../lib:{token}")
    tree.put("lib/libmpka.so", library())
    tree.put("bin/libmpkb.so", library())
    assert tree.found() == {
        "libmpka.so": ("bin/../lib/libmpka.so", "runpath"),
        "libmpkb.so": ("bin/libmpkb.so", "runpath"),
    }


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_origin_of_a_library(tmp_path: Path, interpreter: str) -> None:
    """In a library's rpath, it is the directory that the library was found in."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath="$ORIGIN/../lib")
    tree.put("lib/libmpka.so", library(needed=("libmpkb.so",), rpath="$ORIGIN/plugins"))
    tree.put("lib/plugins/libmpkb.so", library())
    assert tree.found()["libmpkb.so"] == ("bin/../lib/plugins/libmpkb.so", "rpath")


def test_what_follows_the_name(tmp_path: Path) -> None:
    """For glibc a letter behind it makes it another name, left as it is; musl takes it for text."""
    for interpreter, directory in ((GLIBC, "$ORIGINX"), (MUSL, f"{tmp_path}/{MUSL[-3:]}/binX")):
        tree = Tree(tmp_path / interpreter[-3:], interpreter)
        tree.app("libmpka.so", runpath="$ORIGINX")
        tree.put("binX/libmpka.so", library())
        assert tree.closure().edges[0].path == (f"{directory}/libmpka.so" if interpreter == MUSL else "")


def test_origin_of_a_program_in_the_root(tmp_path: Path) -> None:
    """There it is ``/`` for glibc, and nothing at all for musl, which then looks nowhere."""
    for interpreter, found in ((GLIBC, True), (MUSL, False)):
        tree = Tree(tmp_path / interpreter[-3:], interpreter, rooted=True)
        tree.program = "app"
        tree.app("libmpka.so", runpath="$ORIGIN")
        tree.put("libmpka.so", library())
        assert bool(tree.closure().missing) != found
