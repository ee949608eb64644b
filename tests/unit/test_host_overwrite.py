"""Where an output goes, and what it may replace."""

from __future__ import annotations

import os
import socket
import tarfile
from typing import TYPE_CHECKING

import pytest

from minpack.errors import OutputError
from minpack.host.overwrite import FilePlace, HostInput, as_output_error, directory_place, file_place, outputs_within
from support.places import NOBODY
from support.tarmaker import GNU, archive, header, member

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: A header with names of owners, as tar(1) writes it and minpack does not.
FOREIGN = bytearray(header("file"))
FOREIGN[265:269] = b"root"


def refused(ask: Callable[[], object]) -> str:
    """What is said against a target."""
    with pytest.raises(OutputError) as caught:
        ask()
    assert caught.value.hint
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "may"),
    [
        (b"", True),
        (archive(member("file", b"data")), True),
        (header("file", magic=GNU), True),
        (bytes(FOREIGN), True),
        (b"text", False),
        (bytes(10240), False),
        (b"\x1f\x8b" + bytes(600), False),
        (b"\x7fELF" + bytes(600), False),
        (b"x" * 257 + b"ustar", False),
    ],
)
def test_what_a_file_may_replace(tmp_path: Path, data: bytes, may: bool) -> None:
    """An empty file or a tar archive, whoever wrote it; all else with force."""
    target = tmp_path / "target"
    target.write_bytes(data)
    assert file_place(str(target), force=True) == FilePlace(str(target.resolve()))
    if may:
        assert file_place(str(target)) == FilePlace(str(target.resolve()))
    else:
        assert refused(lambda: file_place(str(target))) == "the existing file is not a tar archive"
    assert target.read_bytes() == data


def test_a_file_that_cannot_be_read_is_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not known, so it is not replaced."""

    def denied(*_given: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "target").write_bytes(archive(member("file", b"")))
    monkeypatch.setattr(os, "open", denied)
    assert refused(lambda: file_place(str(tmp_path / "target"))) == "the existing file is not a tar archive"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["input", "link", "hard", "sub/../input", "linked/input"])
def test_an_input_is_never_replaced(tmp_path: Path, name: str, force: bool) -> None:
    """By whatever name: itself, a symlink, a hard link, through a linked directory; not with force either."""
    (tmp_path / "input").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    os.symlink("input", tmp_path / "link")
    os.symlink(".", tmp_path / "linked")
    os.link(tmp_path / "input", tmp_path / "hard")
    inputs = (HostInput(str(tmp_path / "missing"), "nothing"), HostInput(str(tmp_path / "input"), "the program"))
    assert refused(lambda: file_place(f"{tmp_path}/{name}", inputs, force=force)) == "it is the program"
    by_link = (HostInput(str(tmp_path / "link"), "the program"),)
    assert refused(lambda: file_place(f"{tmp_path}/{name}", by_link, force=force)) == "it is the program"


def test_a_file_in_a_directory_of_inputs(tmp_path: Path) -> None:
    """Only what minpack has written may be replaced there, or an empty file; a base's files are not all inputs."""
    (tmp_path / "added" / "deep").mkdir(parents=True)
    target = tmp_path / "added" / "deep" / "file"
    whole = (HostInput(str(tmp_path / "added"), "what is added", whole=True),)
    reason = "it is a file in what is added"
    for data in (b"text", bytes(FOREIGN), header("file", magic=GNU)):
        target.write_bytes(data)
        assert refused(lambda: file_place(str(target), whole, force=True)) == reason
        assert file_place(str(target), (HostInput(str(tmp_path / "added"), "a base"),), force=True)
    for data in (b"", archive(member("blobs/sha256/x", b""))):
        target.write_bytes(data)
        assert file_place(str(target), whole)
    assert file_place(str(tmp_path / "added" / "new"), whole)
    (tmp_path / "added-too").write_bytes(archive(member("x", b"")))
    assert file_place(str(tmp_path / "added-too"), whole)


def test_pythons_tars_are_archives(tmp_path: Path) -> None:
    """In all the formats that are written elsewhere."""
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
            tar.add(__file__)
        assert file_place(str(tmp_path / "x.tar"))


def test_devices_and_pipes_are_written_to(tmp_path: Path) -> None:
    """They are not files that could be replaced."""
    os.mkfifo(tmp_path / "pipe")
    os.symlink("pipe", tmp_path / "link")
    assert file_place(str(tmp_path / "pipe")).direct
    assert file_place(str(tmp_path / "link")).direct
    assert file_place("/dev/null").direct
    read, write = os.pipe()
    assert file_place(f"/dev/fd/{write}").direct
    os.close(read)
    os.close(write)


def test_what_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, a socket, a loop, a file with a slash at its end."""
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    with open("file", "wb"):
        pass
    assert refused(lambda: file_place(str(tmp_path))) == "it is a directory"
    assert refused(lambda: file_place("missing/")) == "it is a directory"
    assert refused(lambda: file_place("socket")) == "it is a socket"
    with pytest.raises(OutputError, match="too many levels"):
        file_place("loop")
    with pytest.raises(OutputError, match="not a directory"):
        file_place("file/x")


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_disk_needs_force(tmp_path: Path) -> None:
    """What is on a block device is of value."""
    try:
        os.mknod(tmp_path / "disk", 0o600 | 0o060000, os.makedev(7, 255))
    except PermissionError:
        pytest.skip("no device can be made")
    assert refused(lambda: file_place(str(tmp_path / "disk"))) == "it is a block device"
    assert file_place(str(tmp_path / "disk"), force=True).direct


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_what_others_planted_is_refused(tmp_path: Path) -> None:
    """Links and pipes of another user's where all may write, in the end and on the way, for files and directories."""
    shared = tmp_path / "shared"
    (tmp_path / "real").mkdir()
    shared.mkdir()
    os.symlink(tmp_path / "real", shared / "link")
    os.chown(shared / "link", NOBODY, NOBODY, follow_symlinks=False)
    os.mkfifo(shared / "pipe")
    os.chown(shared / "pipe", NOBODY, NOBODY)
    shared.chmod(0o1777)
    reason = f"{str(shared / 'link')!r} is another user's symbolic link in a directory that everyone can write to"
    assert refused(lambda: file_place(str(shared / "link" / "file"), force=True)) == reason
    assert refused(lambda: directory_place(str(shared / "link" / "new"), force=True)) == reason
    assert refused(lambda: directory_place(str(shared / "link"), force=True)) == reason
    assert refused(lambda: file_place(str(shared / "pipe"))).startswith("it is another user's pipe")
    assert os.listdir(tmp_path / "real") == []


def test_a_directory_that_holds_an_input(tmp_path: Path) -> None:
    """The input itself, one at any depth, one by a link: none is removed, even from an otherwise empty directory."""
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "a" / "b" / "file").write_bytes(b"")
    os.symlink("top/a", tmp_path / "link")
    for path in ("top/a/b/file", "link/b/file", "top/a/b", "top"):
        inputs = (HostInput(f"{tmp_path}/{path}", "the base"),)
        said = refused(lambda inputs=inputs: directory_place(str(tmp_path / "top"), inputs, force=True))  # type: ignore[misc]
        assert said == ("it is the base" if path == "top" else f"it contains the base ('{tmp_path}/{path}')")
    assert directory_place(str(tmp_path / "top" / "new"), inputs)
    assert directory_place(str(tmp_path / "top" / "a"), (HostInput("/", "the base"),), force=True)


def test_a_directory_in_a_directory_of_inputs(tmp_path: Path) -> None:
    """Only a layout or a tree that minpack has written may be replaced there."""
    target = tmp_path / "added" / "target"
    (target / "sub").mkdir(parents=True)
    inputs = (HostInput(str(tmp_path / "added"), "what is added", whole=True),)
    reason = "it is a directory in what is added"
    assert refused(lambda: directory_place(str(target), inputs, force=True)) == reason
    for path in (target / "sub", target):
        os.utime(path, (0, 0))
    assert directory_place(str(target), inputs, force=True) == str(target.resolve())
    os.utime(target, (1, 1))
    assert refused(lambda: directory_place(str(target), inputs, force=True)) == reason
    (target / "sub").rename(target / "blobs")
    for name in ("index.json", "oci-layout"):
        (target / name).write_bytes(b"{}")
    assert directory_place(str(target), inputs, force=True)


@pytest.mark.parametrize("path", ["/etc", "/usr", "/home", "/var/../tmp", "/proc"])
def test_directories_of_the_system_are_not_replaced(path: str) -> None:
    """Whatever is asked for."""
    said = refused(lambda: directory_place(path, force=True))
    assert said in ("it is a system directory", "something is mounted on it", "it contains the working directory")


def test_the_outputs_in_a_directory(tmp_path: Path) -> None:
    """What is at the place, and unfinished ones beside it, if the directory holds them."""
    place = tmp_path / "sub" / "app.tar"
    place.parent.mkdir()
    names = ("app.tar", ".minpack-0123456789ab.partial", ".minpack-x.partial", "other")
    for name in names:
        (place.parent / name).write_bytes(b"")
    found = (str(place.parent / ".minpack-0123456789ab.partial"), str(place))
    assert outputs_within(str(place), str(tmp_path)) == found
    assert outputs_within(str(place), str(place.parent)) == found
    assert outputs_within(str(place), "") == found
    assert outputs_within(str(place), str(tmp_path / "su")) == ()
    assert outputs_within(str(tmp_path / "missing" / "app.tar"), str(tmp_path)) == ()


def test_a_broken_pipe_stays_one() -> None:
    """It is not an error of the target's."""
    with pytest.raises(BrokenPipeError), as_output_error("-"):
        raise BrokenPipeError
