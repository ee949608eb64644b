"""glibc passes over libraries of the other class or of another machine, and goes on to the next directory.

Source: glibc elf/dl-load.c, open_verify.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("machine", ["x86", "x32", "aarch64", "armhf"])
def test_foreign_library_is_passed_over(tmp_path: Path, machine: str) -> None:
    """A 32-bit file or one for another machine hides nothing."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=f"{tree.at('foreign')}:{tree.at('own')}")
    tree.put("foreign/libmpka.so", library(machine=machine))
    tree.put("own/libmpka.so", library())
    assert tree.found() == {"libmpka.so": ("own/libmpka.so", "runpath")}


def test_another_byte_order(tmp_path: Path) -> None:
    """At a big-endian library the loader stops, but Debian's, which looks at the machine first, passes it over."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=f"{tree.at('foreign')}:{tree.at('own')}")
    tree.put("foreign/libmpka.so", library(machine="s390x"))
    tree.put("own/libmpka.so", library())
    if tree.constants.debian:
        assert tree.found() == {"libmpka.so": ("own/libmpka.so", "runpath")}
    else:
        assert tree.refusal().reason == "its data are not little-endian"


def test_only_foreign_ones(tmp_path: Path) -> None:
    """Where all are passed over, the library is missing."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("foreign"))
    tree.put("foreign/libmpka.so", library(machine="x86"))
    assert [missing.name for missing in tree.closure().missing] == ["libmpka.so"]
