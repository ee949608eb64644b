"""Writing a tree into a directory of the host."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import BytesContent, FileContent
from minpack.errors import ChangedInputError
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.access import read_capability
from minpack.rootfs.directory import BUFFER_SIZE, write_directory
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from support.capabilities import NET_RAW

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, *entries: Entry, **options: Any) -> None:
    """Write these entries."""
    given: dict[str, Any] = {"mtime": 0, "owners": False, "progress": no_progress} | options
    write_directory(entries, str(root), **given)


def at(path: str, data: bytes = b"", mode: int = 0o644) -> Entry:
    """A file."""
    return file(RootPath(path), BytesContent(data), mode)


def test_all_kinds_of_entries_are_written(tmp_path: Path) -> None:
    """Files, directories, symlinks and hard links are there as planned."""
    data = os.urandom(BUFFER_SIZE + 1)
    write(
        tmp_path,
        directory(RootPath("/d")),
        at("/d/file", data),
        Entry(RootPath("/d/hard"), Kind.HARDLINK, 0o644, link="/d/file"),
        symlink(RootPath("/d/soft"), "/nowhere"),
        at("/empty"),
    )
    assert (tmp_path / "d/file").read_bytes() == data
    assert (tmp_path / "d/hard").samefile(tmp_path / "d/file")
    assert os.readlink(tmp_path / "d/soft") == "/nowhere"
    assert (tmp_path / "empty").stat().st_size == 0
    assert sorted(os.listdir(tmp_path)) == ["d", "empty"]


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o027])
def test_modes_are_those_of_the_plan(umask: int, tmp_path: Path) -> None:
    """Whatever the umask, every mode bit is as planned, and the root's mode is 0755."""
    modes = {"/a": 0o4755, "/b": 0o600, "/c": 0o666, "/d": 0}
    entries = [at(path, mode=mode) for path, mode in modes.items()]
    before = os.umask(umask)
    try:
        write(tmp_path, *entries, directory(RootPath("/e"), 0o1777), directory(RootPath("/f"), 0o555), at("/f/g"))
    finally:
        os.umask(before)
    found = {f"/{path.name}": stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == modes | {"/e": 0o1777, "/f": 0o555}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("mtime", [0, 86400, 4102444800])
def test_times_are_those_of_the_image(mtime: int, tmp_path: Path) -> None:
    """Everything has the image's time: files, links, directories and the root."""
    write(tmp_path, directory(RootPath("/d")), at("/d/f"), symlink(RootPath("/d/l"), "f"), mtime=mtime)
    for path in (tmp_path, tmp_path / "d", tmp_path / "d/f", tmp_path / "d/l"):
        assert path.lstat().st_mtime == mtime


def test_names_are_bytes(tmp_path: Path) -> None:
    """Names and links that are not UTF-8 are written as they are in the layer."""
    write(tmp_path, at("/\udcff", b"x"), at("/größe"), symlink(RootPath("/l"), "\udcfe"))
    assert sorted(os.listdir(os.fsencode(tmp_path))) == ["größe".encode(), b"l", b"\xff"]
    assert os.readlink(os.fsencode(tmp_path / "l")) == b"\xfe"


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_root_gives_files_their_owners(tmp_path: Path) -> None:
    """With owners, files, directories and links belong to whom they are planned for, and setuid bits stay."""
    write(
        tmp_path,
        directory(RootPath("/d"), 0o750, 65532, 1234),
        at("/d/f", mode=0o4755)._replace(uid=65532, gid=1234),
        symlink(RootPath("/d/l"), "f")._replace(uid=65532, gid=1234),
        Entry(RootPath("/d/h"), Kind.HARDLINK, 0o4755, 65532, 1234, link="/d/f"),
        at("/mine"),
        owners=True,
    )
    for name in ("d", "d/f", "d/l", "d/h"):
        status = (tmp_path / name).lstat()
        assert (status.st_uid, status.st_gid) == (65532, 1234)
    assert stat.S_IMODE((tmp_path / "d/f").stat().st_mode) == 0o4755
    assert (tmp_path / "mine").stat().st_uid == 0


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_capabilities_are_given_last(tmp_path: Path) -> None:
    """A file that belongs to another user, and its link, have the capability: a new owner would take it away."""
    app = at("/app", b"x", 0o755)._replace(uid=7, capability=NET_RAW)
    link = Entry(RootPath("/link"), Kind.HARDLINK, 0o755, 7, link="/app", capability=NET_RAW)
    given: dict[str, Any] = {"mtime": 0, "progress": no_progress}
    for owners, expected in ((True, ()), (False, ("/app", "/link"))):
        root = tmp_path / str(owners)
        root.mkdir()
        assert write_directory([app, link], str(root), owners=owners, **given) == expected
        assert read_capability(str(root / "link")) == (NET_RAW if owners else b"")


def test_capabilities_that_the_system_does_not_take(tmp_path: Path) -> None:
    """They are told by their files, and the rest is written."""
    app = at("/app", b"x", 0o755)._replace(capability=b"nonsense", uid=os.getuid(), gid=os.getgid())
    assert write_directory([app], str(tmp_path), mtime=0, owners=True, progress=no_progress) == ("/app",)
    assert (tmp_path / "app").read_bytes() == b"x"


def test_without_owners_all_is_the_callers(tmp_path: Path) -> None:
    """Without owners everything belongs to who writes it."""
    write(tmp_path, at("/f")._replace(uid=1234, gid=1234))
    assert (tmp_path / "f").stat().st_uid == os.geteuid()


def test_files_that_shrank_are_noticed(tmp_path: Path) -> None:
    """A file that is shorter than planned is an error that says by how much."""
    (tmp_path / "source").write_bytes(b"12345")
    (tmp_path / "out").mkdir()
    with pytest.raises(ChangedInputError) as caught:
        write(tmp_path / "out", file(RootPath("/f"), FileContent(str(tmp_path / "source"), 9)))
    assert (caught.value.planned, caught.value.actual) == (9, 5)


def test_progress_counts_the_bytes(tmp_path: Path) -> None:
    """Progress is in bytes, up to all of them."""
    seen: list[tuple[int, int | None]] = []
    write(tmp_path, at("/a", b"123"), at("/b", b"45"), progress=lambda _task, done, total: seen.append((done, total)))
    assert seen == [(3, 5), (5, 5)]
