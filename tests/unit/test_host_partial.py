"""Unfinished outputs: whose they are, and who may remove them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minpack.host import locked
from minpack.host import partial as module
from minpack.host.partial import Partial, is_unfinished, remove_leftovers
from minpack.host.swap import swap_in
from support.places import NOBODY
from support.trees import make_deep

if TYPE_CHECKING:
    from pathlib import Path

OF_OTHERS = (
    ".minpack-0123456789ab.partial2",
    ".minpack-0123456789aB.partial",
    ".minpack-012345678.partial",
    "x.partial",
)


def leftover(place: Path, name: str = ".minpack-0123456789ab.partial") -> Path:
    """A file as a killed process leaves it."""
    (place / name).write_bytes(b"half")
    return place / name


def test_files_and_directories_of_the_dead_are_removed(tmp_path: Path) -> None:
    """What nobody has locked goes, files and full directories; all else stays, and what just looks alike."""
    leftover(tmp_path)
    (tmp_path / ".minpack-abcdefabcdef.partial" / "deep").mkdir(parents=True)
    for name in OF_OTHERS:
        leftover(tmp_path, name)
    remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(OF_OTHERS)


def test_a_deep_directory_of_the_dead(swift_place: Path) -> None:
    """As deep as it may be."""
    make_deep(swift_place / ".minpack-abcdefabcdef.partial", 3000)
    remove_leftovers(str(swift_place))
    assert os.listdir(swift_place) == []


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    """A file and a directory that are being written here, until they are given up."""
    first, second = Partial(str(tmp_path)), Partial(str(tmp_path))
    os.close(first.make_file())
    second.make_directory()
    remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(os.path.basename(one.path) for one in (first, second))
    assert all(is_unfinished(name) for name in os.listdir(tmp_path))
    first.close()
    second.close()
    first.close()
    remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("make", ["make_file", "make_directory"])
def test_a_killed_process_lets_go(tmp_path: Path, make: str) -> None:
    """While another process lives its output stays; as soon as it is killed, it is a leftover."""
    code = (
        "import sys; from minpack.host.partial import Partial\n"
        f"one = Partial(sys.argv[1]); one.{make}(); print(flush=True); input()"
    )
    run = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdout is not None
    run.stdout.readline()
    remove_leftovers(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 1
    run.kill()
    run.communicate()
    remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == []


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_what_another_user_left_stays(tmp_path: Path) -> None:
    """Root does not remove others' files either; and no link or pipe of such a name is touched."""
    other = leftover(tmp_path)
    os.chown(other, NOBODY, 0)
    os.symlink("x", tmp_path / ".minpack-000000000000.partial")
    os.mkfifo(tmp_path / ".minpack-000000000001.partial")
    before = sorted(os.listdir(tmp_path))
    remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has none, nobody can tell who lives; writing works all the same."""

    def none(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    leftover(tmp_path)
    one = Partial(str(tmp_path))
    os.close(one.make_file())
    remove_leftovers(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 2


def test_one_that_is_taken_away_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed by another between its making and its locking, it is made anew under another name."""
    real, taken = locked.try_lock, list[str]()

    def late(descriptor: int) -> bool | None:
        if len(taken) < 3:
            taken.append(os.path.join(tmp_path, os.listdir(tmp_path)[0]))
            (os.rmdir if os.path.isdir(taken[-1]) else os.unlink)(taken[-1])
        return real(descriptor)

    monkeypatch.setattr(module, "try_lock", late)
    for make in (Partial.make_file, Partial.make_directory):
        taken.clear()
        one = Partial(str(tmp_path))
        descriptor = make(one)
        assert [os.path.join(tmp_path, name) for name in os.listdir(tmp_path)] == [one.path]
        assert len(taken) == 3
        if descriptor is not None:
            os.close(descriptor)
        one.close()
        remove_leftovers(str(tmp_path))


def test_a_directory_that_cannot_be_read_has_no_leftovers(tmp_path: Path) -> None:
    """That is not an error: what is to be written there says what is wrong."""
    remove_leftovers(str(tmp_path / "missing"))


def swap(place: Path) -> tuple[Path, str]:
    """A directory ``target`` with something old in it, and a new one beside it that takes its place."""
    (place / "target").mkdir()
    (place / "target" / "old").write_bytes(b"")
    new = place / ".minpack-0123456789ab.partial"
    new.mkdir()
    (new / "new").write_bytes(b"")
    return place / "target", str(new)


def test_a_swap_leaves_the_new_directory_alone(tmp_path: Path) -> None:
    """Neither the old one nor what says that it was moved is there afterwards."""
    target, new = swap(tmp_path)
    assert swap_in(new, str(target)) == ""
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(target) == ["new"]


def test_a_swap_that_fails_leaves_the_old_directory(tmp_path: Path) -> None:
    """What cannot be put there is not: the target is as before."""
    target, new = swap(tmp_path)
    with pytest.raises(FileNotFoundError):
        swap_in(f"{new[:-8]}.none", str(target))
    assert os.listdir(target) == ["old"]
    assert sorted(os.listdir(tmp_path)) == [os.path.basename(new), "target"]


@pytest.mark.parametrize("kept", [{"target"}, {"old"}, {"old", "target"}])
def test_a_swap_that_was_cut_short_is_finished(tmp_path: Path, kept: set[str]) -> None:
    """The old directory is at its place again, unless the new one is; nothing else is left."""
    marker = leftover(tmp_path, ".minpack-0123456789ab.swap")
    marker.write_bytes(b"target")
    for name in kept:
        path = tmp_path / {"old": ".minpack-0123456789ab.old"}.get(name, name)
        path.mkdir()
        (path / f"was-{name}").write_bytes(b"")
    remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == ["target"]
    assert os.listdir(tmp_path / "target") == [f"was-{'target' if 'target' in kept else 'old'}"]


@pytest.mark.parametrize("name", [b"", b"..", b".", b"a/b", b"../target", b"a\0b"])
def test_a_marker_that_no_swap_wrote(tmp_path: Path, name: bytes) -> None:
    """What it names is not a name in this directory: nothing is moved or removed."""
    leftover(tmp_path, ".minpack-0123456789ab.swap").write_bytes(name)
    (tmp_path / ".minpack-0123456789ab.old").mkdir()
    before = sorted(os.listdir(tmp_path))
    remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before


def test_a_marker_alone_is_removed(tmp_path: Path) -> None:
    """Nothing was moved yet, or all is done."""
    leftover(tmp_path, ".minpack-0123456789ab.swap").write_bytes(b"")
    remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == []
