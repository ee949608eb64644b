"""Libraries for better CPUs are passed over: what runs everywhere is what is packed.

glibc looks into ``glibc-hwcaps/<level>`` of each directory first (elf/dl-load.c, open_path), but only for the levels
of the CPU it runs on; on the least of CPUs it finds what minpack does. Its option to leave levels out simulates that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.elfmaker import library
from support.oracle import NOTHING
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = ("--glibc-hwcaps-mask", "none")


def test_baseline(tmp_path: Path) -> None:
    """Of a library with variants the one for all CPUs is found."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library())
    for level in (2, 3, 4):
        tree.put(f"lib/glibc-hwcaps/x86-64-v{level}/libmpka.so", library())
    assert tree.found(NOTHING, *BASELINE) == {"libmpka.so": ("lib/libmpka.so", "runpath")}


def test_variants_alone(tmp_path: Path) -> None:
    """A library that is there for better CPUs alone is missing."""
    tree = Tree(tmp_path)
    tree.app("libmpka.so", runpath=tree.at("lib"))
    tree.put("lib/glibc-hwcaps/x86-64-v2/libmpka.so", library())
    assert [missing.name for missing in tree.closure(NOTHING, *BASELINE).missing] == ["libmpka.so"]
