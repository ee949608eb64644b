"""glibc: in a tree without a cache, as packages leave it, what ldconfig(8) would put into one is found.

The loader itself never reads ld.so.conf: an image is given a cache of what was found so. Source: glibc elf/ldconfig.c,
parse_conf, search_dir. The real ldconfig is run on the tree afterwards, and the real loader must find the same.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.ld.closure import Closure, Considered, FoundBy
from support.elfmaker import library
from support.oracle import NOTHING, listing
from support.rulebook import Tree
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = ("--glibc-hwcaps-mask", "none")


def resolved(tree: Tree) -> Closure:
    """What minpack says of the tree without a cache, and then with one; the real loader says the same with it."""
    before = tree.resolve()
    if os.geteuid() == 0:
        done = subprocess.run([need_tool("ldconfig"), "-X", "-r", str(tree.root)], capture_output=True, check=True)
        assert (tree.root / "etc" / "ld.so.cache").exists(), done.stderr
        assert listing(tree.closure(NOTHING, *BASELINE)) == listing(before)
    return before


def found(closure: Closure) -> dict[str, tuple[str, str]]:
    """Path and rule of each library by its name."""
    own = (closure.program, closure.interpreter)
    return {o.name: (o.path, str(o.found_by)) for o in closure.objects if o not in own}


CONF = """
# libraries of our own
/opt/one/ # first
include conf.d/*.conf /etc/other/x.conf
\t/opt/two
relative/path
/opt/three=libc6
hwcap 0 nosegneg
include /etc/none/*.conf
"""


@pytest.mark.tool
def test_directories_and_includes(tmp_path: Path) -> None:
    """Comments, blanks, trailing slashes and what follows an equals sign are left out; includes are taken in place."""
    tree = Tree(tmp_path, rooted=True)
    tree.put("etc/ld.so.conf", CONF.encode())
    tree.put("etc/conf.d/b.conf", b"/opt/b")
    tree.put("etc/conf.d/a.conf", b"/opt/a\ninclude deeper.conf\n")
    tree.put("etc/conf.d/deeper.conf", b"/opt/deeper")
    tree.put("etc/conf.d/.hidden.conf", b"/opt/hidden")
    tree.put("etc/conf.d/c.txt", b"/opt/text")
    tree.put("etc/other/x.conf", b"/opt/x\n")
    directories = ["one", "a", "deeper", "b", "x", "two", "three"]
    for place in (*directories, "hidden", "text"):
        tree.put(f"opt/{place}/libmpk{place}.so", library(f"libmpk{place}.so"))
        tree.put(f"opt/{place}/libmpkall.so", library("libmpkall.so"))
    tree.app("libmpkall.so", *(f"libmpk{place}.so" for place in directories))
    closure = resolved(tree)
    assert found(closure) == {
        "libmpkall.so": ("/opt/one/libmpkall.so", "configured"),
        **{f"libmpk{place}.so": (f"/opt/{place}/libmpk{place}.so", "configured") for place in directories},
    }
    assert {entry.soname for entry in closure.cached} == set(found(closure))
    edges = {edge.name: edge.considered for edge in closure.edges}
    assert edges["libmpka.so"][:2] == (
        Considered("/opt/one", FoundBy.CONFIGURED),
        Considered("/opt/a", FoundBy.CONFIGURED),
    )


@pytest.mark.tool
def test_what_is_cached(tmp_path: Path) -> None:
    """A file by its soname, or without one by its name; a link by its own; nothing for other machines, or text."""
    tree = Tree(tmp_path, rooted=True)
    tree.put("etc/ld.so.conf", b"/opt/lib\n/opt/more\n")
    tree.put("opt/lib/libmpka.so.1", library("libmpka.so.1"))
    tree.put("opt/lib/libmpkb.so", library())
    tree.put("opt/lib/libmpkc.so.1.2", library("libmpkc.so.1"))
    tree.link("opt/lib/libmpkc.so.1", "libmpkc.so.1.2")
    tree.link("opt/lib/libmpkc.so", "libmpkc.so.1")
    tree.put("opt/lib/libmpkd.so", library("libmpkd.so", machine="s390x"))
    tree.put("opt/lib/libmpke.so", b"text\n")
    tree.put("opt/lib/mpkf.so", library("mpkf.so"))
    for name in "de":
        tree.put(f"opt/more/libmpk{name}.so", library(f"libmpk{name}.so"))
    names = ("libmpka.so.1", "libmpkb.so", "libmpkc.so.1", "libmpkd.so", "libmpke.so")
    tree.app(*names, "libmpkc.so.1.2", "mpkf.so")
    closure = resolved(tree)
    more = ("libmpkd.so", "libmpke.so")
    assert found(closure) == {
        name: (f"/opt/{'more' if name in more else 'lib'}/{name}", "configured") for name in names
    }
    assert [missing.name for missing in closure.missing] == ["libmpkc.so.1.2", "mpkf.so"]


@pytest.mark.tool
def test_system_directories_among_them(tmp_path: Path) -> None:
    """They come in the order of the file, and need no cache; an object with DF_1_NODEFLIB takes nothing in them."""
    tree = Tree(tmp_path, rooted=True)
    system = tree.constants.directories[-1]
    tree.put("etc/ld.so.conf", f"{system}\n/opt\n".encode())
    for place in (system, "/opt"):
        tree.put(f"{place[1:]}/libmpka.so", library("libmpka.so"))
    tree.app("libmpka.so")
    closure = resolved(tree)
    assert (found(closure), closure.cached) == ({"libmpka.so": (f"{system}/libmpka.so", "default")}, ())
    (tree.root / "etc" / "ld.so.cache").unlink(missing_ok=True)
    tree.app("libmpka.so", flags_1=0x800)
    assert tree.resolve().missing == () == tree.resolve().audits
    assert found(tree.resolve()) == {"libmpka.so": ("/opt/libmpka.so", "configured")}


def test_a_cache_speaks_alone(tmp_path: Path) -> None:
    """Where there is a cache, even a damaged one, the file is not read."""
    tree = Tree(tmp_path, rooted=True)
    tree.put("etc/ld.so.conf", b"/opt\n")
    tree.put("opt/libmpka.so", library("libmpka.so"))
    tree.put("etc/ld.so.cache", b"nonsense")
    tree.app("libmpka.so")
    assert len(tree.closure().missing) == 1


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    """It is read once, as nothing new comes of it; ldconfig would not end."""
    tree = Tree(tmp_path, rooted=True)
    tree.put("etc/ld.so.conf", b"include *.conf ld.so.conf\ninclude ld.so.conf\n/opt\n")
    tree.put("opt/libmpka.so", library("libmpka.so"))
    tree.app("libmpka.so")
    assert found(tree.resolve()) == {"libmpka.so": ("/opt/libmpka.so", "configured")}
