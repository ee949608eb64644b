"""What is left out of added directories, and what is said of it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.errors import InputError
from minpack.paths import RootPath
from minpack.program.exclusions import IGNORE_FILE, MAX_IGNORE_FILE, with_exclusions
from minpack.program.place import place
from minpack.spec.image import ImageSpec
from minpack.spec.values import Addition

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory of a site with what is not for its image."""
    site = tmp_path / "site"
    for path in ("index.html", "a.log", "keep.log", "sub/b.log", "sub/page", "node_modules/x/y"):
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(path)
    return site


def packed(source: Path, *patterns: str) -> tuple[set[str], tuple[str, ...]]:
    """The files of a directory that are packed, and the notes."""
    spec = ImageSpec((), additions=(Addition(str(source), RootPath("/srv")),), excluded=patterns)
    spec, notes = with_exclusions(spec)
    found = place(spec, (), Walker(base_of("base", ())))
    return {item.entry.path.removeprefix("/srv/") for item in found if item.entry.content is not None}, notes


def test_patterns_leave_out(site: Path) -> None:
    """Directories with all that is in them; what a later pattern brings back is packed."""
    files, notes = packed(site, "*.log", "!keep.log", "node_modules/")
    assert files == {"index.html", "keep.log", "sub/page"}
    assert notes == (f"left out of '{site}': 3 files and directories that {IGNORE_FILE} or --exclude names",)


def test_the_file_of_patterns(site: Path) -> None:
    """It is not packed, and options come after it."""
    (site / IGNORE_FILE).write_text("# not for the image\n*.log\nsub\n")
    assert packed(site)[0] == {"index.html", "node_modules/x/y"}
    assert packed(site, "!keep.log")[0] == {"index.html", "node_modules/x/y", "keep.log"}
    (site / IGNORE_FILE).write_text("")
    assert packed(site, "*.log", "sub", "n*") == (
        {"index.html"},
        (f"left out of '{site}': 4 files and directories that {IGNORE_FILE} or --exclude names",),
    )


def test_a_pattern_that_matches_nothing(site: Path) -> None:
    """It is told by name."""
    assert packed(site, "*.lgo", "!x", "index.html")[1][1:] == ("--exclude '*.lgo' matched nothing that is added",)


def test_each_directory_has_its_own_patterns(site: Path, tmp_path: Path) -> None:
    """Those of one say nothing of another, even of one that lies in it."""
    (site / IGNORE_FILE).write_text("b.log\n")
    both = (Addition(str(site), RootPath("/a")), Addition(str(site / "sub"), RootPath("/b")))
    spec, _ = with_exclusions(ImageSpec((), additions=both))
    paths = {item.entry.path for item in place(spec, (), Walker(base_of("base", ())))}
    assert "/b/b.log" in paths
    assert "/a/sub/b.log" not in paths


def test_special_files(site: Path) -> None:
    """They are left out and named: images hold what programs find, not what they make."""
    os.mkfifo(site / "sub/pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(site / "run.sock"))
        files, notes = packed(site)
    assert "index.html" in files
    assert notes == (
        f"'{site}/run.sock' is not packed: it is a socket",
        f"'{site}/sub/pipe' is not packed: it is a named pipe",
    )
    assert packed(site, "run.sock", "pipe")[1][0].startswith("left out of ")


def test_many_special_files_are_counted(site: Path) -> None:
    """Three are named."""
    for number in range(9):
        os.mkfifo(site / f"pipe{number}")
    assert packed(site)[1][-1] == "6 more special files are not packed"


@pytest.mark.parametrize("data", [b"*.log\n[\n", b"x" * (MAX_IGNORE_FILE + 1)])
def test_a_bad_file_of_patterns(site: Path, data: bytes) -> None:
    """A line that can match nothing, or a file that nobody wrote, is an error that names it."""
    (site / IGNORE_FILE).write_bytes(data)
    with pytest.raises(InputError, match=IGNORE_FILE):
        packed(site)


def test_a_directory_as_the_file_of_patterns(site: Path) -> None:
    """It cannot be read, and is not passed over."""
    (site / IGNORE_FILE).mkdir()
    with pytest.raises(InputError, match="it is a directory"):
        packed(site)
