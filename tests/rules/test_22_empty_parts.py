"""An empty part of a path is the working directory for glibc, and nothing for musl.

Sources: glibc elf/dl-load.c, fillin_rpath; musl ldso/dynlink.c, path_open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Environment
from support.elfmaker import GLIBC, MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("runpath", [":/no", "/no:", "/no::/no"])
def test_glibc(tmp_path: Path, runpath: str) -> None:
    """The library is opened by its bare name, where the program is started."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=runpath)
    tree.put("work/libmpka.so", library(needed=("libmpkb.so",), runpath="$ORIGIN"))
    tree.put("work/libmpkb.so", library())
    assert tree.found(Environment(working_directory=tree.at("work"))) == {
        "libmpka.so": ("libmpka.so", "runpath"),
        "libmpkb.so": ("work/libmpkb.so", "runpath"),
    }


@pytest.mark.parametrize("runpath", [":/no", "/no:", "/no::/no"])
def test_musl(tmp_path: Path, runpath: str) -> None:
    """The part is as if it were not there."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", runpath=runpath)
    tree.put("work/libmpka.so", library())
    assert len(tree.closure(Environment(working_directory=tree.at("work"))).missing) == 1


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_an_empty_path_is_none(tmp_path: Path, interpreter: str) -> None:
    """A path with nothing in it names no directory, not even the working one."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath="")
    tree.put("work/libmpka.so", library())
    assert len(tree.closure(Environment(working_directory=tree.at("work"))).missing) == 1


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
def test_relative_directory(tmp_path: Path, interpreter: str) -> None:
    """A relative directory starts in the working directory, for both."""
    tree = Tree(tmp_path, interpreter)
    tree.app("libmpka.so", runpath="lib")
    tree.put("lib/libmpka.so", library())
    assert tree.found(Environment(working_directory=str(tmp_path))) == {"libmpka.so": ("lib/libmpka.so", "runpath")}
