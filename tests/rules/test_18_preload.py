"""LD_PRELOAD comes first, right behind the program; one that cannot be had is passed over.

Sources: glibc elf/rtld.c, do_preload and handle_preload_list; musl ldso/dynlink.c, load_preload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Environment
from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
@pytest.mark.parametrize("separator", [" ", ":", " : "])
def test_preload(tmp_path: Path, interpreter: str, separator: str) -> None:
    """Names and paths in it are loaded in their order, before what the program needs, with their own needs last."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/libmpkx.so", library(needed=("libmpkz.so",), runpath=tree.at("lib")))
    tree.put("lib/libmpky.so", library())
    tree.put("lib/libmpkz.so", library())
    environment = Environment(tree.at("lib"), separator.join(("libmpkx.so", tree.at("lib/libmpky.so"))))
    found = tree.found(environment)
    assert [path.rpartition("/")[2] for path, _ in found.values()] == [
        "libmpkx.so",
        "libmpky.so",
        "libmpka.so",
        "libmpkz.so",
    ]
    assert [rule for _, rule in found.values()] == ["preload", "preload", "library-path", "library-path"]


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_what_cannot_be_preloaded(tmp_path: Path, interpreter: str) -> None:
    """Neither a name that nothing answers to nor a text file stops the program, and neither counts as missing."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/text", b"text\n" * 20)
    closure = tree.closure(Environment(preload=f"libmpknone.so {tree.at('lib/text')} {tree.at('lib')}"))
    assert closure.missing == ()
    assert [edge.path for edge in closure.edges] == ["", "", "", tree.at("lib/libmpka.so")]


@pytest.mark.parametrize(("interpreter", "found"), [(GLIBC, True), (MUSL, False)])
def test_the_programs_rpath(tmp_path: Path, interpreter: str, found: bool) -> None:
    """For glibc the program is what needs it, and so its rpath counts; for musl nobody does."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    tree.put("lib/libmpkx.so", library())
    assert ("libmpkx.so" in tree.found(Environment(preload="libmpkx.so"))) is found


def test_the_preload_file_of_a_base_is_not_heeded(tmp_path: Path) -> None:
    """What /etc/ld.so.preload names belongs to the system it lies in: it is none of the program's needs."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so", runpath="/lib")
    tree.put("lib/libmpka.so", library())
    tree.put("lib/libmpkx.so", library())
    assert len(tree.found()) == 1
    tree.put("etc/ld.so.preload", b"/lib/libmpkx.so\n")
    if tree.asks:
        assert len(tree.ask(Environment()).objects) == 2
    assert len(tree.resolve(Environment()).objects) == 3
