"""musl: libc, libm, libpthread and others are the loader itself, whatever follows; so is the interpreter's path.

Source: musl ldso/dynlink.c, load_library (`reserved`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.elfmaker import MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    ["libc.so", "libc.so.6", "libc.musl-x86_64.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", MUSL],
)
def test_reserved(tmp_path: Path, name: str) -> None:
    """A library of such a name is never looked for, though one is there."""
    tree = Tree(tmp_path, MUSL)
    tree.app(name, rpath=tree.at("lib"))
    tree.put(f"lib/{name.rpartition('/')[2]}", library())
    closure = tree.closure()
    assert [(edge.found_by, edge.path) for edge in closure.edges] == [("reserved", MUSL)]
    assert [o.path for o in closure.objects] == [tree.at("bin/app"), MUSL]


@pytest.mark.parametrize(
    "name", ["libresolv.so.2", "libcrypt.so.1", "libgcc_s.so.1", "libcmpk.so", "ld-linux-mpk.so.2"]
)
def test_not_reserved(tmp_path: Path, name: str) -> None:
    """Other names are names like any."""
    tree = Tree(tmp_path, MUSL)
    tree.app(name, rpath=tree.at("lib"))
    tree.put(f"lib/{name}", library())
    assert tree.found() == {name: (f"lib/{name}", "rpath")}


def test_the_loader_is_listed_where_it_is_first_named(tmp_path: Path) -> None:
    """Its place in the order is that of the first object to need it."""
    tree = Tree(tmp_path, MUSL)
    tree.app("libmpka.so", "libc.so", "libmpkb.so", rpath=tree.at("lib"))
    tree.put("lib/libmpka.so", library(needed=("libc.so",)))
    tree.put("lib/libmpkb.so", library())
    names = [o.path.rpartition("/")[2] for o in tree.closure().objects]
    assert names == ["app", "libmpka.so", MUSL.rpartition("/")[2], "libmpkb.so"]


def test_the_loaders_own_file(tmp_path: Path) -> None:
    """Found by a search, the loader's file is the C library it is: it is not loaded a second time."""
    tree = Tree(tmp_path, MUSL, rooted=True)
    name = MUSL.rpartition("/")[2]
    tree.app(name, "libmpka.so", runpath="/opt")
    tree.put("opt/libmpka.so", library())
    tree.link(f"opt/{name}", MUSL)
    closure = tree.closure()
    assert [o.path for o in closure.objects] == ["/bin/app", MUSL, "/opt/libmpka.so"]
    assert [alias.path for alias in closure.aliases] == [f"/opt/{name}"]
