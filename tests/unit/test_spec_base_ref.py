"""What --base names is parsed once, into its kind and what it is found by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseKind
from minpack.spec.base_ref import HOST_BASE, SCRATCH_BASE, BaseRef, parse_base

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("alpine-3.22", BaseKind.RELEASE, "alpine-3.22"),
        ("alpine-9999", BaseKind.RELEASE, "alpine-9999"),
        ("debian-12", BaseKind.PACKAGES, "debian-12"),
        ("debian-bookworm", BaseKind.PACKAGES, "debian-12"),
        ("debian-trixie", BaseKind.PACKAGES, "debian-13"),
        ("debian-none", BaseKind.PACKAGES, "debian-none"),
        ("base.tar", BaseKind.TARBALL, "base.tar"),
        ("alpine-3.22.tar.gz", BaseKind.TARBALL, "alpine-3.22.tar.gz"),
        ("./alpine-3.22", BaseKind.TARBALL, "./alpine-3.22"),
        ("debian", BaseKind.TARBALL, "debian"),
        ("", BaseKind.TARBALL, ""),
        ("a\0b", BaseKind.TARBALL, "a\0b"),
    ],
)
def test_names_and_paths(text: str, kind: BaseKind, name: str) -> None:
    """Names have no slash and no ending of a tarball; Debian's codenames stand for the numbers."""
    assert parse_base(text) == BaseRef(kind, name, text)


def test_nothing() -> None:
    """``scratch`` is no path and no name of the catalogue."""
    assert parse_base("scratch") == SCRATCH_BASE
    assert not SCRATCH_BASE.is_local
    assert not SCRATCH_BASE.is_named


def test_directories(tmp_path: Path) -> None:
    """A directory is told from a tarball by a look; the host's own root is itself by whatever path."""
    (tmp_path / "root").symlink_to("/")
    assert parse_base(str(tmp_path)) == BaseRef(BaseKind.DIRECTORY, str(tmp_path), str(tmp_path))
    assert not parse_base(str(tmp_path)).is_host
    assert parse_base("/") == HOST_BASE
    for text in ("/..", "//", str(tmp_path / "root")):
        assert parse_base(text) == BaseRef(BaseKind.DIRECTORY, "/", text)
        assert parse_base(text).is_host


def test_a_directory_is_one_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name says nothing of what is in it: one called like a distribution is no release of it."""
    monkeypatch.chdir(tmp_path)
    for name in ("debian", "alpine", "scratch.d"):
        (tmp_path / name).mkdir()
        assert parse_base(name) == BaseRef(BaseKind.DIRECTORY, name, name)
