"""Files and directories that are whole or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.errors import OutputError
from minpack.host.atomic import new_directory, new_file
from minpack.host.overwrite import as_output_error

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_comes_at_the_end(tmp_path: Path) -> None:
    """Until the block is left, the target is as before; what is written can be read back."""
    target = tmp_path / "target"
    target.write_bytes(b"")
    with new_file(str(target)) as out:
        out.write(b"new")
        out.seek(0)
        assert out.read() == b"new"
        assert target.read_bytes() == b""
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["target"]


def test_leftovers_are_removed_first(tmp_path: Path) -> None:
    """What a killed process left beside the target makes room for what is written now."""
    (tmp_path / ".minpack-0123456789ab.partial").mkdir()
    with new_file(str(tmp_path / "file")):
        assert len(os.listdir(tmp_path)) == 1
        (tmp_path / ".minpack-ba9876543210.partial").write_bytes(b"half")
    with new_directory(str(tmp_path / "directory")):
        assert len(os.listdir(tmp_path)) == 2
    assert sorted(os.listdir(tmp_path)) == ["directory", "file"]


def test_one_run_leaves_anothers_alone(tmp_path: Path) -> None:
    """What is being written at the same time stays, and each gets its place."""
    with new_file(str(tmp_path / "a")) as first, new_directory(str(tmp_path / "b")) as made:
        with new_file(str(tmp_path / "c")), new_directory(str(tmp_path / "d")):
            pass
        first.write(b"first")
        assert os.path.isdir(made.path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "d"]
    assert (tmp_path / "a").read_bytes() == b"first"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, BrokenPipeError])
def test_a_failure_leaves_no_file(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever ends the block, nothing stays, and it goes on as what it is."""

    def half() -> None:
        with new_file(str(tmp_path / "target")) as out:
            out.write(b"half")
            raise error

    with pytest.raises(error):
        half()
    assert os.listdir(tmp_path) == []


def test_what_the_system_says_becomes_an_error_of_the_target(tmp_path: Path) -> None:
    """An OSError within the block is about the target."""
    with pytest.raises(OutputError, match=r"target': input/output error"), new_file(str(tmp_path / "target")):
        raise OSError(5, "Input/output error")
    assert os.listdir(tmp_path) == []


def test_hints_fit_the_reason() -> None:
    """A full disk, a missing directory and a missing right have each their advice, unless the caller knows better."""
    hints = set()
    for number in (28, 2, 13):
        with pytest.raises(OutputError) as caught, as_output_error("x"):
            raise OSError(number, "reason")
        assert caught.value.hint is not None
        hints.add(caught.value.hint)
    assert len(hints) == 3
    with pytest.raises(OutputError) as caught, as_output_error("x", "do that"):
        raise OSError(28, "reason")
    assert caught.value.hint == "do that"


@pytest.mark.parametrize("force", [False, True])
def test_a_new_directory_comes_at_the_end(tmp_path: Path, force: bool) -> None:
    """Until the block is left, nothing is at the target."""
    target = tmp_path / "target"
    with new_directory(str(target), force=force) as made:
        (tmp_path / made.path / "x").write_bytes(b"new")
        assert not target.exists()
    assert os.listdir(target) == ["x"]
    assert os.listdir(tmp_path) == ["target"]


def test_a_failure_leaves_the_old_directory(tmp_path: Path) -> None:
    """Forced or not, the old directory is only replaced by a whole one."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_bytes(b"old")
    inode = target.stat().st_ino

    def half() -> None:
        with new_directory(str(target), force=True) as made:
            (tmp_path / made.path / "deep").mkdir(mode=0o500)
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(target) == ["old"]
    assert target.stat().st_ino == inode


def test_a_full_directory_needs_force(tmp_path: Path) -> None:
    """Without it nothing is made, nor looked into."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").write_bytes(b"old")
    with pytest.raises(OutputError, match="not empty"), new_directory(str(tmp_path / "target"), force=False):
        pytest.fail("the block was entered")
    with new_directory(str(tmp_path / "target"), force=True):
        pass
    assert os.listdir(tmp_path / "target") == []


def test_a_link_to_a_directory_stays(tmp_path: Path) -> None:
    """The directory behind a symlink is replaced, not the link."""
    (tmp_path / "real").mkdir()
    os.symlink("real", tmp_path / "link")
    with new_directory(str(tmp_path / "link"), force=False) as made:
        (tmp_path / made.path / "x").write_bytes(b"")
    assert os.readlink(tmp_path / "link") == "real"
    assert os.listdir(tmp_path / "real") == ["x"]


def test_a_directory_that_fills_meanwhile_stays(tmp_path: Path) -> None:
    """What somebody put into the target while it was being written is not replaced unless that was asked for."""

    def write(*, force: bool) -> None:
        with new_directory(str(tmp_path / "target"), force=force) as made:
            (tmp_path / "target").mkdir()
            (tmp_path / "target" / "theirs").write_bytes(b"")
            (tmp_path / made.path / "ours").write_bytes(b"")

    with pytest.raises(OutputError, match="not empty"):
        write(force=False)
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(tmp_path / "target") == ["theirs"]
    (tmp_path / "target" / "theirs").unlink()
    (tmp_path / "target").rmdir()
    write(force=True)
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(tmp_path / "target") == ["ours"]


def test_where_names_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is the same."""
    monkeypatch.setattr("minpack.host.exchange.exchange", lambda _first, _second: False)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").write_bytes(b"")
    with new_directory(str(tmp_path / "target"), force=True) as made:
        (tmp_path / made.path / "new").write_bytes(b"")
    assert made.leftover == ""
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(tmp_path / "target") == ["new"]


@pytest.mark.parametrize("exchanges", [True, False])
def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool) -> None:
    """The new directory is in its place, which is not an error; where the old one is now is known."""
    if not exchanges:
        monkeypatch.setattr("minpack.host.exchange.exchange", lambda _first, _second: False)
    monkeypatch.setattr("minpack.host.trees.remove_tree", lambda path: not os.path.lexists(path))
    monkeypatch.setattr("minpack.host.swap.remove_tree", lambda path: not os.path.lexists(path))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").write_bytes(b"")
    with new_directory(str(tmp_path / "target"), force=True) as made:
        (tmp_path / made.path / "new").write_bytes(b"")
    assert os.listdir(tmp_path / "target") == ["new"]
    assert os.listdir(made.leftover) == ["old"]


@pytest.mark.parametrize("where", [".", "..", "sub/.."])
def test_the_working_directory_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Whoever works in a directory would find themselves nowhere."""
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OutputError, match="it contains the working directory"), new_directory(where, force=True):
        pytest.fail("the block was entered")
    assert os.listdir(tmp_path / "here") == ["sub"]


def test_names_as_long_as_can_be(tmp_path: Path) -> None:
    """What is made beside a target needs no longer name than the target."""
    name = "é" * 127
    with new_file(str(tmp_path / name)) as out:
        out.write(b"x")
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(OutputError, match="file name too long"), new_file(str(tmp_path / ("x" * 256))):
        pass
