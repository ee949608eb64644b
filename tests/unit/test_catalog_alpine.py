"""The catalogue: which names mean which release, and that its sums are right."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from minpack.catalog.alpine import (
    AlpineRelease,
    Version,
    catalogue,
    find_release,
    fitting_bases,
    parse_name,
    releases,
    support_note,
)
from minpack.target import target_named

if TYPE_CHECKING:
    from pathlib import Path

TODAY = "2026-11-20"


def found(name: str, arch: str = "x86_64") -> AlpineRelease:
    """The release that must be there."""
    release = find_release(name, arch)
    assert release is not None
    return release


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("alpine-3.22", Version("3.22", "")),
        ("alpine-3.22.6", Version("3.22", "3.22.6")),
        ("alpine-3.5", Version("3.5", "")),
        ("alpine-edge", Version("edge", "")),
        ("alpine-edge-20240923", Version("edge", "20240923")),
        ("alpine-20240923", Version("edge", "20240923")),
    ],
)
def test_names_are_read(name: str, version: Version) -> None:
    """A name asks for a branch or one release of it."""
    assert parse_name(name) == version


@pytest.mark.parametrize(
    "name",
    [
        "",
        "alpine",
        "alpine-",
        "alpine-3",
        "alpine-3.",
        "alpine-3.22.",
        "alpine-3.22.6.1",
        "alpine-3.22-6",
        "alpine-v3.22",
        "alpine:3.22",
        "Alpine-3.22",
        "alpine-3.22 ",
        "alpine-3.22\n",
        "alpine-3.٢٢",
        "alpine-edge-3.22",
        "alpine-edge-2024092",
        "alpine-202409230",
        "alpine-3.22/../../x",
        "debian-12",
    ],
)
def test_other_names_are_not(name: str) -> None:
    """What is not exactly a name of this form is none."""
    assert parse_name(name) is None
    assert find_release(name, "x86_64") is None


@pytest.mark.parametrize(
    ("name", "arch", "version"),
    [
        ("alpine-3.18", "x86_64", "3.18.9"),
        ("alpine-3.19", "x86_64", "3.19.4"),
        ("alpine-3.20", "s390x", "3.20.10"),
        ("alpine-3.21", "riscv64", "3.21.8"),
        ("alpine-3.22", "x86_64", "3.22.6"),
        ("alpine-3.23", "armhf", "3.23.6"),
        ("alpine-3.24", "aarch64", "3.24.2"),
        ("alpine-edge", "x86_64", "20260805"),
        ("alpine-edge", "loongarch64", "20240923"),
    ],
)
def test_a_branch_means_its_newest_release(name: str, arch: str, version: str) -> None:
    """A branch's name gives the newest release with a sum for the architecture; 3.20.10 is newer than 3.20.3."""
    assert found(name, arch).version == version


@pytest.mark.parametrize(
    ("name", "version"),
    [("alpine-3.20.3", "3.20.3"), ("alpine-20240923", "20240923"), ("alpine-edge-20240315", "20240315")],
)
def test_a_releases_name_means_that_release(name: str, version: str) -> None:
    """An exact name gives exactly that release."""
    assert found(name).version == version


@pytest.mark.parametrize(
    ("name", "arch"),
    [("alpine-3.25", "x86_64"), ("alpine-3.22.9", "x86_64"), ("alpine-3.22", "loongarch64"), ("alpine-3.22", "sparc")],
)
def test_unknown_sums_are_none(name: str, arch: str) -> None:
    """A branch, a release or an architecture without a sum gives nothing."""
    assert find_release(name, arch) is None


def test_a_release_knows_its_place() -> None:
    """File name, path on the mirror and exact name follow from version and architecture."""
    release = found("alpine-3.22", "armv7")
    assert release.file == "alpine-minirootfs-3.22.6-armv7.tar.gz"
    assert release.path == "v3.22/releases/armv7/alpine-minirootfs-3.22.6-armv7.tar.gz"
    assert (release.name, release.branch, release.support_end) == ("alpine-3.22.6", "3.22", "2027-05-01")
    edge = found("alpine-20240923")
    assert edge.path == "edge/releases/x86_64/alpine-minirootfs-20240923-x86_64.tar.gz"
    assert (edge.name, edge.support_end) == ("alpine-edge-20240923", "")


def test_every_release_is_found_by_its_own_name() -> None:
    """Names and releases belong together one to one."""
    assert len(releases()) > 100
    for release in releases():
        assert find_release(release.name, release.arch) == release


def test_every_entry_is_well_formed() -> None:
    """Each has a full sum or two, a known origin, and an architecture that programs can have."""
    for release in releases():
        assert re.fullmatch("[0-9a-f]{128}|", release.sha512)
        assert re.fullmatch("[0-9a-f]{64}|", release.sha256)
        assert release.sha512 or release.sha256
        assert release.verified in {"bytes", "published-twice", "published", "third-party"}
        assert release.size is None or 2_000_000 < release.size < 5_000_000
        assert release.arch == "armhf" or target_named(release.arch) is not None


def test_no_two_releases_share_a_sum() -> None:
    """A sum copied to the wrong line would show here."""
    sums = [release.sha512 for release in releases() if release.sha512]
    assert len(sums) == len(set(sums))


def test_the_catalogue_lists_the_branches() -> None:
    """One line for each branch, the oldest first, edge last."""
    offers = catalogue()
    assert [offer.name for offer in offers] == [f"alpine-3.{n}" for n in range(18, 25)] + ["alpine-edge"]
    by_name = {offer.name: offer for offer in offers}
    assert by_name["alpine-3.24"].newest == "3.24.2"
    assert by_name["alpine-3.24"].support_end == "2028-06-01"
    assert "riscv64" in by_name["alpine-3.20"].arches
    assert "riscv64" not in by_name["alpine-3.18"].arches
    assert by_name["alpine-edge"].support_end == ""


@pytest.mark.parametrize(
    ("arch", "today", "names"),
    [
        ("x86_64", TODAY, ("alpine-3.24", "alpine-3.23", "alpine-3.22", "alpine-edge")),
        ("x86_64", "2026-11-01", ("alpine-3.24", "alpine-3.23", "alpine-3.22", "alpine-3.21", "alpine-edge")),
        ("loongarch64", TODAY, ("alpine-edge",)),
        ("sparc", TODAY, ()),
        ("x86_64", "2100-01-01", ("alpine-edge",)),
    ],
)
def test_fitting_bases_are_supported_ones(arch: str, today: str, names: tuple[str, ...]) -> None:
    """Bases for an architecture are those still supported that day, the last day included, newest first."""
    assert fitting_bases(arch, today) == names


def test_the_end_of_support_is_noted() -> None:
    """After the last day there is a note with the date, on it and for edge there is none."""
    assert "2025-05-09" in (support_note(found("alpine-3.18"), "2025-05-10") or "")
    assert support_note(found("alpine-3.18"), "2025-05-09") is None
    assert support_note(found("alpine-edge"), "2100-01-01") is None


@pytest.mark.data
def test_the_sums_are_those_of_the_source(data: Path) -> None:
    """Every known file of these branches is in the catalogue, with the same sums and the same origin."""
    source = json.loads((data / "catalog" / "alpine-checksums.json").read_bytes())
    ours = {release.file: release for release in releases()}
    assert ours.keys() == {name for name in source if re.search(r"-(3\.(1[89]|2\d)\.|202[4-9])", name)}
    for name, release in ours.items():
        facts = {"sha512": release.sha512, "sha256": release.sha256, "size": release.size}
        known = {key: value for key, value in facts.items() if value}
        assert source[name] == {**known, "verified": release.verified}


@pytest.mark.data
def test_real_tarballs_have_the_sums_of_the_catalogue(data: Path) -> None:
    """Each real tarball has the size and both sums that the catalogue says."""
    checked = 0
    for path in sorted((data / "bases").glob("alpine-minirootfs-*.tar.gz")):
        _, _, version, arch = path.name.removesuffix(".tar.gz").split("-")
        release, content = found(f"alpine-{version}", arch), path.read_bytes()
        assert (release.file, release.size, release.verified) == (path.name, len(content), "bytes")
        assert release.sha512 == hashlib.sha512(content).hexdigest()
        assert release.sha256 == hashlib.sha256(content).hexdigest()
        checked += 1
    assert checked == 7
