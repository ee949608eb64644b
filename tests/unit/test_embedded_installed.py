"""Embedded data as it was installed: RECORD says what is there, and nothing else is taken."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from base64 import urlsafe_b64encode
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from minpack.content import key_of, read_all
from minpack.embedded.base import CA_BUNDLE, EmbeddedBase, without_comments
from minpack.embedded.installed import find_package
from minpack.embedded.zoneinfo import ZONEINFO
from minpack.errors import BaseError
from minpack.paths import RootPath, join
from support.site import record_of
from support.trees import described

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.content import Content

BERLIN = RootPath(f"{ZONEINFO}/Europe/Berlin")


@pytest.fixture
def site(embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory in which packages are looked for."""
    copied = shutil.copytree(embedded, tmp_path / "site")
    monkeypatch.setattr(sys, "path", [str(copied)])
    return copied


def content_at(path: RootPath) -> Content:
    """The content that a new base has at `path`."""
    entry = EmbeddedBase().lstat(path)
    assert entry is not None
    assert entry.content is not None
    return entry.content


def notes_of(path: RootPath) -> tuple[str, ...]:
    """The notes of a new base that was asked for `path`, twice."""
    base = EmbeddedBase()
    assert base.notes == ()
    assert base.lstat(path) == base.lstat(path)
    return base.notes


def row(path: str, data: bytes) -> str:
    """A row of a RECORD."""
    total = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={total},{len(data)}"


def record_anew(site: Path, package: str, file: str) -> None:
    """Let the package's RECORD have the file at `file` as it is now."""
    record = record_of(site, package)
    rows = [one for one in record.read_text().splitlines() if not one.startswith(f"{file},")]
    record.write_text("\n".join([*rows, row(file, (site / file).read_bytes())]))


@pytest.mark.parametrize("package", ["certifi", "tzdata"])
def test_record_is_read_as_the_standard_library_reads_it(package: str) -> None:
    """Path, sum and size of every file that has a sum are those of `importlib.metadata`."""
    found = find_package(package).record
    expected = {
        "/".join(file.parts[1:]): (f"{file.hash.mode}={file.hash.value}", file.size)
        for file in distribution(package).files or ()
        if file.parts[0] == package and file.hash is not None
    }
    assert len(expected) > 3
    assert found == expected


def test_with_and_without_record_the_same(site: Path) -> None:
    """A distribution that leaves RECORD out of its packages has the same data: it is taken as it lies there."""
    expected = described(EmbeddedBase())
    assert len(expected) > 500
    base = EmbeddedBase()
    assert base.lstat(BERLIN) is not None
    versions = base.versions()
    for package in ("certifi", "tzdata"):
        record_of(site, package).unlink()
    assert described(EmbeddedBase()) == expected
    assert key_of(content_at(BERLIN)) == ""
    base = EmbeddedBase()
    assert base.lstat(BERLIN) is not None
    assert base.versions() == versions


def test_looking_opens_no_zone(site: Path) -> None:
    """All zones are known without their files."""
    expected = sorted(path for path in described(EmbeddedBase()) if path.startswith(ZONEINFO))
    shutil.rmtree(site / "tzdata" / "zoneinfo")
    base, found, todo = EmbeddedBase(), [], [ZONEINFO]
    while todo:
        path = todo.pop()
        assert base.lstat(path) is not None
        found.append(path)
        todo += [join(path, name) for name in base.listdir(path)]
    assert sorted(found) == expected


def test_a_certificate_more_is_left_out(site: Path) -> None:
    """What somebody added to the bundle is not taken, and a note says what to do instead."""
    bundle = site / "certifi" / "cacert.pem"
    whole = bundle.read_bytes()
    expected = content_at(CA_BUNDLE)
    more = whole + whole[whole.rindex(b"-----BEGIN") :]
    bundle.write_bytes(more)
    assert content_at(CA_BUNDLE) == expected
    note = "certifi here has extra CA certificates; they were left out (add yours with --ca-file)"
    assert notes_of(CA_BUNDLE) == (note,)
    assert notes_of(BERLIN) == ()
    bundle.write_bytes(whole + b"\n")
    assert content_at(CA_BUNDLE) == expected
    assert notes_of(CA_BUNDLE) == (), "a line's end is not a certificate"
    bundle.write_bytes(more)
    record_anew(site, "certifi", "certifi/cacert.pem")
    assert read_all(content_at(CA_BUNDLE), 1 << 20) == without_comments(more)


@pytest.mark.parametrize("change", ["before", "within", "less", "other"])
def test_a_changed_bundle_is_refused(site: Path, change: str) -> None:
    """A bundle that begins otherwise is not taken, and the hint says what to do instead."""
    bundle = site / "certifi" / "cacert.pem"
    whole = bundle.read_bytes()
    last = whole[whole.rindex(b"-----BEGIN") :]
    more = {"before": last + whole, "within": whole.replace(b"\n\n", b"\n" + last, 1), "less": whole[: -len(last)]}.get(
        change, last
    )
    bundle.write_bytes(more)
    with pytest.raises(BaseError, match=r"certifi/cacert\.pem' was changed after it was installed") as caught:
        content_at(CA_BUNDLE)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("pip install --force-reinstall certifi; --ca-file adds")
    assert f"--add {bundle}:{CA_BUNDLE}" in caught.value.hint


@pytest.mark.parametrize("change", ["byte", "longer", "shorter", "empty", "other", "missing", "fifo", "directory"])
def test_a_changed_zone_is_refused(site: Path, change: str) -> None:
    """What is read of a zone is what was installed, or nothing."""
    zone = site / "tzdata" / "zoneinfo" / "Europe" / "Berlin"
    data = zone.read_bytes()
    match change:
        case "byte":
            zone.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case "longer":
            zone.write_bytes(data + b"\n")
        case "shorter":
            zone.write_bytes(data[:-1])
        case "empty":
            zone.write_bytes(b"")
        case "other":
            zone.unlink()
            zone.symlink_to("Paris")
        case _:
            zone.unlink()
    if change == "fifo":
        os.mkfifo(zone)
    elif change == "directory":
        zone.mkdir()
    content = content_at(BERLIN)
    assert content.size == len(data)
    with pytest.raises(BaseError, match=r"changed after it was installed|no such file|is a directory"):
        content.open()
    other = content_at(RootPath(f"{ZONEINFO}/Europe/Paris"))
    assert read_all(other, 1 << 20) == (zone.parent / "Paris").read_bytes()


def test_a_sum_that_was_changed_is_none_of_the_file(site: Path) -> None:
    """RECORD counts, also where the file is right and RECORD is not; another sum is another key."""
    key = key_of(content_at(BERLIN))
    record = record_of(site, "tzdata")
    record.write_text(record.read_text().replace(key, "sha256=" + key[:6:-1]))
    assert key_of(content_at(BERLIN)) == "sha256=" + key[:6:-1] != key
    with pytest.raises(BaseError, match="changed after it was installed"):
        content_at(BERLIN).open()


@pytest.mark.parametrize("total", ["", "md5=AAAAAAAAAAAAAAAAAAAAAA"])
def test_what_record_has_no_sum_of_is_not_taken(site: Path, total: str) -> None:
    """Without a SHA-256 a zone is not there, and a bundle is refused."""
    for package, file in (("tzdata", "tzdata/zoneinfo/Europe/Berlin"), ("certifi", "certifi/cacert.pem")):
        record = record_of(site, package)
        rows = [one for one in record.read_text().splitlines() if not one.startswith(f"{file},")]
        record.write_text("\n".join([*rows, f"{file},{total},"]))
    base = EmbeddedBase()
    assert base.lstat(BERLIN) is None
    assert "Berlin" not in base.listdir(join(ZONEINFO, "Europe"))
    with pytest.raises(BaseError, match="changed after it was installed"):
        content_at(CA_BUNDLE)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\0\n,,,\n", b"tzdata/__init__.py,sha256=x,1\n", b"tzdata/zoneinfo/X,sha256"]
)
def test_a_record_without_zones_is_an_error(site: Path, data: bytes) -> None:
    """No image is made without time zones because a RECORD is damaged."""
    record_of(site, "tzdata").write_bytes(data)
    with pytest.raises(BaseError, match="the RECORD of tzdata has no time zones") as caught:
        EmbeddedBase().listdir(ZONEINFO)
    assert caught.value.hint == "pip install --force-reinstall tzdata"


def test_what_was_not_installed_is_no_zone(site: Path) -> None:
    """A file that somebody put beside the zones is not the package's, and no row leads out of it."""
    data = (site / "tzdata" / "zoneinfo" / "UTC").read_bytes()
    (site / "tzdata" / "zoneinfo" / "Mine").write_bytes(data)
    expected = sorted(described(EmbeddedBase()))
    assert f"{ZONEINFO}/Mine" not in expected
    odd = ("../../secret", ".hidden", "Europe//Berlin2", "a/../b", "x.py", "__pycache__/x", "x/y.pyc")
    with record_of(site, "tzdata").open("a") as record:
        record.writelines(row(f"tzdata/zoneinfo/{name}", data) + "\n" for name in odd)
    assert sorted(described(EmbeddedBase())) == expected
    record_anew(site, "tzdata", "tzdata/zoneinfo/Mine")
    assert sorted(described(EmbeddedBase())) == sorted([*expected, f"{ZONEINFO}/Mine"])


@pytest.mark.parametrize("version", ["0000.1", "9999.1"])
def test_a_record_that_was_left_behind_does_not_count(site: Path, version: str) -> None:
    """Beside a newer version's, the RECORD of an older one may lie: pip leaves it in a directory given by --target."""
    expected = described(EmbeddedBase())
    left = site / f"tzdata-{version}.dist-info" / "RECORD"
    left.parent.mkdir()
    left.write_text(row("tzdata/__init__.py", b"old") + "\n" + row("tzdata/zoneinfo/Old", b"old") + "\n")
    assert described(EmbeddedBase()) == expected


def test_a_key_fixes_the_bytes(site: Path) -> None:
    """Zones of one key are alike, those of different keys are not, and so with the bundle."""
    base = EmbeddedBase()
    by_key: dict[str, set[bytes]] = {}
    for path in described(base):
        entry = base.lstat(RootPath(path))
        if entry is not None and entry.content is not None:
            by_key.setdefault(key_of(entry.content), set()).add(read_all(entry.content, 1 << 20))
    assert "" not in by_key
    assert all(len(found) == 1 for found in by_key.values())
    assert len({data for found in by_key.values() for data in found}) == len(by_key) > 100
    assert str(site) in content_at(BERLIN).where
