"""glibc before 2.37 looks into ``tls`` of each directory first, on every machine, and so it is no matter of CPUs.

The other subdirectories of its time are (`tests/rules/test_10_hwcaps_passed_over.py`). Source: glibc 2.36
elf/dl-hwcaps.c, _dl_important_hwcaps; NEWS for 2.37.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import library
from support.oracle import NOTHING
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = ("--glibc-hwcaps-mask", "none")


@pytest.mark.parametrize("places", [("tls", ""), ("tls",)])
def test_tls_is_first(tmp_path: Path, places: tuple[str, ...]) -> None:
    """The library there is found, whether there is one beside it or not, by old loaders alone."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    for place in places:
        tree.put(f"lib/{place}/libmpka.so".replace("//", "/"), library())
    found = tree.found(NOTHING, *BASELINE)
    if tree.constants.legacy:
        assert found == {"libmpka.so": ("lib/tls/libmpka.so", "runpath")}
    else:
        assert found == ({"libmpka.so": ("lib/libmpka.so", "runpath")} if "" in places else {})


def test_tls_of_a_system_directory(tmp_path: Path) -> None:
    """Of the directories that are searched last it is no different."""
    tree = Tree(tmp_path, rooted=True)
    tree.app("libmpka.so")
    tree.put("lib/libmpka.so", library())
    tree.put("usr/lib/tls/libmpka.so", library())
    tree.put("lib/tls/libmpka.so", library())
    expected = "lib/tls/libmpka.so" if tree.constants.legacy else "lib/libmpka.so"
    assert tree.found() == {"libmpka.so": (expected, "default")}
