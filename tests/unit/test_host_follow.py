"""Following a path to where something is written: as the kernel does, and never through a link that others planted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.host.follow import Followed, follow, is_planted
from support.places import NOBODY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("real/file", "real/file"),
        ("link/file", "real/file"),
        ("absolute/file", "real/file"),
        ("twice/file", "real/file"),
        ("link/../other", "other"),
        ("dangling", "nowhere"),
        ("missing/deep/file", "missing/deep/file"),
        (".//real/./file", "real/file"),
        ("real/up/top", "top"),
    ],
)
def test_links_are_followed(tmp_path: Path, path: str, leads: str) -> None:
    """Every link on the way and at the end counts, as for realpath(3); what is missing is text."""
    place = tmp_path.resolve()
    (place / "real").mkdir()
    os.symlink("real", place / "link")
    os.symlink(place / "real", place / "absolute")
    os.symlink("link", place / "twice")
    os.symlink("nowhere", place / "dangling")
    os.symlink("..", place / "real" / "up")
    assert follow(f"{place}/{path}") == Followed(f"{place}/{leads}")
    assert os.path.realpath(f"{place}/{path}") == f"{place}/{leads}"


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is absolute."""
    monkeypatch.chdir(tmp_path)
    assert follow("file").path == f"{tmp_path.resolve()}/file"
    assert follow("..").path == str(tmp_path.resolve().parent)


def test_a_loop_is_an_error(tmp_path: Path) -> None:
    """More than 40 links are ELOOP."""
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(OSError, match="Too many levels"):
        follow(str(tmp_path / "loop" / "file"))


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("mode", "directory_owner", "link_owner", "counts"),
    [
        (0o1777, 0, NOBODY, False),
        (0o1777, NOBODY, NOBODY, True),
        (0o1777, 0, 0, True),
        (0o1777, NOBODY, 0, True),
        (0o777, 0, NOBODY, True),
        (0o1775, 0, NOBODY, True),
    ],
)
def test_whose_links_count(tmp_path: Path, mode: int, directory_owner: int, link_owner: int, counts: bool) -> None:
    """In a sticky directory that all may write to, a link of ours or of its owner's; elsewhere every link."""
    shared = tmp_path.resolve() / "shared"
    shared.mkdir()
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", shared / "link")
    os.chown(shared / "link", link_owner, 0, follow_symlinks=False)
    os.chown(shared, directory_owner, 0)
    shared.chmod(mode)
    for path in (shared / "link", shared / "link" / "file"):
        assert follow(str(path)).planted == ("" if counts else f"{shared}/link")
    assert is_planted(str(shared / "link")) is not counts


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_link_on_the_way_of_a_link(tmp_path: Path) -> None:
    """A good link that leads through a planted one leads nowhere either."""
    shared = tmp_path.resolve() / "shared"
    shared.mkdir()
    os.symlink(tmp_path, shared / "planted")
    os.chown(shared / "planted", NOBODY, 0, follow_symlinks=False)
    shared.chmod(0o1777)
    os.symlink(shared / "planted", tmp_path / "good")
    assert follow(str(tmp_path / "good" / "file")).planted == f"{shared}/planted"


def test_nothing_there_is_planted_by_nobody(tmp_path: Path) -> None:
    """What is not there belongs to no one."""
    assert not is_planted(str(tmp_path / "missing"))
