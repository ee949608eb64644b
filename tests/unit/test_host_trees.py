"""Removing trees: deep ones, locked ones, and none that is mounted."""

from __future__ import annotations

import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.host.mounts import mounted_below
from minpack.host.trees import remove_tree
from support.places import NOBODY, shared_directory
from support.trees import make_deep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("depth", [0, 1, 2000, 20_000])
def test_a_tree_of_any_depth(swift_place: Path, depth: int) -> None:
    """It goes with few files open and without recursion."""
    top = make_deep(swift_place / "top", depth)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, hard))
    try:
        assert remove_tree(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(swift_place) == []


def test_all_that_may_be_in_a_tree(tmp_path: Path) -> None:
    """Files, links, pipes and full directories at every level go; what links lead to stays."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"kept")
    for level in ("top", "top/a", "top/a/b", "top/c"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "file").write_bytes(b"x")
        os.symlink(tmp_path / "kept", tmp_path / level / "link")
        os.symlink("nowhere", tmp_path / level / "dangling")
        os.mkfifo(tmp_path / level / "pipe")
        os.link(tmp_path / "kept" / "file", tmp_path / level / "second")
    assert remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "file").read_bytes() == b"kept"


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    """A link, or a file, in a tree's place is all that goes."""
    (tmp_path / "kept").mkdir()
    os.symlink("kept", tmp_path / "link")
    (tmp_path / "file").write_bytes(b"")
    assert remove_tree(str(tmp_path / "link"))
    assert remove_tree(str(tmp_path / "file"))
    assert remove_tree(str(tmp_path / "missing"))
    assert os.listdir(tmp_path) == ["kept"]


def test_directories_without_rights() -> None:
    """Directories that their owner may neither list, enter nor write to go all the same."""
    with shared_directory() as place:
        code = (
            "import os, sys\n"
            "from minpack.host.trees import remove_tree\n"
            f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            "os.chdir(sys.argv[1])\n"
            "os.makedirs('top/a/b/c')\n"
            "for name in ('top/a/b/c', 'top/a/b', 'top/a', 'top'):\n"
            "    os.close(os.open(name + '/file', os.O_CREAT))\n"
            "    os.chmod(name, 0o100 if name.endswith('b') else 0)\n"
            "assert remove_tree('top') and os.listdir() == []\n"
        )
        done = subprocess.run([*_python(), "-c", code, place], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_cannot_be_removed_is_told() -> None:
    """Where the directory above may not be written, the tree stays, and that is the answer."""
    with shared_directory() as place:
        (place / "locked" / "top").mkdir(parents=True)
        (place / "locked").chmod(0o555)
        code = (
            "import os, sys\n"
            "from minpack.host.trees import remove_tree\n"
            f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            "assert not remove_tree(sys.argv[1])\n"
        )
        done = subprocess.run([*_python(), "-c", code, place / "locked" / "top"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def _python() -> list[str]:
    import sys

    if os.geteuid() != 0:
        pytest.skip("not root")
    return [sys.executable]


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_what_is_mounted_stays(tmp_path: Path) -> None:
    """A directory mounted within, at whatever depth, keeps all that is in it, even if it is of the same file system."""
    (tmp_path / "kept" / "deep").mkdir(parents=True)
    (tmp_path / "kept" / "file").write_bytes(b"kept")
    (tmp_path / "top" / "a" / "mount").mkdir(parents=True)
    (tmp_path / "top" / "b").mkdir()
    bind = ["mount", "--bind", str(tmp_path / "kept"), str(tmp_path / "top" / "a" / "mount")]
    done = subprocess.run(bind, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted: {done.stderr.decode()}")
    try:
        assert mounted_below(str(tmp_path / "top")) == f"{tmp_path}/top/a/mount"
        assert not remove_tree(str(tmp_path / "top"))
        assert sorted(os.listdir(tmp_path / "kept")) == ["deep", "file"]
        (left,) = os.listdir(tmp_path / "top")
        assert os.listdir(tmp_path / "top" / left) == ["mount"]
    finally:
        subprocess.run(["umount", mounted_below(str(tmp_path / "top"))], check=True)
    assert mounted_below(str(tmp_path / "top")) == ""
    assert remove_tree(str(tmp_path / "top"))


@pytest.mark.parametrize("call", ["scandir", "unlink", "rmdir", "rename", "close"])
def test_what_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A call that fails a single time, as on a file system of a network's, leaves nothing behind."""
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "a" / "file").write_bytes(b"")
    real, failed = getattr(os, call), list[object]()

    def once(*given: object, **options: object) -> object:
        if not failed:
            failed.append(given)
            raise OSError(116, "Stale file handle")
        return real(*given, **options)

    monkeypatch.setattr(os, call, once)
    assert remove_tree(str(tmp_path / "top"))
    assert failed
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_looked_at_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system does not tell whether it is gone, it is not."""

    def stale(_path: str) -> os.stat_result:
        raise OSError(116, "Stale file handle")

    (tmp_path / "top").mkdir()
    monkeypatch.setattr(os, "lstat", stale)
    assert not remove_tree(str(tmp_path / "top"))
