"""musl drops a library that is a whole C library of its own, musl's or another, and takes its own instead.

It is one if it defines both ``__libc_start_main`` and ``stdin`` itself, whatever its name is. Source: musl
ldso/dynlink.c, load_library ("Avoid the danger of getting two versions of libc").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import MUSL
from support.rulebook import Tree
from support.symbolmaker import Symbol, linked_elf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BOTH = (Symbol("__libc_start_main"), Symbol("stdin"))


def tree_with(root: Path, symbols: Sequence[Symbol], *, by_path: bool = False) -> Tree:
    """A program that needs a library with these symbols by its name or its path, and after it another."""
    tree = Tree(root, MUSL)
    tree.app(tree.at("lib/libmpka.so") if by_path else "libmpka.so", "libmpkb.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", linked_elf(symbols, soname="libmpka.so").data)
    tree.put("lib/libmpkb.so", linked_elf((Symbol("f"),), needed=("libmpka.so",)).data)
    return tree


@pytest.mark.parametrize("by_path", [False, True])
def test_it_is_dropped(tmp_path: Path, *, by_path: bool) -> None:
    """Found by its name or named by its path: the loader answers, each time anew, and the file must be there for it."""
    tree = tree_with(tmp_path, BOTH, by_path=by_path)
    closure = tree.closure()
    assert [o.path for o in closure.objects] == [tree.at("bin/app"), MUSL, tree.at("lib/libmpkb.so")]
    assert [(edge.found_by, edge.path) for edge in closure.edges if edge.name.endswith("a.so")] == [
        ("reserved", MUSL),
        ("reserved", MUSL),
    ]
    assert {str(alias.entry.path) for alias in closure.aliases} == {tree.at("lib/libmpka.so")}


@pytest.mark.parametrize(
    "symbols",
    [
        (Symbol("__libc_start_main"),),
        (Symbol("stdin"),),
        (Symbol("__libc_start_main"), Symbol("stdin", 0, value=0)),
        (Symbol("__libc_start_main"), Symbol("stdin", value=0)),
        (Symbol("__libc_start_main"), Symbol("stdin", version=0x8002)),
        (Symbol("__libc_start_main"), Symbol("stdin1"), Symbol("1stdin")),
    ],
    ids=["start", "stdin", "undefined", "no value", "hidden", "other names"],
)
def test_others_are_kept(tmp_path: Path, symbols: Sequence[Symbol]) -> None:
    """One of the two, or one that is not defined, or is no default version, makes no C library."""
    hidden = any(symbol.version > 1 for symbol in symbols)
    tree = tree_with(tmp_path, symbols)
    if hidden:
        from support.symbolmaker import Version

        data = linked_elf(symbols, soname="libmpka.so", versions=(Version("V_1", 1, 1), Version("V_2", 2))).data
        tree.put("lib/libmpka.so", data)
    assert tree.found()["libmpka.so"] == ("lib/libmpka.so", "runpath")


def test_musl_s_own_under_another_name(tmp_path: Path) -> None:
    """A copy of the loader is one; so would be glibc's libc, which a program built for musl may name by its path."""
    tree = tree_with(tmp_path, BOTH)
    if not tree.asks:
        pytest.skip(f"this machine has no {MUSL}")
    with open(MUSL, "rb") as own:
        tree.put("lib/libmpka.so", own.read())
    assert [o.path for o in tree.closure().objects] == [tree.at("bin/app"), MUSL, tree.at("lib/libmpkb.so")]
