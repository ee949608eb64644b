"""glibc loads what DT_FILTER and DT_AUXILIARY name, and lists it in front of the object that names it.

Source: glibc elf/dl-deps.c, _dl_map_object_deps. musl knows neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import DT_AUXILIARY, DT_FILTER, DT_NEEDED, GLIBC, MUSL, library, make_elf
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


def filtered(root: Path, interpreter: str, *, filters: tuple[str, ...] = (), auxiliaries: tuple[str, ...] = ()) -> Tree:
    """A program that needs a, with the filters, and c; b and c are there too."""
    tree = Tree(root, interpreter)
    tree.app("libmpka.so", "libmpkc.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", make_elf(needed=("libmpkd.so",), filters=filters, auxiliaries=auxiliaries))
    for name in "bcd":
        tree.put(f"lib/libmpk{name}.so", library())
    return tree


def order(tree: Tree) -> str:
    """The letters of the libraries, in load order."""
    return "".join(name[len("libmpk")] for name in tree.found())


@pytest.mark.parametrize(
    ("filters", "auxiliaries", "expected"),
    [
        ((), (), "acd"),
        (("libmpkb.so",), (), "bacd"),
        ((), ("libmpkb.so",), "bacd"),
        # What is listed behind it already is moved to the front of it.
        (("libmpkc.so", "libmpkb.so"), (), "cbad"),
        (("libmpkd.so",), ("libmpkb.so",), "dbac"),
    ],
)
def test_order(tmp_path: Path, filters: tuple[str, ...], auxiliaries: tuple[str, ...], expected: str) -> None:
    """The filters of an object come right before it, in their order."""
    assert order(filtered(tmp_path, GLIBC, filters=filters, auxiliaries=auxiliaries)) == expected


@pytest.mark.parametrize(
    "entries",
    ["AbFcNd", "FcAbNd", "NdAbFc", "AbNcFd", "FdNbAc", "NbFbAcNd", "FcNbAd", "AdNdNcFb", "AaFbNcNb", "FbAbNbFc"],
)
def test_the_file_s_order(tmp_path: Path, entries: str) -> None:
    """Needs, filters (F) and auxiliaries (A) are taken in the order that they have in the dynamic section."""
    tree = Tree(tmp_path, GLIBC)
    tags = {"N": DT_NEEDED, "F": DT_FILTER, "A": DT_AUXILIARY}
    tree.app("libmpka.so", "libmpkc.so", rpath=tree.at("lib"))
    first = tuple((tags[tag], f"libmpk{letter}.so") for tag, letter in zip(entries[::2], entries[1::2], strict=True))
    tree.put("lib/libmpka.so", make_elf(first=first))
    for name in "bcd":
        tree.put(f"lib/libmpk{name}.so", library(needed=("libmpkb.so",) if name == "d" else ()))
    found = order(tree)
    assert set(found) == {"a", "c"} | set(entries[1::2]) | ({"b"} if "d" in entries else set())
    assert found.index(entries[entries.index("F") + 1]) <= found.index("a")


@pytest.mark.parametrize(
    ("filter_", "needed", "expected"),
    [("libmpkc.so", ("libmpkc.so", "libmpka.so"), "cad"), ("libmpka.so", ("libmpka.so", "libmpkc.so"), "acd")],
)
def test_what_is_listed_before_stays(tmp_path: Path, filter_: str, needed: tuple[str, ...], expected: str) -> None:
    """A filter that is listed in front of its object already, or is the object itself, is not moved."""
    tree = filtered(tmp_path, GLIBC, filters=(filter_,))
    tree.app(*needed, rpath=tree.at("lib"))
    assert order(tree) == expected


def test_missing_filter(tmp_path: Path) -> None:
    """A filter that is not there is missing; an auxiliary one is not needed."""
    tree = filtered(tmp_path, GLIBC, filters=("libmpknone.so",))
    assert [missing.name for missing in tree.closure().missing] == ["libmpknone.so"]


@pytest.mark.parametrize("content", [None, b"text\n" * 20])
def test_missing_auxiliary(tmp_path: Path, content: bytes | None) -> None:
    """Neither its absence nor a file that is not a library is more than nothing."""
    tree = filtered(tmp_path, GLIBC, auxiliaries=("libmpkaux.so",))
    if content is not None:
        tree.put("lib/libmpkaux.so", content)
    closure = tree.resolve()
    assert closure.missing == ()
    assert len(closure.edges) == 3
    if tree.asks:
        assert [name for name, _ in tree.ask().objects] == [o.name for o in closure.objects[1:-1]]


def test_musl_knows_none(tmp_path: Path) -> None:
    """For musl there are no such entries."""
    assert order(filtered(tmp_path, MUSL, filters=("libmpkb.so",), auxiliaries=("libmpkb.so",))) == "acd"
