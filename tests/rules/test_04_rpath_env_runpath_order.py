"""glibc: rpaths come before LD_LIBRARY_PATH, and the runpath after it. For musl LD_LIBRARY_PATH is before both.

Sources: ld.so(8), DESCRIPTION; musl ldso/dynlink.c, load_library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Environment
from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("interpreter", "kind", "expected"),
    [
        (GLIBC, "rpath", ("own/libmpka.so", "rpath")),
        (GLIBC, "runpath", ("env/libmpka.so", "library-path")),
        (MUSL, "rpath", ("env/libmpka.so", "library-path")),
        (MUSL, "runpath", ("env/libmpka.so", "library-path")),
    ],
)
def test_which_comes_first(tmp_path: Path, interpreter: str, kind: str, expected: tuple[str, str]) -> None:
    """Of a library in both, the loader takes the one by its rule."""
    tree = Tree(tmp_path, interpreter)
    own = tree.at("own")
    tree.app("libmpka.so", rpath=own if kind == "rpath" else None, runpath=own if kind == "runpath" else None)
    tree.put("own/libmpka.so", library())
    tree.put("env/libmpka.so", library())
    assert tree.found(Environment(tree.at("env"))) == {"libmpka.so": expected}


def test_separators_of_the_variable(tmp_path: Path) -> None:
    """LD_LIBRARY_PATH is split by glibc at semicolons too, with tokens in it that have the program's values."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", "libmpkb.so")
    tree.put("a/libmpka.so", library())
    tree.put("b/libmpkb.so", library())
    found = tree.found(Environment(f"{tree.at('a')};$ORIGIN/../b"))
    assert found == {
        "libmpka.so": ("a/libmpka.so", "library-path"),
        "libmpkb.so": ("bin/../b/libmpkb.so", "library-path"),
    }


def test_musl_takes_the_variable_as_it_is(tmp_path: Path) -> None:
    """Nothing is replaced by musl in LD_LIBRARY_PATH, and a semicolon is a part of a name."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so")
    tree.put("a/libmpka.so", library())
    closure = tree.closure(Environment(f"$ORIGIN/../a:{tree.at('a')};{tree.at('a')}"))
    assert [missing.name for missing in closure.missing] == ["libmpka.so"]
