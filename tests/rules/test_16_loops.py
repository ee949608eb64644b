"""A link that leads to itself ends the whole search with musl, and with glibc the list of directories it is met in.

Sources: musl ldso/dynlink.c, path_open (any errno but four); glibc elf/dl-load.c, open_path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Environment
from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def looped(root: Path, interpreter: str) -> Tree:
    """A program with two directories in its runpath: the link in the first one leads to itself."""
    tree = Tree(root, interpreter)
    tree.app("libmpka.so", runpath=f"{tree.at('loop')}:{tree.at('lib')}")
    tree.link("loop/libmpka.so", "libmpka.so")
    tree.put("lib/libmpka.so", library())
    return tree


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_loop(tmp_path: Path, interpreter: str) -> None:
    """The next directory of the list is not looked into."""
    assert [missing.name for missing in looped(tmp_path, interpreter).closure().missing] == ["libmpka.so"]


def test_glibc_goes_on_with_the_next_list(tmp_path: Path) -> None:
    """Of LD_LIBRARY_PATH and the runpath, the second is searched when the first met a loop."""
    tree = looped(tmp_path, GLIBC)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    assert tree.found(Environment(tree.at("loop"))) == {"libmpka.so": ("lib/libmpka.so", "runpath")}


def test_musl_does_not(tmp_path: Path) -> None:
    """For musl it is the end."""
    tree = looped(tmp_path, MUSL)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    assert [missing.name for missing in tree.closure(Environment(tree.at("loop"))).missing] == ["libmpka.so"]


@pytest.mark.parametrize(("interpreter", "count"), [(GLIBC, 0), (MUSL, 1)])
def test_looped_directory(tmp_path: Path, interpreter: str, count: int) -> None:
    """A directory that is such a link is for glibc a directory that is not there."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath=f"{tree.at('loop')}:{tree.at('lib')}")
    tree.link("loop", "loop")
    tree.put("lib/libmpka.so", library())
    assert len(tree.closure().missing) == count


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_dangling_link(tmp_path: Path, interpreter: str) -> None:
    """A link to nothing is nothing, for both."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath=f"{tree.at('gone')}:{tree.at('lib')}")
    tree.link("gone/libmpka.so", "nowhere")
    tree.put("lib/libmpka.so", library())
    assert tree.found() == {"libmpka.so": ("lib/libmpka.so", "runpath")}
