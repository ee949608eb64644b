"""Tools come with all that they need, and name nothing outside of the directory that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.apk.installed import parse_installed
from minpack.base.options import BaseOptions, PackageOptions
from minpack.content import BytesContent
from minpack.debug.places import LOADER, SHELL, relative, relocated
from minpack.debug.tools import newest_alpine, open_tools
from minpack.elf.read import read_elf
from minpack.errors import BaseError, MissingLibraryError, NotInBaseError, UnknownBaseError, UsageError
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Kind
from minpack.spec.base_ref import parse_base
from minpack.spec.debug import ToolsSpec
from minpack.target import Platform
from support.apkmaker import Made, file, link, make_package
from support.badfiles import GLIBC_LOADER
from support.elfmaker import GLIBC, MUSL, library, program, static_program
from support.mirror import Mirror
from support.repository import KEY, NOW, Place, library_package
from support.tarmaker import archive, hard_link, member
from support.toolsbases import shell_members, write_tools_base

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.rootfs.entry import Entry

AMD64 = Platform("linux", "amd64")
OPTIONS = BaseOptions(None, Network(offline=True), "2026-11-30", packages=PackageOptions(NOW))
DEEP = f"{'usr/lib/private'}/libdeep.so.1"


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    """A directory and a server of packages."""
    with Mirror() as mirror:
        yield Place(tmp_path, mirror)


def tool(name: str, *items: object, depends: str = "", **given: object) -> Made:
    """A package."""
    return make_package(name, "1.0-r0", items, keys=(KEY,), depends=depends, **given)  # type: ignore[arg-type]


def tools(place: Place, *names: str, base: str | None = None) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """The tools of a base with a shell and of packages by their paths, and the notes."""
    shell = shell_members(program((), interpreter=MUSL))
    spec = ToolsSpec(parse_base(base or place.base(*shell)), names)
    with open_tools(spec, AMD64, place.options(), no_progress) as made:
        kept = {entry.path: entry._replace(content=_read(entry)) for entry in made.entries}
        return {str(path): entry for path, entry in kept.items()}, made.notes


def _read(entry: Entry) -> BytesContent | None:
    if entry.content is None:
        return None
    with entry.content.open() as reader:
        return BytesContent(reader.read_at(0, entry.content.size))


def text(entry: Entry) -> bytes:
    """The bytes of a file."""
    assert isinstance(entry.content, BytesContent)
    return entry.content.data


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/bin/busybox", "/.debug/bin/busybox"),
        ("/usr/bin/gdb", "/.debug/bin/gdb"),
        ("/usr/sbin/tcpdump", "/.debug/bin/tcpdump"),
        ("/lib/libz.so.1", "/.debug/lib/libz.so.1"),
        ("/usr/lib/python3.12/os.py", "/.debug/lib/python3.12/os.py"),
        ("/usr/share/gdb/python/gdb/__init__.py", "/.debug/share/gdb/python/gdb/__init__.py"),
        ("/etc/ssl/certs/ca-certificates.crt", "/.debug/etc/ssl/certs/ca-certificates.crt"),
        ("/usr/local/lib/libx.so", "/.debug/local/lib/libx.so"),
    ],
)
def test_directories_of_each_kind_become_one(path: str, place: str) -> None:
    """As on a system whose /usr is merged, one level higher."""
    assert relocated(RootPath(path)) == place


def test_links_are_relative() -> None:
    """They lead to the same from another root: below /proc/1/root, say."""
    assert relative(RootPath("/.debug/bin/ls"), RootPath("/.debug/bin/busybox")) == "busybox"
    assert relative(RootPath("/.debug/lib/a/b"), RootPath("/.debug/lib/c")) == "../c"
    assert relative(RootPath("/.debug/bin/x"), RootPath("/.debug/share/x/y")) == "../share/x/y"


def test_programs_name_the_loader_that_is_there(place: Place) -> None:
    """So no wrapper starts them; all other bytes of them are as before."""
    found, _ = tools(place)
    shell = text(found["/.debug/bin/busybox"])
    assert read_elf(BytesContent(shell)).interpreter == LOADER
    original = program((), interpreter=MUSL)
    assert len(shell) == len(original)
    assert sum(old != new for old, new in zip(original, shell, strict=True)) <= len(MUSL) + 1
    assert found[LOADER].mode == 0o755
    assert text(found["/.debug/etc/ld-musl-x86_64.path"]) == b"/.debug/lib:/.debug/local/lib"
    assert {path for path in found if not path.startswith("/.debug")} == set()


def test_a_package_brings_all_that_it_depends_on(place: Place) -> None:
    """Packages by name and by the libraries that they provide, with theirs; whole, with data and links."""
    place.publish(
        tool(
            "strace",
            file("usr/bin/strace", program(("libdw.so.1",), interpreter=MUSL), 0o755),
            depends="so:libdw.so.1 common>1 !conflicting /bin/sh cmd:gone so:libc.musl-x86_64.so.1",
        ),
        library_package("libdw.so.1", ("libz.so.1",), depends="so:libz.so.1"),
        tool("common", file("usr/share/common/data", b"data"), link("usr/share/common/again", "data"), depends="loop"),
        tool("loop", file("etc/loop", b"x"), depends="common"),
        community=(library_package("libz.so.1"),),
    )
    found, notes = tools(place, "strace")
    assert {"/.debug/bin/strace", "/.debug/lib/libdw.so.1", "/.debug/lib/libz.so.1"} <= found.keys()
    assert found["/.debug/share/common/again"].link == "data"
    assert text(found["/.debug/etc/loop"]) == b"x"
    assert notes == ("strace depends on so:libc.musl-x86_64.so.1, which no package has",)


def test_scripts_name_the_tools_interpreter(place: Place) -> None:
    """By the name that they call it by: of busybox it is that which says what it does."""
    place.publish(
        tool(
            "scripts",
            file("usr/bin/first", b"#!/bin/sh -e\necho 1\n", 0o755),
            file("usr/bin/second", b"#! /usr/bin/env awk\n", 0o755),
            file("usr/bin/other", b"#!/opt/none\n", 0o755),
            file("usr/share/text", b"#!/bin/sh\n"),
        )
    )
    found, _ = tools(place, "scripts")
    assert text(found["/.debug/bin/first"]) == f"#!{SHELL} -e\necho 1\n".encode()
    assert text(found["/.debug/bin/second"]) == b"#! /.debug/bin/env awk\n"
    assert text(found["/.debug/bin/other"]) == b"#!/opt/none\n"
    assert text(found["/.debug/share/text"]) == b"#!/bin/sh\n"


def test_a_packages_program_takes_the_place_of_the_shells(place: Place) -> None:
    """As `env` of coreutils that of busybox."""
    place.publish(tool("coreutils", file("bin/env", static_program(), 0o755)))
    found, _ = tools(place, "coreutils")
    assert text(found["/.debug/bin/env"]) == static_program()
    assert found["/.debug/bin/ls"].kind is Kind.SYMLINK


def test_directories_that_programs_name_are_searched(place: Place) -> None:
    """An rpath leads out of the tools' directory; what it names is searched there all the same."""
    item = file(DEEP, library("libdeep.so.1"), 0o755)
    app = program(("libdeep.so.1",), interpreter=MUSL, runpath="/usr/lib/private:$ORIGIN/../lib")
    place.publish(tool("deep", file("usr/bin/deep", app, 0o755), item))
    found, _ = tools(place, "deep")
    assert text(found["/.debug/etc/ld-musl-x86_64.path"]) == b"/.debug/lib:/.debug/local/lib:/.debug/lib/private"


def test_what_needs_another_loader_is_left_out(place: Place) -> None:
    """And told."""
    place.publish(tool("mixed", file("usr/bin/mixed", program((), interpreter=GLIBC), 0o755)))
    found, notes = tools(place, "mixed")
    assert "/.debug/bin/mixed" not in found
    assert notes == (f"/usr/bin/mixed is left out: it needs the loader {GLIBC}",)


def test_a_database_says_which_packages_they_are_of(place: Place) -> None:
    """With the files at their places; what was changed has no sum there."""
    place.publish(tool("strace", file("usr/bin/strace", program((), interpreter=MUSL), 0o755), file("etc/x", b"1")))
    found, _ = tools(place, "strace")
    known = {one.name: one for one in parse_installed(text(found["/.debug/lib/apk/db/installed"]))}
    assert set(known) == {"busybox", "musl", "strace"}
    sums = {one.path: bool(one.checksum) for one in known["strace"].files}
    assert sums == {"/.debug/bin/strace": False, "/.debug/etc/x": True}
    assert text(found["/.debug/etc/os-release"]).startswith(b"ID=alpine")
    assert b"pkg:apk/alpine/strace@1.0-r0?" in text(found["/.debug/share/sbom/debug-tools.spdx.json"])


def test_a_static_shell_needs_no_loader(place: Place) -> None:
    """As that of the busybox image, whose commands are hard links."""
    static = static_program()
    members = (member("bin/busybox", static, mode=0o755), hard_link("bin/cat", "bin/busybox"))
    (place.path / "static.tar").write_bytes(archive(*members))
    found, _ = tools(place, base=str(place.path / "static.tar"))
    assert set(found) == {
        *("/.debug", "/.debug/bin", "/.debug/bin/busybox", "/.debug/bin/cat", "/.debug/bin/sh"),
        *("/.debug/share", "/.debug/share/sbom", "/.debug/share/sbom/debug-tools.spdx.json"),
    }
    assert found["/.debug/bin/cat"].link == "busybox"


def test_bases_without_such_a_shell_are_refused(place: Place) -> None:
    """There is none, or it is for glibc."""
    bare = place.path / "bare.tar"
    bare.write_bytes(archive(member("etc/x", b"")))
    with pytest.raises(NotInBaseError, match="it has no /bin/busybox, which has the shell"):
        tools(place, base=str(bare))
    loader = member(GLIBC[1:], GLIBC_LOADER, mode=0o755)
    bare.write_bytes(archive(loader, member("bin/busybox", program((), interpreter=GLIBC), mode=0o755)))
    with pytest.raises(BaseError, match="its /bin/busybox needs glibc"):
        tools(place, base=str(bare))


def test_packages_that_are_not_there_are_refused(place: Place) -> None:
    """None has the name, a library is nowhere, or the base has no packages at all."""
    place.publish(
        tool("broken", file("usr/bin/broken", program(("libnone.so.9",), interpreter=MUSL), 0o755)),
        library_package("libfoo.so.1", name="foo"),
    )
    for name in ("none", "so:libfoo.so.1"):
        with pytest.raises(UsageError, match="no such package"):
            tools(place, name)
    with pytest.raises(MissingLibraryError, match="libnone"):
        tools(place, "broken")
    base = place.path / "busybox.tar"
    base.write_bytes(archive(member("bin/busybox", static_program(), mode=0o755)))
    with pytest.raises(UsageError, match="has no package repositories"):
        tools(place, "foo", base=str(base))


def test_the_newest_release_of_the_catalogue_has_the_tools() -> None:
    """For the platform, if there is one."""
    assert newest_alpine(AMD64, "2026-11-30").text == "alpine-3.24"
    with pytest.raises(UnknownBaseError, match="it has no release for linux/mips64le"):
        newest_alpine(Platform("linux", "mips64le"), "2026-11-30")


def test_the_layer_is_the_same_from_a_file_and_a_directory(tmp_path: Path) -> None:
    """Owners and modes of a directory of this host's are not the tools'."""
    write_tools_base(tmp_path / "tools.tar")
    (tmp_path / "tree").mkdir()
    import tarfile

    with tarfile.open(tmp_path / "tools.tar") as tar:
        tar.extractall(tmp_path / "tree", filter="fully_trusted")
    found = []
    for name in ("tools.tar", "tree"):
        with open_tools(ToolsSpec(parse_base(str(tmp_path / name))), AMD64, OPTIONS, no_progress) as made:
            found.append([entry._replace(content=_read(entry)) for entry in made.entries])
    assert found[0] == found[1]
