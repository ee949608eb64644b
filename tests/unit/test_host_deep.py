"""Paths that are longer than the system takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.host.deep import PATH_MAX, open_deep, reached
from support.trees import make_deep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("depth", [1, 2046, 2047, 2048, 5000])
def test_a_file_at_any_depth(swift_place: Path, depth: int) -> None:
    """It is made, looked at and read where its whole path is longer than the system takes, and where it is not."""
    top = os.fsencode(make_deep(swift_place / "top", depth))
    path = top + b"/d" * depth + b"/file"
    with reached(path) as (name, above):
        assert len(name) < PATH_MAX
        assert (above is None) == (len(path) < PATH_MAX)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=above)
        os.write(descriptor, b"data")
        os.close(descriptor)
    with reached(path) as (name, above):
        assert os.lstat(name, dir_fd=above).st_size == 4
    descriptor = open_deep(os.fsdecode(path), os.O_RDONLY)
    assert os.read(descriptor, 10) == b"data"
    os.close(descriptor)


def test_nothing_stays_open(swift_place: Path) -> None:
    """However many directories are opened on the way, none is open afterwards, nor after an error."""
    top = os.fsencode(make_deep(swift_place / "top", 5000))
    before = os.listdir("/proc/self/fd")
    with reached(top + b"/d" * 5000):
        pass
    with pytest.raises(FileNotFoundError), reached(top + b"/d" * 4000 + b"/missing" * 600):
        pytest.fail("the block was entered")
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "x" * 5000, "/tmp/" + "x" * 4090 + "/y"])
def test_a_name_that_no_system_takes(path: str) -> None:
    """A part of more than 255 bytes is an error, as it is in a short path."""
    with pytest.raises(OSError, match="File name too long"):
        open_deep(path, os.O_RDONLY)
