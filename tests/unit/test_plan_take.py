"""What --take brings: files of the base by name, by directory and by pattern, and nothing that is private."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.errors import BadValueError, BaseError, NotInBaseError
from minpack.net.network import Network
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.spec.values import parse_take
from support.badfiles import CERTIFICATE, GLIBC_LOADER, KEY
from support.elfmaker import library, program
from support.tarmaker import archive, directory, hard_link, member, symlink

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
BASE = archive(
    member("lib64/ld-linux-x86-64.so.2", GLIBC_LOADER, mode=0o755),
    member("usr/lib64/libz.so.1", library("libz.so.1")),
    member("usr/lib/tool/plug.so", library(None, ("libz.so.1",)), mode=0o600),
    member("usr/lib/tool/readable.so", library(None, ()), mode=0o640),
    member("usr/lib/tool/helper", program(("libz.so.1",)), mode=0o755, uid=7),
    symlink("usr/lib/tool/data", "/usr/share/tool/data"),
    symlink("usr/lib/tool/gone", "nowhere"),
    symlink("usr/lib/tool/up", ".."),
    directory("usr/lib/tool/empty/"),
    member("usr/share/tool/data/a.txt", b"a"),
    hard_link("usr/share/tool/data/b.txt", "usr/share/tool/data/a.txt"),
    member("usr/share/tool/data/key.pem", KEY),
    member("usr/share/tool/data/cert.pem", CERTIFICATE),
    member("usr/share/tool/data/.hidden", b""),
    member("etc/tool.conf", b"conf"),
    member("etc/shadow", b"root:x\n", mode=0o640),
    member("home/me/tool.txt", b"mine"),
    member("var/lib/tool/state", b"state"),
    symlink("srv", "usr/share"),
    symlink("usr/bin/one", "/usr/lib/tool/helper"),
    symlink("usr/bin/two", "../lib/tool/helper"),
)


def taken(tmp_path: Path, *patterns: str) -> Packed:
    """The plan for a glibc program with what these take."""
    (tmp_path / "app").write_bytes(program())
    (tmp_path / "base.tar").write_bytes(BASE)
    request = ImageSpec((str(tmp_path / "app"),), parse_base(str(tmp_path / "base.tar")), taken=patterns)
    return pack(request, OPTIONS, None)


def paths(result: Packed) -> set[str]:
    """What is there because it was taken."""
    return {one.entry.path for one in result.plan.entries if one.reason.kind is ReasonKind.TAKEN}


def test_a_file_is_roots_and_readable(tmp_path: Path) -> None:
    """By the rules of libraries; the reason is the option, and what it needs comes with it."""
    result = taken(tmp_path, "/usr/lib/tool/helper")
    closures = [closure.program.path for closure in result.plan.closures]
    assert closures == ["/usr/local/bin/app", "/usr/lib/tool/helper"]
    (one,) = (one for one in result.plan.entries if one.entry.path == "/usr/lib/tool/helper")
    assert (one.entry.mode, one.entry.uid, one.source) == (0o755, 0, Origin.BASE)
    assert one.reason.text == "--take /usr/lib/tool/helper"


def test_a_directory_with_all_in_it(tmp_path: Path) -> None:
    """Links lead to what they lead to in the base, empty directories are kept, and what is private is left out."""
    result = taken(tmp_path, "/usr/lib/tool")
    assert paths(result) == {
        *(f"/usr/lib/tool{name}" for name in ("", "/helper", "/data", "/gone", "/up", "/empty")),
        *(f"/usr/share/tool/data{name}" for name in ("", "/a.txt", "/b.txt", "/cert.pem", "/.hidden")),
    }
    assert "/usr/lib64/libz.so.1" in {one.entry.path for one in result.plan.entries}
    left, link = result.notes
    assert left == (
        "--take /usr/lib/tool leaves out 3 files: /usr/lib/tool/plug.so is not for all to read, "
        "/usr/lib/tool/readable.so is not for all to read, /usr/share/tool/data/key.pem holds a private key"
    )
    assert link == "1 added link is broken: /usr/lib/tool/gone -> nowhere"


def test_hard_links_stay_that(tmp_path: Path) -> None:
    """Two names of one file are one file."""
    found = {str(one.path): one for one in taken(tmp_path, "/usr/share/tool").plan.all}
    assert found["/usr/share/tool/data/b.txt"].kind is Kind.HARDLINK


def test_what_was_named_itself_is_taken_whatever_its_mode(tmp_path: Path) -> None:
    """A library that only root may read is for the image's user to load."""
    result = taken(tmp_path, "/usr/lib/tool/plug.so")
    assert paths(result) == {"/usr/lib/tool/plug.so"}
    assert "/usr/lib64/libz.so.1" in {one.entry.path for one in result.plan.entries}


def test_a_pattern_is_a_shells(tmp_path: Path) -> None:
    """It matches part by part, no hidden files, and leads into no one's own files."""
    assert paths(taken(tmp_path, "/usr/share/tool/data/*.txt")) == {
        "/usr/share/tool/data/a.txt",
        "/usr/share/tool/data/b.txt",
    }
    assert paths(taken(tmp_path, "/*/tool.c[a-o]nf")) == {"/etc/tool.conf"}
    for pattern in ("/home/*/tool.txt", "/v*/lib/tool", "/usr/share/tool/data/*hidden"):
        with pytest.raises(NotInBaseError):
            taken(tmp_path, pattern)


def test_private_files_are_refused_by_name(tmp_path: Path) -> None:
    """Passwords, keys and home directories: a file of the host is added by the other option."""
    for path in ("/etc/shadow", "/usr/share/tool/data/key.pem", "/home/me/tool.txt"):
        with pytest.raises(BaseError) as caught:
            taken(tmp_path, path)
        assert f"--take {path} leads to {path!r}, which " in caught.value.message
    assert "/var/lib/tool/state" in paths(taken(tmp_path, "/var/lib/tool"))


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names it, and what else brings files."""
    with pytest.raises(NotInBaseError, match=r"it has no /usr/lib/none, which --take /usr/lib/none names"):
        taken(tmp_path, "/usr/lib/none")
    for text in ("usr/lib", "/"):
        with pytest.raises(BadValueError):
            parse_take(text)


def test_links_on_the_way_are_packed(tmp_path: Path) -> None:
    """The path works in the image as it was written."""
    entries = {str(one.entry.path): one.entry for one in taken(tmp_path, "/srv/tool/data/a.txt").plan.entries}
    assert entries["/srv"].kind is Kind.SYMLINK
    assert "/usr/share/tool/data/a.txt" in entries


@pytest.mark.parametrize(
    "patterns",
    [("/usr/bin/one", "/usr/bin/two"), ("/usr/lib/tool/helper", "/usr/bin/one", "/usr/bin/two"), ("/usr/bin/*",)],
)
def test_every_link_to_one_file_comes(patterns: tuple[str, ...], tmp_path: Path) -> None:
    """Busybox has a program behind each of its names: whoever names two wants both."""
    kinds = {str(one.entry.path): one.entry.kind for one in taken(tmp_path, *patterns).plan.entries}
    assert kinds["/usr/lib/tool/helper"] is Kind.FILE
    assert {kinds.get(f"/usr/bin/{name}") for name in ("one", "two")} == {Kind.SYMLINK}
