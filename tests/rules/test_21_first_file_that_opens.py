"""A loader stops at a file that is not a library: the search does not go on behind it.

Sources: glibc elf/dl-load.c, open_verify; musl ldso/dynlink.c, map_library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.errors import UnloadableLibraryError
from support.elfedit import set_header
from support.elfmaker import DF_1_PIE, ET_EXEC, GLIBC, MUSL, library, make_elf
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"INPUT(-lmpka)\n" * 20


def two(root: Path, interpreter: str, first: bytes | None) -> Tree:
    """A program with a runpath of two directories: in one is `first`, or a directory, in the other a library."""
    tree = Tree(root, interpreter)
    tree.app("libmpka.so", runpath=f"{tree.at('first')}:{tree.at('second')}")
    tree.put("second/libmpka.so", library())
    if first is None:
        tree.put("first/libmpka.so/inside", b"")
    else:
        tree.put("first/libmpka.so", first)
    return tree


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (TEXT, "a text file|invalid ELF header"),
        (b"", "an empty file|file too short"),
        (None, "directory"),
        (make_elf(dynamic=False), "it has no dynamic section"),
    ],
)
def test_no_library(tmp_path: Path, interpreter: str, content: bytes | None, reason: str) -> None:
    """Text, nothing, a directory, or an ELF file without a dynamic section is the end of it."""
    error = two(tmp_path, interpreter, content).refusal()
    assert error.path.endswith("first/libmpka.so")
    assert any(part in error.reason for part in reason.split("|"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_elf(type_=ET_EXEC), "it is a program and no library"),
        (make_elf(flags_1=DF_1_PIE), "it is a program and no library"),
        (make_elf(osabi=9), "its OS ABI is 9"),
        (set_header(library(), type=1), "only shared libraries"),
        (set_header(library(), phentsize=57), "57 bytes"),
    ],
)
def test_glibc_refuses_more(tmp_path: Path, content: bytes, reason: str) -> None:
    """Nor does glibc take programs, libraries of other systems, or object files."""
    assert reason in two(tmp_path, GLIBC, content).refusal().reason


def test_musl_does_not_see_the_machine(tmp_path: Path) -> None:
    """A library for another machine is loaded by musl, which crashes in it: minpack refuses it."""
    tree = two(tmp_path, MUSL, library(machine="aarch64"))
    with pytest.raises(UnloadableLibraryError, match="it is for aarch64, not x86_64") as caught:
        tree.resolve()
    assert caught.value.path == tree.at("first/libmpka.so")
    if tree.asks:
        assert tree.ask().objects == (("libmpka.so", tree.at("first/libmpka.so")),)
