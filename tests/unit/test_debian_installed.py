"""The packages that a root of Debian's has installed, by dpkg's database or as distroless keeps it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.packages import PackageId
from minpack.base.walk import Walker
from minpack.content import read_all
from minpack.debian.installed import InstalledDebianPackages
from minpack.errors import UsageError
from minpack.paths import RootPath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from minpack.rootfs.entry import Entry

LIBC = b"""\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9
Maintainer: GNU Libc Maintainers <libc@example.org>
Description: GNU C Library
 with a second line
"""
SSL = b"Package: libssl3\nStatus: install ok installed\nArchitecture: all\nSource: openssl (3.0.1)\nVersion: 3.0.1+b1\n"
GONE = b"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n"
FILES = {
    "usr/lib/x/libc.so.6": b"libc",
    "usr/lib/x/libssl.so.3": b"ssl",
    "usr/bin/mine": b"mine",
    "usr/share/doc/libc6/copyright": b"LGPL",
}
ID = PackageId("libc6", "2.36-9", "amd64")


def sums(*paths: str) -> bytes:
    """Lines of the MD5 of files that are listed at `paths`."""
    data = {path: FILES[path if path in FILES else f"usr/{path}"] for path in paths}
    return b"".join(
        f"{hashlib.md5(one, usedforsecurity=False).hexdigest()}  {path}\n".encode() for path, one in data.items()
    )


def with_dpkg(root: Path) -> None:
    """A database of dpkg's; libc's list is of before /lib became a link."""
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_bytes(b"\n".join((LIBC, GONE, SSL)))
    (info / "libc6:amd64.list").write_bytes(b"/.\n/lib\n/lib/x\n/lib/x/libc.so.6\n/usr/share/doc/libc6/copyright\n")
    (info / "libc6:amd64.md5sums").write_bytes(sums("lib/x/libc.so.6", "usr/share/doc/libc6/copyright"))
    (info / "libssl3.list").write_bytes(b"/usr/lib/x/libssl.so.3\n/usr/lib/x/libssl.so\n")
    (info / "gone.list").write_bytes(b"/usr/bin/mine\n")
    (info / "libc6:amd64.postinst").write_bytes(b"/usr/bin/mine\n")


def with_records(root: Path) -> None:
    """As distroless keeps it."""
    records = root / "var/lib/dpkg/status.d"
    records.mkdir(parents=True)
    (records / "libc6").write_bytes(LIBC)
    (records / "libc6.md5sums").write_bytes(sums("usr/lib/x/libc.so.6", "usr/share/doc/libc6/copyright"))
    (records / "libssl3").write_bytes(SSL.replace(b"Status: install ok installed\n", b""))
    (records / "libssl3.md5sums").write_bytes(sums("usr/lib/x/libssl.so.3"))


@pytest.fixture(params=[with_dpkg, with_records])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Walker:
    """A root with both packages and a file of nobody's."""
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/x/libssl.so").symlink_to("libssl.so.3")
    request.param(tmp_path)
    return Walker(DirectoryBase(str(tmp_path)))


def entry(root: Walker, path: str) -> Entry:
    """What is there."""
    found = root.lstat(RootPath(path))
    assert found is not None
    return found


def contents(entries: Iterable[Entry]) -> dict[str, bytes]:
    """The files and what they have."""
    return {str(one.path): read_all(one.content, 1 << 20) for one in entries if one.content is not None}


def test_a_file_is_its_packages_as_long_as_it_is_as_the_root_has_it(root: Walker) -> None:
    """Wherever lists have it; what is installed no more owns nothing."""
    packages = InstalledDebianPackages(root)
    libc = entry(root, "/usr/lib/x/libc.so.6")
    assert packages.owner(libc) == ID
    assert packages.owner(entry(root, "/usr/bin/mine")) is None
    assert packages.owner(libc._replace(content=entry(root, "/usr/bin/mine").content)) is None


def test_records_are_of_the_packages_that_gave_a_file(root: Walker) -> None:
    """Their paragraphs as they are, the sums of those files alone, and licences."""
    packages = InstalledDebianPackages(root)
    files = [entry(root, path) for path in ("/usr/lib/x/libc.so.6", "/usr/bin/mine")]
    found = contents(packages.database(files))
    assert sorted(found) == [
        "/usr/share/doc/libc6/copyright",
        "/var/lib/dpkg/status.d/libc6",
        "/var/lib/dpkg/status.d/libc6.md5sums",
    ]
    assert found["/var/lib/dpkg/status.d/libc6"] == LIBC
    assert found["/var/lib/dpkg/status.d/libc6.md5sums"].count(b"\n") == 1
    assert not packages.notes
    assert len(contents(packages.database(files, licences=False))) == 2
    assert [note.partition(":")[0] for note in packages.notes] == ["the licence text of 1 package is left out"]


def test_facts_are_those_of_the_paragraph(root: Walker) -> None:
    """The source with its version, and who maintains it."""
    packages = InstalledDebianPackages(root)
    assert packages.facts(ID)[:2] == ("glibc", "2.36-9")
    assert packages.facts(ID).supplier == "GNU Libc Maintainers <libc@example.org>"
    assert packages.facts(PackageId("libssl3", "3.0.1+b1", "all"))[:2] == ("openssl", "3.0.1")
    assert packages.facts(PackageId("none", "1", "all")) == packages.facts(PackageId("gone", "1", "amd64"))


def test_a_whole_package_is_one_that_is_installed(root: Walker) -> None:
    """There are no repositories to fetch another from."""
    packages = InstalledDebianPackages(root)
    assert RootPath("/usr/lib/x/libssl.so.3") in packages.add("libssl3")
    with pytest.raises(UsageError, match="it is not installed in the base"):
        packages.add("gone")


def test_a_database_that_lies_is_no_end(tmp_path: Path) -> None:
    """Names that are paths, paragraphs without a version, lists of nothing, bytes that are no text."""
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_bytes(
        b"\n\n\nPackage: ../../x\nVersion: 1\n\nPackage: y\n\n\xff\xfe\n\nPackage: z\nVersion: 1\nArchitecture: \xff"
    )
    (tmp_path / "var/lib/dpkg/info/z.list").write_bytes(b"/../../up\n\n//\n/\xff\n" + b"/" + b"x" * 5000)
    packages = InstalledDebianPackages(Walker(DirectoryBase(str(tmp_path))))
    assert all(path.startswith("/") for path in packages.add("z"))
    with pytest.raises(UsageError):
        packages.add("../../x")
