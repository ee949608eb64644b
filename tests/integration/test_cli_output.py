"""Where results go: files, directories, links to them, and places that cannot take them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from support.badfiles import make_bad_files
from support.command import assert_error_document, assert_refused, in_shell, minpack, snapshot
from support.elfmaker import static_program
from support.places import as_nobody, shared_directory, small_disk
from support.refusals import row

if TYPE_CHECKING:
    from pathlib import Path

#: Of these, each makes one file or directory that a full disk is too small for.
FORMATS = ("archive", "oci", "rootfs", "tar")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program in it."""
    (tmp_path / "app").write_bytes(static_program())
    return tmp_path


def test_the_default_names(place: Path) -> None:
    """Without -o the result lies in the working directory, named after the program and what it is."""
    for form in FORMATS:
        assert minpack("./app", "--format", form, cwd=place).code == 0
    assert sorted(os.listdir(place)) == ["app", "app-oci", "app-rootfs", "app-rootfs.tar", "app.tar"]


def test_a_link_to_a_file_stays_a_link(place: Path) -> None:
    """Written to a symlink, the file behind it is replaced."""
    (place / "real").mkdir()
    (place / "real" / "app.tar").write_bytes(b"old")
    os.symlink("real/app.tar", place / "link.tar")
    assert minpack("./app", "-o", "link.tar", cwd=place).code == 0
    assert os.readlink(place / "link.tar") == "real/app.tar"
    assert (place / "real" / "app.tar").stat().st_size > 1000
    assert os.listdir(place / "real") == ["app.tar"]


def test_a_link_to_nothing_yet(place: Path) -> None:
    """Written to a symlink that dangles, the file it names is made."""
    os.symlink("there.tar", place / "link.tar")
    assert minpack("./app", "-o", "link.tar", cwd=place).code == 0
    assert stat.S_ISREG((place / "there.tar").lstat().st_mode)
    assert os.readlink(place / "link.tar") == "there.tar"


def test_new_files_have_the_usual_mode(place: Path) -> None:
    """The umask decides, as for any new file."""
    old = os.umask(0o027)
    try:
        assert minpack("./app", cwd=place).code == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((place / "app.tar").stat().st_mode) == 0o640


def test_the_longest_file_name(place: Path) -> None:
    """A name of 255 bytes, the most there is, can be written to."""
    name = "ä" * 125 + ".tarr"
    assert len(name.encode()) == 255
    assert minpack("./app", "-o", name, cwd=place).code == 0
    assert (place / name).exists()


@pytest.mark.parametrize("form", ["oci", "rootfs"])
def test_an_empty_directory_is_replaced(place: Path, form: str) -> None:
    """A directory with nothing in it is taken as made for the purpose."""
    (place / "target").mkdir()
    assert minpack("./app", "--format", form, "-o", "target", cwd=place).code == 0
    assert os.listdir(place / "target")
    assert sorted(os.listdir(place)) == ["app", "target"]


@pytest.mark.parametrize("form", ["oci", "rootfs"])
def test_force_replaces_a_full_directory(place: Path, form: str) -> None:
    """With --force nothing stays of what was there, and nothing beside it."""
    (place / "target" / "deep").mkdir(parents=True)
    (place / "target" / "deep" / "old").write_bytes(b"old")
    (place / "target" / "deep").chmod(0o555)
    assert minpack("./app", "--format", form, "-o", "target", "--force", cwd=place).code == 0
    assert "deep" not in os.listdir(place / "target")
    assert sorted(os.listdir(place)) == ["app", "target"]


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_mount_point_is_not_replaced(place: Path) -> None:
    """Nothing is moved out from under a mounted file system."""
    with small_disk(place / "mounted", "10m"):
        ran = minpack("./app", "--format", "rootfs", "-o", "mounted", "--force", cwd=place)
    assert_refused(ran, 1, "cannot write 'mounted': something is mounted on it", "name a directory below it")


def test_a_place_that_may_not_be_written() -> None:
    """Without the right to write there, it is told so, with what to do."""
    case = row("a place that may not be written")
    with shared_directory() as place:
        (place / "app").write_bytes(static_program())
        (place / "locked").mkdir(mode=0o555)
        ran = as_nobody("./app", "-o", "locked/app.tar", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        assert os.listdir(place / "locked") == []


def test_a_root_file_system_without_root() -> None:
    """Who is not root owns all of it, and is told so once; modes are kept."""
    with shared_directory() as place:
        (place / "app").write_bytes(static_program())
        ran = as_nobody("./app", "--format", "rootfs", "-o", "root", cwd=place)
        assert ran.code == 0, ran.err
        note = "note: files belong to you: only root can give them their owners; --format tar keeps them\n"
        assert ran.err == note
        status = (place / "root" / "tmp").stat()
        assert stat.S_IMODE(status.st_mode) == 0o1777
        document = as_nobody("./app", "--format", "rootfs", "-o", "again", "--json", cwd=place).document
        assert document["notes"] == [note.removeprefix("note: ").rstrip("\n")]


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk(place: Path, form: str) -> None:
    """Where there is no room for the result, it is told so, and the disk is as empty as before."""
    case = row("a full disk")
    with small_disk(place / "full"):
        (place / "full" / "old.tar").write_bytes(b"old")
        before = snapshot(place)
        ran = minpack("./app", "--need", "certs", "--format", form, "-o", "full/app.tar", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        ran = minpack("./app", "--need", "certs", "--format", "tar", "-o", "full/old.tar", cwd=place)
        assert ran.code == 1
        assert snapshot(place) == before


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_no_room_for_temporary_files(place: Path) -> None:
    """An archive on its way to stdout needs room in TMPDIR; nothing comes out before it is whole."""
    case = row("no room for temporary files")
    with small_disk(place / "full"):
        ran = minpack("./app", "--need", "certs", "-o", "-", cwd=place, env={"TMPDIR": "full"})
        assert_refused(ran, case.code, case.message, case.hint)
        assert ran.out == b""
        assert os.listdir(place / "full") == []


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_no_room_to_unpack_a_base(tmp_path: Path) -> None:
    """A compressed base that does not fit into TMPDIR is refused."""
    import gzip

    from support.tarmaker import archive, member

    case = row("no room to unpack a base")
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress(archive(member("data", bytes(1 << 20)))))
    with small_disk(tmp_path / "full"):
        ran = minpack("./app", "--base", "packed.tar.gz", cwd=tmp_path, env={"TMPDIR": "full"})
        assert_refused(ran, case.code, case.message, case.hint)
        assert os.listdir(tmp_path / "full") == []


def test_no_temporary_directory(place: Path) -> None:
    """A TMPDIR that is not there matters to those runs alone that need one."""
    case = row("no temporary directory")
    ran = minpack("./app", "-o", "-", cwd=place, env={"TMPDIR": "nowhere"})
    assert_refused(ran, case.code, case.message, case.hint)
    assert minpack("./app", cwd=place, env={"TMPDIR": "nowhere"}).code == 0


def test_a_deleted_working_directory(tmp_path: Path) -> None:
    """Where the working directory is gone, absolute paths still work, and relative ones are refused."""
    (tmp_path / "app").write_bytes(static_program())
    gone = tmp_path / "gone"
    script = f'cd {gone} && rmdir {gone} && exec "$@"'
    for number, (arguments, code) in enumerate(
        [
            ((str(tmp_path / "app"), "-o", str(tmp_path / "app.tar")), 0),
            ((str(tmp_path / "app"), "-o", "app.tar"), 1),
            ((str(tmp_path / "app"), "--format", "oci"), 1),
            (("./app",), 1),
            (("tree", str(tmp_path / "app")), 0),
            (("tree", "./app"), 1),
            ((str(tmp_path / "app"), "--base", "alpine-3.22", "--offline", "--cache-dir", "cache"), 1),
        ]
    ):
        gone.mkdir()
        ran = in_shell(script, *arguments, cwd=tmp_path)
        assert ran.code == code, (number, ran.err)
        assert "Traceback" not in ran.err
        assert bool(ran.err.startswith("minpack: cannot ")) == bool(code)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """With --dry-run everything is checked but nothing written, and wrong options are refused all the same."""
    make_bad_files(tmp_path)
    before = snapshot(tmp_path)
    ran = minpack("./app", "--dry-run", "--format", "rootfs", cwd=tmp_path)
    assert ran.code == 0
    assert ran.out.decode().endswith("nothing was written (--dry-run)\n")
    assert minpack("./app", "--dry-run", "-o", "-", "--format", "oci", cwd=tmp_path).code == 2
    assert minpack("./lacking", "--dry-run", "--base", "musl.tar", cwd=tmp_path).code == 3
    document = minpack("./app", "--dry-run", "--json", cwd=tmp_path).document
    assert document["outputs"] == []
    assert document["images"][0]["digest"] is None
    assert "/usr/local/bin/app" in [file["path"] for file in document["images"][0]["files"]]
    assert snapshot(tmp_path) == before
