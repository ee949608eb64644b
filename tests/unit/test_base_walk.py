"""Following paths in a base as the kernel does in a root of its own."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import struct
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.entries import base_of
from minpack.base.walk import MAX_LINKS, Failure, Walker, tree_below
from minpack.content import BytesContent
from minpack.paths import NAME_MAX, PATH_MAX, RootPath
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from support.trees import entries_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SYS_OPENAT2 = 437  # on every architecture but alpha
RESOLVE_IN_ROOT = 0x10


def walker(entries: Mapping[str, str | None]) -> Walker:
    """A walker over paths, each with the target of a symlink, or None for a file."""
    made: list[Entry] = []
    for name, target in entries.items():
        path = RootPath(name)
        made.append(file(path, BytesContent(b"")) if target is None else symlink(path, target))
    return Walker(base_of("tree", made))


def leads_to(over: Walker, path: str) -> str:
    """Where `path` leads: a physical path, or the name of the failure."""
    walk = over.walk(path)
    assert (walk.entry is None) == (walk.failure is not None)
    return str(walk.entry.path) if walk.entry is not None else str(walk.failure)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/lib/libc.so", "/usr/lib/libc.so"),
        ("/lib/libc.so", "/usr/lib/libc.so"),
        ("/lib64/libc.so", "/usr/lib/libc.so"),
        ("lib/libc.so", "/usr/lib/libc.so"),
        ("//lib///libc.so", "/usr/lib/libc.so"),
        ("/./lib/./libc.so", "/usr/lib/libc.so"),
        ("/lib/../bin/sh", "/usr/bin/sh"),
        ("/usr/bin/../../lib/../lib/libc.so", "/usr/lib/libc.so"),
        ("/../../usr/bin/sh", "/usr/bin/sh"),
        ("/", "/"),
        ("/..", "/"),
        ("/lib/", "/usr/lib"),
        ("/lib", "/usr/lib"),
        ("/lib/.", "/usr/lib"),
        ("/lib/..", "/usr"),
        ("", "ENOENT"),
        ("/none", "ENOENT"),
        ("/none/..", "ENOENT"),
        ("/lib/none", "ENOENT"),
        ("/usr/bin/sh/", "ENOTDIR"),
        ("/usr/bin/sh/.", "ENOTDIR"),
        ("/usr/bin/sh/..", "ENOTDIR"),
        ("/usr/bin/sh/x", "ENOTDIR"),
        ("/shell/", "ENOTDIR"),
        ("/shell/x", "ENOTDIR"),
        ("/slash", "ENOTDIR"),
        ("/slash/.", "ENOTDIR"),
        ("/shell", "/usr/bin/sh"),
        ("/out", "/usr/bin/sh"),
    ],
)
def test_paths_of_a_merged_usr_lead_where_they_do_on_linux(path: str, expected: str) -> None:
    """Links, dots, repeated and trailing slashes, paths through files: as path_resolution(7) says."""
    over = walker(
        {
            "/lib": "usr/lib",
            "/lib64": "/lib",
            "/usr/lib/libc.so": None,
            "/usr/bin/sh": None,
            "/shell": "/usr/bin/sh",
            "/slash": "usr/bin/sh/",
            "/out": "../../../../usr/bin/sh",
        }
    )
    assert leads_to(over, path) == expected


@pytest.mark.parametrize(("links", "expected"), [(MAX_LINKS, "/end"), (MAX_LINKS + 1, "ELOOP")])
def test_forty_links_are_followed_and_no_more(links: int, expected: str) -> None:
    """The kernel's limit is exact, in a chain and along one path."""
    chain = {f"/l{n}": f"l{n + 1}" for n in range(links - 1)} | {f"/l{links - 1}": "end", "/end": None}
    assert leads_to(walker(chain), "/l0") == expected
    along = walker({"/d": "/", "/end": None})
    assert leads_to(along, "/d" * links + "/end") == expected


@pytest.mark.parametrize("target", ["loop", "/loop", "./loop", "../loop", "loop/x", "other"])
def test_loops_end(target: str) -> None:
    """A link to itself, directly or not, is a loop."""
    assert leads_to(walker({"/loop": target, "/other": "loop"}), "/loop") == "ELOOP"


def test_links_that_double_the_path_end() -> None:
    """Links whose targets name two links each do not grow without end."""
    over = walker({f"/l{n}": f"l{n + 1}/l{n + 1}" for n in range(40)} | {"/l40": "."})
    assert leads_to(over, "/l0") == "ELOOP"


def test_links_that_lead_through_thousands_of_directories_end() -> None:
    """As many parts as one path can have are followed, and not forty times as many."""
    there = "/a" + "/../a" * 800
    assert leads_to(walker({"/a/end": None, "/l0": f"{there}/end"}), "/l0") == "/a/end"
    chain = {f"/l{n}": f"{there}/../l{n + 1}" for n in range(30)} | {"/l30": "a/end", "/a/end": None}
    assert leads_to(walker(chain), "/l0") == "ELOOP"


def test_names_and_paths_that_are_too_long_fail_as_on_linux() -> None:
    """Lengths count in bytes: a part may have 255, a path 4095."""
    over = walker({"/f": None})
    assert leads_to(over, "/" + "n" * NAME_MAX) == "ENOENT"
    assert leads_to(over, "/" + "n" * (NAME_MAX + 1)) == "ENAMETOOLONG"
    assert leads_to(over, "/" + "ü" * 128) == "ENAMETOOLONG"
    assert leads_to(over, "/" * (PATH_MAX - 2) + "f") == "/f"
    assert leads_to(over, "/" * (PATH_MAX - 1) + "f") == "ENAMETOOLONG"
    assert leads_to(over, "/ü" * (PATH_MAX // 3 + 1)) == "ENAMETOOLONG"


def test_the_trail_has_links_and_directories_in_order() -> None:
    """Every symlink followed and directory passed is there once, without the root and the end."""
    over = walker({"/lib": "usr/lib", "/usr/lib/so": "../local/so.1", "/usr/local/so.1": None})
    walk = over.walk("/lib/so")
    assert walk.entry is not None
    assert walk.entry.path == "/usr/local/so.1"
    assert [str(e.path) for e in walk.trail] == ["/lib", "/usr", "/usr/lib", "/usr/lib/so", "/usr/local"]
    assert [e.kind for e in walk.trail].count(Kind.SYMLINK) == 2


def test_the_trail_has_directories_that_were_left_again() -> None:
    """What was passed on a way with ``..`` must be there too, or the path would not lead anywhere."""
    over = walker({"/a/b/c": None, "/d/e": None})
    assert [str(e.path) for e in over.walk("/a/b/../../d/e").trail] == ["/a", "/a/b", "/d"]
    assert [str(e.path) for e in over.walk("/a/b/..").trail] == ["/a/b"]


def test_the_trail_of_a_failure_ends_where_it_failed() -> None:
    """What was passed until then is there, dangling and looping links too."""
    over = walker({"/a/link": "/none/x", "/a/loop": "loop"})
    dangling, loop = over.walk("/a/link"), over.walk("/a/loop")
    assert (dangling.failure, [str(e.path) for e in dangling.trail]) == (Failure.MISSING, ["/a", "/a/link"])
    assert (loop.failure, [str(e.path) for e in loop.trail]) == (Failure.LOOP, ["/a", "/a/loop"])


def test_only_regular_files_are_found_as_files() -> None:
    """Directories and special files are there, and are not files."""
    special = Entry(RootPath("/null"), Kind.SPECIAL, 0o666)
    over = Walker(base_of("tree", [special, directory(RootPath("/d")), file(RootPath("/f"), BytesContent(b""))]))
    assert [over.find_file(path) is not None for path in ("/f", "/d", "/null", "/none")] == [True, False, False, False]
    assert leads_to(over, "/null") == "/null"
    assert leads_to(over, "/null/x") == "ENOTDIR"


def in_kernel(root: int, path: bytes) -> str:
    """Where the kernel finds `path` with the directory `root` as its root, in `leads_to`'s words."""
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(SYS_OPENAT2, root, path, how, len(how))
    while descriptor < 0 and ctypes.get_errno() == errno.EAGAIN:  # something was renamed meanwhile (openat2(2))
        descriptor = libc.syscall(SYS_OPENAT2, root, path, how, len(how))
    if descriptor < 0:
        return errno.errorcode[ctypes.get_errno()]
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@pytest.fixture
def has_openat2(tmp_path: Path) -> None:
    """The kernel can look paths up in a root of their own (Linux 5.6)."""
    descriptor = os.open(tmp_path, os.O_PATH)
    try:
        if in_kernel(descriptor, b".") in ("ENOSYS", "EPERM"):
            pytest.skip("the kernel has no openat2")
    finally:
        os.close(descriptor)


NAMES = ("a", "b", "c", "d")


def random_path(chance: random.Random, length: int) -> str:
    """A path of names, dots and repeated slashes, absolute or not."""
    parts = chance.choices((*NAMES, "..", ".", ""), weights=(6, 6, 6, 6, 5, 1, 1), k=chance.randint(1, length))
    return ("/" if chance.random() < 0.4 else "") + "/".join(parts) or "/"


def make_mess(root: Path, chance: random.Random) -> None:
    """Directories three deep with files, FIFOs and links to anywhere."""
    places = [root]
    for place in places:
        for name in NAMES:
            path = place / name
            kind = chance.random()
            if kind < 0.35 and len(path.relative_to(root).parts) < 4:
                path.mkdir()
                places.append(path)
            elif kind < 0.45:
                path.write_bytes(b"")
            elif kind < 0.48:
                os.mkfifo(path)
            elif kind < 0.9:
                path.symlink_to(random_path(chance, 5))


@pytest.mark.usefixtures("has_openat2")
@pytest.mark.parametrize("seed", range(12))
def test_random_paths_lead_where_the_kernel_finds_them(seed: int, tmp_path: Path) -> None:
    """In a mess of links every path has the kernel's end or the kernel's error, from a directory and from entries."""
    chance = random.Random(seed)  # noqa: S311 - the same mess every time
    root = tmp_path / "root"
    root.mkdir()
    make_mess(root, chance)
    (tmp_path / "a").write_bytes(b"outside")
    base = DirectoryBase(str(root))
    walkers = Walker(base), Walker(base_of("entries", entries_in(base)))
    descriptor = os.open(root, os.O_PATH)
    seen: dict[str, int] = {}
    try:
        for _ in range(400):
            path = random_path(chance, 7)
            expected = in_kernel(descriptor, path.encode())
            expected = expected.removeprefix(str(root)) or "/"
            assert [leads_to(over, path) for over in walkers] == [expected, expected], path
            seen[expected] = seen.get(expected, 0) + 1
    finally:
        os.close(descriptor)
    assert len(seen) > 3


@pytest.mark.usefixtures("has_openat2")
@pytest.mark.parametrize("links", [39, 40, 41])
def test_the_kernel_has_the_same_limit(links: int, tmp_path: Path) -> None:
    """A chain of links ends in the kernel just where it does here."""
    (tmp_path / "end").write_bytes(b"")
    for n in range(links):
        (tmp_path / f"l{n}").symlink_to(f"l{n + 1}" if n < links - 1 else "end")
    descriptor = os.open(tmp_path, os.O_PATH)
    try:
        expected = in_kernel(descriptor, b"/l0").removeprefix(str(tmp_path))
    finally:
        os.close(descriptor)
    assert leads_to(Walker(DirectoryBase(str(tmp_path))), "/l0") == expected
    assert (expected == "ELOOP") == (links > MAX_LINKS)


def test_all_that_is_below_a_directory() -> None:
    """Each directory comes before what is in it; links are not followed, and what is passed over is with all in it."""
    tree = walker({"/a/b/c": None, "/a/b/d/e": None, "/a/f": "b", "/a/g/h": None, "/z": None}).base
    found = [path for path, entry in tree_below(tree, RootPath("/a"), {RootPath("/a/g")}) if entry is not None]
    assert found == ["/a/b", "/a/f", "/a/b/c", "/a/b/d", "/a/b/d/e"]
    everything = [path for path, _ in tree_below(tree, RootPath("/"))]
    assert len(everything) == len(set(everything)) == 9
    assert list(tree_below(tree, RootPath("/z"))) == []


def test_a_place_behind_links_that_lead_nowhere_yet() -> None:
    """What is missing on the way is as if it were there; a part that is something else keeps all from it."""
    over = walker({"/lib": "usr/lib", "/opt": "srv/opt", "/file": None})
    where = over.locate(RootPath("/opt/app/x"))
    assert (where.path, [link.path for link in where.links], where.blocked) == ("/srv/opt/app/x", ["/opt"], None)
    blocked = over.locate(RootPath("/file/x")).blocked
    assert blocked is not None
    assert blocked.path == "/file"
