"""Where results go: files, directories, links to them, and places that cannot take them."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.badfiles import make_bad_files
from support.command import Ran, assert_error_document, assert_refused, in_shell, minpack, snapshot
from support.elfmaker import static_program
from support.places import NOBODY, as_nobody, shared_directory, small_disk
from support.refusals import row
from support.tarmaker import archive, member, pax, records
from support.trees import make_deep

if TYPE_CHECKING:
    from pathlib import Path

#: Of these, each makes one file or directory that a full disk is too small for.
FORMATS = ("archive", "oci", "rootfs", "tar")
#: What a file at the target may be for it to be replaced.
OLD = archive(member("old", b"old"))


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
    (place / "real" / "app.tar").write_bytes(OLD)
    os.symlink("real/app.tar", place / "link.tar")
    assert minpack("./app", "-o", "link.tar", cwd=place).code == 0
    assert os.readlink(place / "link.tar") == "real/app.tar"
    assert (place / "real" / "app.tar").read_bytes() != OLD
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


@pytest.mark.parametrize(("form", "name"), [("archive", "app.tar"), ("tar", "app-rootfs.tar")])
@pytest.mark.parametrize("output", ["there", "there/", "new/", "link", "./there/.."])
def test_a_directory_takes_the_file(place: Path, form: str, name: str, output: str) -> None:
    """Into a directory, or what a slash at the end makes one, the file goes under its default name."""
    (place / "there").mkdir()
    (place / "there" / "other").write_bytes(b"other")
    os.symlink("there", place / "link")
    for _ in range(2):
        ran = minpack("./app", "--format", form, "-o", output, "--json", cwd=place)
        assert ran.code == 0, ran.err
        assert ran.document["outputs"][0]["path"] == os.path.join(output, name)
        assert (place / output / name).stat().st_size > 1000
    assert (place / "there" / "other").read_bytes() == b"other"


def test_a_directory_is_made_for_a_file_alone(place: Path) -> None:
    """Its parents are not; where nothing is written, no directory stays; and without a slash none is meant."""
    assert minpack("./app", "-o", "no/where/", cwd=place).code == 1
    assert minpack("./app", "-o", "new/", "--load", cwd=place, env={"DOCKER_HOST": "unix:///nonexistent"}).code == 1
    assert minpack("./app", "-o", "new/", "--dry-run", cwd=place).code == 0
    assert os.listdir(place) == ["app"]
    assert minpack("./app", "-o", "new", cwd=place).code == 0
    assert (place / "new").is_file()
    ran = minpack("./app", "-o", "new/", cwd=place)
    assert_refused(ran, 1, "cannot write 'new/app.tar': not a directory")


def test_the_image_of_a_base_goes_into_a_directory(place: Path) -> None:
    """It is called after the base."""
    (place / "base.tar.gz").write_bytes(gzip.compress(archive(member("file", b"data"))))
    assert minpack("base", "image", "base.tar.gz", "--platform", "amd64", "-o", "new/", cwd=place).code == 0
    assert os.listdir(place / "new") == ["base.tar"]


@pytest.mark.parametrize("form", ["archive", "tar"])
def test_pipes_take_the_output(place: Path, form: str) -> None:
    """A named pipe, one of the shell's, and stdout by its name are written to as - is; nothing is made beside them."""
    assert minpack("./app", "--format", form, "-o", "file", cwd=place).code == 0
    os.mkfifo(place / "pipe")
    for script in (
        'cat pipe >got & "$@" -o pipe 2>&1 >/dev/null; wait',
        '"$@" -o /dev/stdout >got',
        '"$@" -o /dev/stdout | cat >got',
        '"$@" -o /dev/fd/3 3>&1 >/dev/null | cat >got',
    ):
        ran = in_shell(script, "./app", "--format", form, cwd=place)
        assert (ran.code, ran.out) == (0, b""), ran.err
        assert (place / "got").read_bytes() == (place / "file").read_bytes(), script
        (place / "got").unlink()
    assert sorted(os.listdir(place)) == ["app", "file", "pipe"]
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
    assert minpack("./app", "--format", form, "-o", "/dev/null", cwd=place).code == 0


def test_stdout_has_one_thing_by_whatever_name(place: Path) -> None:
    """The image, and then not the report too; or the document, and then not the image too."""
    ran = minpack("./app", "-o", "/dev/stdout", cwd=place)
    assert b"digest" not in ran.out[-512:]
    assert "digest" in ran.err
    assert minpack("./app", "-o", "/dev/stdout", "--json", cwd=place).code == 2


def test_a_reader_that_stops(place: Path) -> None:
    """Who reads from the pipe may have enough: that is not a failure, as with stdout."""
    os.mkfifo(place / "pipe")
    (place / "app").write_bytes(static_program(overlay=bytes(1 << 20)))
    script = 'head -c 100 pipe >/dev/null & "$@" -o pipe --compress none; code=$?; wait; exit $code'
    assert in_shell(script, "./app", cwd=place) == Ran(0, b"", "")


def test_a_terminal_is_no_file(place: Path) -> None:
    """By its name it is refused as - is."""
    own, other = os.openpty()
    ran = minpack("./app", "-o", os.ttyname(other), cwd=place)
    os.close(own)
    os.close(other)
    assert_refused(ran, 1, "cannot write '/dev/pts/…': it is a terminal", "choose a file or a pipe with -o")


def test_a_lock_on_stdout(place: Path) -> None:
    """A device or pipe takes a lock; the report goes where the lock does not."""
    assert minpack("lock", "./app", cwd=place).code == 0
    ran = minpack("lock", "./app", "--lock", "/dev/stdout", cwd=place)
    assert ran.code == 0, ran.err
    assert ran.out == (place / "minpack.lock").read_bytes()
    assert ran.err.startswith("/dev/stdout  app  linux/amd64\n")
    assert minpack("lock", "./app", "--lock", "/dev/stdout", "--json", cwd=place).code == 2
    assert minpack("lock", "./app", "--lock", "/dev/null", cwd=place).code == 0


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("form", FORMATS)
def test_a_link_that_another_user_planted(form: str) -> None:
    """In a sticky directory that everybody may write to, nothing is written where another's link leads."""
    case = row("a link that another user planted")
    with shared_directory() as place:
        (place / "app").write_bytes(static_program())
        (place / "private").mkdir()
        os.symlink("private", place / "planted")
        os.chown(place / "planted", NOBODY, NOBODY, follow_symlinks=False)
        place.chmod(0o1777)
        ran = minpack("./app", "--format", form, "-o", "planted/app.tar", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        assert minpack("./app", "--format", form, "-o", "planted/", cwd=place).code == 1
        assert minpack("lock", "./app", "--lock", "planted/lock", cwd=place).code == 1
        assert os.listdir(place / "private") == []
        os.chown(place / "planted", 0, 0, follow_symlinks=False)
        assert minpack("./app", "--format", form, "-o", "planted/app.tar", cwd=place).code == 0


def test_a_tree_of_many_levels(swift_place: Path) -> None:
    """2,000 directories, one in the other, are written and replaced, and nothing stays beside them."""
    name = "/".join("d" * 2000) + "/file"
    (swift_place / "deep.tar").write_bytes(archive(pax(records(path=name)), member("x", b"data")))
    for extra in ((), ("--force",)):
        image = ("base", "image", "deep.tar", "--platform", "amd64", "--format", "rootfs", "-o", "root", *extra)
        ran = minpack(*image, cwd=swift_place)
        assert ran.code == 0, ran.err
        assert sorted(os.listdir(swift_place)) == ["deep.tar", "root"]
    found = subprocess.run(["find", "root", "-name", "file"], cwd=swift_place, capture_output=True, check=True)
    assert found.stdout == f"root/{name}\n".encode()


def test_a_tree_with_paths_as_long_as_can_be(swift_place: Path) -> None:
    """It is written, added and taken as a base where it lies so that the system takes no path to it at once."""
    name = "/".join(["d" * 250] * 16) + "/" + "f" * 70
    (swift_place / "deep.tar").write_bytes(archive(pax(records(path=name)), member("x", b"data")))
    (swift_place / "app").write_bytes(static_program())
    place = swift_place / "a place with a name" / "of more than 15 bytes"
    place.mkdir(parents=True)
    assert len(f"{place}/root/{name}") > 4096
    image = ("base", "image", "--platform", "amd64")
    ran = minpack(*image, "deep.tar", "--format", "rootfs", "-o", f"{place}/root", cwd=swift_place)
    assert ran.code == 0, ran.err
    for base, out in (("deep.tar", "first.tar"), (f"{place}/root", "second.tar")):
        ran = minpack(*image, base, "-t", "x", "-o", out, cwd=swift_place)
        assert ran.code == 0, ran.err
    assert (swift_place / "first.tar").read_bytes() == (swift_place / "second.tar").read_bytes()
    ran = minpack("./app", "--add", f"{place}/root:/r", "-o", "added.tar", "--json", cwd=swift_place)
    assert ran.code == 0, ran.err
    assert f"/r/{name}" in [file["path"] for file in ran.document["images"][0]["files"]]


def test_a_tree_that_no_image_can_have(swift_place: Path) -> None:
    """Where a path would be longer than any system takes, it is told in a line; and the tree can be replaced."""
    make_deep(swift_place / "chasm", 16, "d" * 250)
    make_deep(swift_place / "abyss", 30, "d" * 250)
    (swift_place / "app").write_bytes(static_program())
    ran = minpack("./app", "--add", f"chasm:/{'s' * 200}", cwd=swift_place)
    assert_refused(ran, 1, "cannot read 'chasm/ddd…': its path in the image would be longer than 4095 bytes")
    ran = minpack("./app", "--add", "abyss:/a", cwd=swift_place)
    assert_refused(ran, 1, "cannot read 'abyss/ddd…': its path below 'abyss' is longer than 4095 bytes")
    ran = minpack("base", "image", "./abyss", "--platform", "amd64", cwd=swift_place)
    assert_refused(ran, 1, "cannot read './abyss/ddd…': its path below 'abyss' is longer than 4095 bytes")
    assert minpack("./app", "--format", "oci", "-o", "abyss", "--force", cwd=swift_place).code == 0
    assert sorted(os.listdir(swift_place)) == ["abyss", "app", "chasm"]


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
    (place / "above" / "a b").mkdir(parents=True)
    with small_disk(place / "above" / "a b" / "mounted", "10m"):
        (place / "above" / "a b" / "mounted" / "file").write_bytes(b"kept")
        ran = minpack("./app", "--format", "rootfs", "-o", "above", "--force", cwd=place)
        assert (place / "above" / "a b" / "mounted" / "file").read_bytes() == b"kept"
    reason = f"something is mounted in it, at '{place}/above/a b/mounted'"
    assert_refused(ran, 1, f"cannot write 'above': {reason}", "unmount it, or name another directory")


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
        note = "note: files belong to you, because only root can set owners; --format tar keeps them\n"
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
        (place / "full" / "old.tar").write_bytes(OLD)
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
