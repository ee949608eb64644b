"""musl: the path file replaces the built-in path, even when it is empty; it must be there where the program runs.

Source: musl ldso/dynlink.c, load_library (`sys_path`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Considered, FoundBy
from support.elfmaker import MUSL, library
from support.rulebook import Tree

if TYPE_CHECKING:
    from pathlib import Path

PATH_FILE = "etc/ld-musl-x86_64.path"


def rooted(root: Path) -> Tree:
    """A root with a library in the built-in path, and one in another directory."""
    tree = Tree(root, MUSL, rooted=True)
    tree.app("libmpka.so", "libmpkb.so")
    tree.put("usr/local/lib/libmpka.so", library())
    tree.put("opt/libmpkb.so", library())
    return tree


def test_built_in_path(tmp_path: Path) -> None:
    """Without a path file the loader's own path counts."""
    closure = rooted(tmp_path).closure()
    assert closure.edges[0].path == "/usr/local/lib/libmpka.so"
    assert [c.directory for c in closure.missing[0].considered] == ["/lib", "/usr/local/lib", "/usr/lib"]
    assert closure.settings == ()


@pytest.mark.parametrize("text", ["/opt", "/opt\n", "\n\n/no:/opt:", "/no\n/opt\0/lib"])
def test_path_file(tmp_path: Path, text: str) -> None:
    """With one, the directories in it count and no others; colons and line breaks part them."""
    tree = rooted(tmp_path)
    tree.put(PATH_FILE, text.encode())
    closure = tree.closure()
    assert closure.edges[1].path == "/opt/libmpkb.so"
    assert [missing.name for missing in closure.missing] == ["libmpka.so"]
    assert closure.missing[0].considered[-1] == Considered("/opt", FoundBy.DEFAULT)
    assert [setting.path for setting in closure.settings] == [f"/{PATH_FILE}"]


@pytest.mark.parametrize("text", ["", "\n", "/opt ", " /opt", "# /opt"])
def test_nothing_is_trimmed(tmp_path: Path, text: str) -> None:
    """An empty file is an empty path; blanks are parts of names, and there are no comments."""
    tree = rooted(tmp_path)
    tree.put(PATH_FILE, text.encode())
    assert [missing.name for missing in tree.closure().missing] == ["libmpka.so", "libmpkb.so"]


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    """A directory of that name is an empty path too."""
    tree = rooted(tmp_path)
    tree.put(f"{PATH_FILE}/file", b"")
    names = ["libmpka.so", "libmpkb.so"]
    assert [missing.name for missing in tree.resolve().missing] == names
    if tree.asks:
        assert list(tree.ask().missing) == names


def test_no_way_to_it(tmp_path: Path) -> None:
    """Where it cannot even be looked for, as its directory is none, the path is empty."""
    tree = rooted(tmp_path)
    tree.put("etc", b"no directory")
    assert [missing.name for missing in tree.closure().missing] == ["libmpka.so", "libmpkb.so"]


def test_prefix(tmp_path: Path) -> None:
    """The file is looked for beside the loader's own directory: what lies two parts above it, as text."""
    tree = Tree(tmp_path, MUSL, rooted=True)
    tree.interpreter = "/opt/musl/lib/ld-musl-x86_64.so.1"
    tree.app("libmpka.so")
    tree.put("srv/libmpka.so", library())
    tree.put(f"opt/musl/{PATH_FILE}", b"/srv")
    tree.link("opt/musl/lib/ld-musl-x86_64.so.1", MUSL)
    assert tree.found() == {"libmpka.so": ("srv/libmpka.so", "default")}
