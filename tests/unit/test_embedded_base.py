"""The base that comes with minpack: certificates and time zones, and where they are from."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
import zoneinfo
from pathlib import Path

import certifi
import pytest
import tzdata

from minpack.base.walk import Walker
from minpack.content import read_all
from minpack.embedded import base
from minpack.embedded.base import CA_BUNDLE, EmbeddedBase, without_comments
from minpack.embedded.zoneinfo import ZONEINFO
from minpack.errors import BaseError
from minpack.paths import ROOT, RootPath, join
from minpack.rootfs.entry import Kind
from support.site import installed_bundle
from support.trees import entries_in

ZONES = Path(tzdata.__file__).parent / "zoneinfo"


def data_at(base: EmbeddedBase, path: str) -> bytes:
    """The bytes of the file at `path`."""
    entry = base.lstat(RootPath(path))
    assert entry is not None
    assert entry.content is not None
    return read_all(entry.content, 1 << 20)


def test_the_bundle_has_every_certificate_of_certifi_and_nothing_else() -> None:
    """The same certificates in the same order, without a comment or a blank line, and without any added since."""
    bundle = data_at(EmbeddedBase(), CA_BUNDLE)
    lines = bundle.splitlines()
    assert all(line and not line.startswith(b"#") for line in lines)
    assert bundle.endswith(b"-----END CERTIFICATE-----\n")
    original = installed_bundle().decode("ascii")
    count = original.count("BEGIN CERTIFICATE")
    assert count > 100
    assert len(lines) == sum(1 for line in original.splitlines() if line and not line.startswith("#"))
    mine, theirs = ssl.create_default_context(cadata=bundle.decode()), ssl.create_default_context(cadata=original)
    assert mine.get_ca_certs(binary_form=True) == theirs.get_ca_certs(binary_form=True)
    assert len(mine.get_ca_certs()) == count


def test_comments_go_whatever_the_lines_end_with() -> None:
    """Blank lines, comments, blanks around lines and carriage returns go; every line ends with a new line."""
    messy = b"\r\n# comment\r\n-----BEGIN CERTIFICATE-----  \r\nAAAA\r\n\n  # more\n-----END CERTIFICATE-----"
    assert without_comments(messy) == b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert without_comments(b"") == b""


def test_zones_are_those_of_tzdata() -> None:
    """Every data file of the package is there with its bytes, and nothing that is Python's."""
    base = EmbeddedBase()
    found = {str(e.path): e for e in entries_in(base) if e.path.startswith(ZONEINFO + "/") and e.kind is Kind.FILE}
    expected = {
        f"{ZONEINFO}/{path.relative_to(ZONES)}"
        for path in ZONES.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert set(found) == expected
    assert len(found) > 500
    assert data_at(base, f"{ZONEINFO}/Europe/Berlin") == (ZONES / "Europe" / "Berlin").read_bytes()
    missing = [zone for zone in zoneinfo.available_timezones() if f"{ZONEINFO}/{zone}" not in found]
    assert [zone for zone in missing if (ZONES / zone).exists()] == []


@pytest.mark.parametrize(
    "path", ["__init__.py", "__pycache__", "Europe/__init__.py", "__pycache__/x", "Nowhere", "UTC/x"]
)
def test_code_and_what_is_not_there_is_none(path: str) -> None:
    """Modules are no zones, nor is anything in their caches."""
    base = EmbeddedBase()
    assert base.lstat(RootPath(f"{ZONEINFO}/{path}")) is None
    assert base.listdir(RootPath(f"{ZONEINFO}/{path}")) == ()


def test_only_these_two_are_there() -> None:
    """There are the directories that lead to the two, and nothing beside them."""
    base = EmbeddedBase()
    outside = [str(e.path) for e in entries_in(base) if not e.path.startswith(ZONEINFO + "/")]
    assert outside == ["/", "/etc", "/etc/ssl", "/etc/ssl/certs", CA_BUNDLE, "/usr", "/usr/share", ZONEINFO]
    for path in ("/etc/passwd", "/usr/share/zoneinfo-not", "/etc/ssl/certs/ca-certificates.crt/x", "/lib"):
        assert base.lstat(RootPath(path)) is None
        assert base.listdir(RootPath(path)) == ()


def test_all_is_roots_and_readable() -> None:
    """Directories are 0755 and files 0644, whatever they are where the packages are installed."""
    for entry in entries_in(EmbeddedBase()):
        assert (entry.uid, entry.gid) == (0, 0)
        assert entry.mode == (0o755 if entry.kind is Kind.DIRECTORY else 0o644)


def test_names_of_one_zone_are_one_file() -> None:
    """The package has a copy for each name; what has the same bytes has the same inode, and nothing else has."""
    base = EmbeddedBase()
    zones = [entry for entry in entries_in(base) if entry.content is not None and entry.path != CA_BUNDLE]
    bytes_of = {entry.path: read_all(entry.content, 1 << 20) for entry in zones if entry.content is not None}
    both = {(entry.inode, bytes_of[entry.path]) for entry in zones}
    assert len(both) == len({inode for inode, _ in both}) == len(set(bytes_of.values())) < len(zones)


def test_a_walk_leads_to_a_zone() -> None:
    """A walker finds zones and the bundle by their usual paths."""
    walker = Walker(EmbeddedBase())
    assert walker.find_file("/usr/share/zoneinfo/Europe/Berlin") is not None
    assert walker.find_file(CA_BUNDLE) is not None
    assert walker.find_file("/usr/share/zoneinfo/../zoneinfo/UTC") is not None


def test_versions_tell_what_was_taken() -> None:
    """Only packages of which a file was looked up, with the digest of just those bytes."""
    base = EmbeddedBase()
    base.listdir(join(ZONEINFO, "Europe"))
    base.lstat(ROOT)
    assert base.versions() == ()
    zones = [data_at(base, f"{ZONEINFO}/{zone}") for zone in ("UTC", "Europe/Berlin", "UTC")]
    (only,) = base.versions()
    assert only.name == f"tzdata {tzdata.__version__}"
    assert only.sha256 == hashlib.sha256(zones[1] + zones[0]).hexdigest()
    assert only.size == len(zones[1] + zones[0])
    bundle = data_at(base, CA_BUNDLE)
    first, second = base.versions()
    assert first == (f"certifi {certifi.__version__}", hashlib.sha256(bundle).hexdigest(), len(bundle))
    assert second == only


@pytest.mark.parametrize(("path", "unwanted"), [(CA_BUNDLE, "tzdata"), (f"{ZONEINFO}/UTC", "certifi")])
def test_neither_package_is_looked_for_when_the_other_is_asked_for(path: str, unwanted: str) -> None:
    """Each works while the other is not installed, and neither package is imported."""
    code = (
        "import sys; from importlib.machinery import PathFinder; find = PathFinder.find_spec\n"
        "def only(name, *rest): assert name != sys.argv[2]; return find(name, *rest)\n"
        "PathFinder.find_spec = only\n"
        "from minpack.embedded.base import EmbeddedBase; base = EmbeddedBase()\n"
        "assert base.lstat(sys.argv[1]).size and base.listdir('/') == ('etc', 'usr') and base.versions()\n"
        "assert not {'certifi', 'tzdata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, path, unwanted], check=True)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package there is one clear error, with what to install."""
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(BaseError, match="certifi is not installed") as caught:
        EmbeddedBase().lstat(CA_BUNDLE)
    assert caught.value.hint == "pip install certifi"
    with pytest.raises(BaseError, match="tzdata is not installed"):
        EmbeddedBase().listdir(ZONEINFO)


def test_a_package_without_its_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose data was taken out gives an error and no traceback."""
    (tmp_path / "certifi").mkdir()
    (tmp_path / "certifi" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(BaseError, match=r"cacert\.pem: no such file"):
        EmbeddedBase().lstat(CA_BUNDLE)


def test_the_bytes_are_always_the_same() -> None:
    """Two processes with other hash seeds and locales give the same bundle and the same listing."""
    code = (
        "import hashlib; from minpack.embedded.base import *; from minpack.embedded.zoneinfo import ZONEINFO\n"
        "b = EmbeddedBase(); h = hashlib.sha256(b.lstat(CA_BUNDLE).content.data)\n"
        "h.update(repr(b.listdir(ZONEINFO)).encode()); print(h.hexdigest(), b.versions())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale in (("1", "C"), ("2", "C.UTF-8"))
    ]
    assert runs[0] == runs[1]
    assert base.EmbeddedBase.name == "scratch"
