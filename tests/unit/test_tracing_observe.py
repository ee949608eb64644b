"""What accesses come to in two trees: used, absent, of the machine, made meanwhile; packed or not."""

from __future__ import annotations

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.paths import RootPath
from minpack.rootfs.entry import directory, file, symlink
from minpack.strace.access import Access, TraceLog, Use
from minpack.tracing.observe import Observations, Observer, lacking

SCRIPT = b"#!/bin/run -x\n"
TREE = (
    file(RootPath("/bin/run"), BytesContent(SCRIPT), 0o755),
    file(RootPath("/bin/tool"), BytesContent(b"#! /bin/run\n"), 0o755),
    file(RootPath("/usr/share/app/data"), BytesContent(b"x")),
    file(RootPath("/usr/share/app/__pycache__/a.pyc"), BytesContent(b"x")),
    file(RootPath("/etc/hosts"), BytesContent(b"x")),
    file(RootPath("/root/secret"), BytesContent(b"x")),
    symlink(RootPath("/share"), "usr/share"),
    symlink(RootPath("/usr/share/app/link"), "data"),
    symlink(RootPath("/usr/share/app/dangling"), "nothing"),
    directory(RootPath("/var/lib/app")),
)


def observed(*accesses: Access) -> Observations:
    """What the accesses come to in `TREE`."""
    return Observer(Walker(base_of("tree", TREE)), "/home/me").observe(TraceLog(accesses))


@pytest.mark.parametrize(
    ("access", "part", "path"),
    [
        (Access("/usr/share/app/none", Use.OPENED, "ENOENT"), "absent", "/usr/share/app/none"),
        (Access("/none", Use.OPENED), "own", "/none"),
        (Access("/home/me/.config", Use.OPENED), "own", "/home/me/.config"),
        (Access("/root/secret", Use.OPENED), "own", "/root/secret"),
        (Access("/etc/hosts", Use.OPENED), "machine", "/etc/hosts"),
        (Access("/etc/ld.so.preload", Use.EXAMINED, "ENOENT"), "machine", "/etc/ld.so.preload"),
        (Access("/run/x.sock", Use.EXAMINED, "ENOENT"), "machine", "/run/x.sock"),
        (Access("/usr/share/app/__pycache__/a.pyc", Use.OPENED), "machine", "/usr/share/app/__pycache__/a.pyc"),
        (Access("/usr/share/app/__pycache__/a.pyc.1", Use.WRITTEN, "EACCES"), "machine",
         "/usr/share/app/__pycache__/a.pyc.1"),
        (Access("/usr/share/app", Use.OPENED), "listed", "/usr/share/app"),
        (Access("/share/app", Use.OPENED), "listed", "/usr/share/app"),
        (Access("/var/lib/app/new", Use.WRITTEN), "written", "/var/lib/app/new"),
    ],
)  # fmt: skip
def test_each_access_has_its_part(access: Access, part: str, path: str) -> None:
    """What is of the base, and what is of the machine, the user or the run."""
    found = observed(access)
    values = [one.path if isinstance(one, Access) else one for one in getattr(found, part)]
    assert values == [path]
    assert found.used == ()


def test_the_kernels_files_are_counted() -> None:
    """Each path once; what the program's user may not read is told."""
    found = observed(
        Access("/proc/self/maps", Use.OPENED),
        Access("/proc/self/maps", Use.EXAMINED),
        Access("/dev/null", Use.OPENED),
        Access("/usr/share/app/data", Use.OPENED, "EACCES"),
        Access("/usr/share/app/new", Use.WRITTEN, "EROFS"),
    )
    assert found.kernel == 2
    assert [one.path for one in found.refused] == ["/usr/share/app/data", "/usr/share/app/new"]


@pytest.mark.parametrize(
    ("access", "path", "real"),
    [
        (Access("/usr/share/app/data", Use.OPENED), "/usr/share/app/data", "/usr/share/app/data"),
        (Access("/share/app/data", Use.OPENED), "/share/app/data", "/usr/share/app/data"),
        (Access("/usr/share/app/link", Use.OPENED), "/usr/share/app/link", "/usr/share/app/data"),
        (Access("/usr/share/app/link", Use.EXAMINED, follows=False), "/usr/share/app/link", "/usr/share/app/link"),
        (Access("/share/../share/app/data", Use.OPENED), "/usr/share/app/data", "/usr/share/app/data"),
        (Access("/usr/share/app/data", Use.EXAMINED, "EINVAL"), "/usr/share/app/data", "/usr/share/app/data"),
    ],
)
def test_links_are_followed_in_the_tree(access: Access, path: str, real: str) -> None:
    """A path is kept as the program had it; ``..`` is above where a link leads."""
    (used,) = observed(access).used
    assert (used.path, used.entry.path, used.uses) == (path, real, (access.use,))


def test_a_file_that_is_sought_as_a_directory_is_not_used() -> None:
    """The loader of glibc examines each place where it looked for libraries in vain, such as DIRECTORY/x86_64."""
    below, itself = Access("/bin/tool/libx.so", Use.OPENED, "ENOTDIR"), Access("/bin/tool", Use.EXAMINED)
    assert observed(below, itself).used == ()
    assert [one.path for one in observed(below, itself).absent] == ["/bin/tool/libx.so"]
    assert [one.path for one in observed(itself).used] == ["/bin/tool"]
    assert [one.path for one in observed(below, itself, Access("/bin/tool", Use.OPENED)).used] == ["/bin/tool"]
    other = Access("/bin/tools/libx.so", Use.OPENED, "ENOENT")
    assert [one.path for one in observed(other, itself).used] == ["/bin/tool"]


def test_the_interpreters_of_scripts_are_executed_too() -> None:
    """As the kernel opens them by itself; scripts that start each other end."""
    found = observed(Access("/bin/tool", Use.EXECUTED))
    assert [(one.path, one.uses) for one in found.used] == [
        ("/bin/run", (Use.EXECUTED,)),
        ("/bin/tool", (Use.EXECUTED,)),
    ]


def test_a_file_is_packed_if_its_path_leads_to_it_in_the_image() -> None:
    """One that the program has by a link is not, where the link is missing."""
    accesses = [Access(path, Use.OPENED) for path in ("/share/app/data", "/usr/share/app/data", "/usr/share/app/link")]
    used = observed(*accesses, Access("/usr/share/app/dangling", Use.EXAMINED, follows=False)).used
    image = Walker(base_of("image", [TREE[2]]))
    assert [one.path for one in lacking(used, image)] == [
        "/share/app/data", "/usr/share/app/dangling", "/usr/share/app/link",
    ]  # fmt: skip
    assert lacking(used, Walker(base_of("image", TREE))) == ()
