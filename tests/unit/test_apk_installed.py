"""The database of installed packages: real ones are read, and what is written is what was read."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.apk.checksum import Checksum, parse_checksum
from minpack.apk.installed import InstalledFile, InstalledPackage, parse_installed, write_installed
from minpack.paths import RootPath

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("alpine-3.17.3-x86_64", 30),
        ("alpine-3.21.0-x86_64", 47),
        ("alpine-3.23.4-aarch64", None),
        ("alpine-3.24.1-x86", None),
        ("wolfi-x86_64", None),
    ],
)
def test_real_databases_survive(data: Path, name: str, count: int | None) -> None:
    """Packages and files of a real database are all there, and written again they are the same."""
    raw = (data / "apk" / "db" / f"installed-{name}").read_bytes()
    packages = parse_installed(raw)
    assert len(packages) == raw.count(b"\nP:") + raw.startswith(b"P:")
    assert count in (None, len(packages))
    assert sum(len(package.files) for package in packages) == raw.count(b"\nR:")
    assert parse_installed(write_installed(packages)) == tuple(
        package._replace(files=tuple(sorted(package.files, key=lambda f: f.path.rpartition("/")[::2])))
        for package in sorted(packages)
    )


@pytest.mark.data
def test_a_real_root_has_what_its_database_says(alpine_x86_64: Path) -> None:
    """Every checksum of a minirootfs's database is that of its file, or of its link's target."""
    with tarfile.open(alpine_x86_64) as tar:
        members = {member.name.removeprefix("."): member for member in tar}
        database = tar.extractfile("./lib/apk/db/installed")
        assert database is not None
        packages = parse_installed(database.read())
        other = set()
        checked = 0
        for file in (file for package in packages for file in package.files if file.checksum):
            member = members[file.path]
            opened = tar.extractfile(member) if member.isreg() else None
            said = opened.read() if opened is not None else member.linkname.encode()
            if parse_checksum(file.checksum) != Checksum("sha1", hashlib.sha1(said, usedforsecurity=False).digest()):
                other.add(file.path)
            assert member.mode == file.mode or member.issym()
            checked += 1
        assert checked > 80
        # Alpine's genrootfs.sh locks root's password after the packages were installed.
        assert other == {"/etc/shadow"}


def test_odd_lines() -> None:
    """Empty values, an order of their own, and lines that are none do no harm."""
    raw = (
        b"F:\nR:root\nP:a\nU:\ni:[]\nno line\nV:1\nF:usr/lib\nM:0:0:1777\nR:x\na:1:2:4755:Q1xattr\nZ:Q1abc\nR:y\na:no\n"
    )
    raw += b"\nV:2\n\n"
    assert parse_installed(raw) == (
        InstalledPackage(
            "a",
            "1",
            "",
            ("P:a", "U:", "i:[]", "V:1"),
            (
                InstalledFile(RootPath("/root")),
                InstalledFile(RootPath("/usr/lib/x"), "Q1abc", 0o4755),
                InstalledFile(RootPath("/usr/lib/y")),
            ),
            (RootPath("/usr/lib"),),
        ),
    )


@given(st.binary(max_size=500))
def test_any_bytes_are_read(raw: bytes) -> None:
    """A database that is none has no packages, and no error; paths stay in the root."""
    for package in parse_installed(raw + b"\nP:x\nF:../../etc\nR:../../passwd\n"):
        assert all(".." not in file.path.split("/") for file in package.files)
