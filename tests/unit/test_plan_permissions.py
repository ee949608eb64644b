"""Modes of added files: which are kept, which are lost and told, and whom they keep out."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.errors import InputError, ResolveError, UnreadableFileError, UsageError
from minpack.net.network import Network
from minpack.paths import RootPath
from minpack.rootfs.etc_files import DEFAULT_USER, User
from minpack.rootfs.modes import is_meant, normal_mode, tree_mode
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.values import AddedDirectory, Addition, parse_addition, parse_directory
from support.badfiles import MUSL_LOADER
from support.cc import Compiler
from support.elfmaker import MUSL, library, program, static_program
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.build.pack import Packed

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
MASK = 0o022


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app").chmod(0o755)
    return tmp_path


def made(path: Path, mode: int, data: bytes = b"x") -> Path:
    """A file of this mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def packed(*added: str, user: User = DEFAULT_USER, umask: int = MASK, directories: tuple[str, ...] = ()) -> Packed:
    """The plan of the program and what is added."""
    request = ImageSpec(
        ("app",),
        additions=tuple(parse_addition(text) for text in added),
        directories=tuple(parse_directory(text) for text in directories),
        run=RunConfig(user=user),
        umask=umask,
    )
    return pack(request, OPTIONS, None)


def rights(found: Packed, path: str) -> str:
    """Mode and owner of an entry."""
    (entry,) = (one for one in found.plan.all if one.path == path)
    return f"{entry.mode:04o} {entry.uid}:{entry.gid}"


@pytest.mark.parametrize(
    ("mode", "umask", "meant"),
    [
        (0o644, 0o022, False),
        (0o755, 0o022, False),
        (0o664, 0o002, False),
        (0o775, 0o002, False),
        (0o666, 0o000, False),
        (0o777, 0o000, False),
        (0o444, 0o022, False),
        (0o555, 0o022, False),
        (0o744, 0o022, False),
        (0o1755, 0o022, False),
        (0o600, 0o022, True),
        (0o600, 0o077, True),
        (0o640, 0o027, True),
        (0o400, 0o022, True),
        (0o700, 0o077, True),
        (0o711, 0o022, True),
        (0o664, 0o022, True),
        (0o666, 0o002, True),
        (0o646, 0o022, True),
        (0o4755, 0o022, True),
        (0o2755, 0o022, True),
        (0o6755, 0o022, True),
    ],
)
def test_modes_that_were_meant(mode: int, umask: int, meant: bool) -> None:
    """What keeps some from reading, runs as its owner, or may be written to beyond the umask was meant so."""
    assert is_meant(mode, umask) is meant


@pytest.mark.parametrize(
    ("mode", "meant"), [(0o755, False), (0o2755, False), (0o750, True), (0o1777, True), (0o711, True)]
)
def test_modes_of_directories_that_were_meant(mode: int, meant: bool) -> None:
    """So too of what keeps some from looking into a directory; its set-group-ID bit says nothing of an image."""
    assert is_meant(mode, MASK, enters=True) is meant


@pytest.mark.parametrize(
    ("mode", "enters", "plain"),
    [
        (0o640, 0o750, 0o640),
        (0o644, 0o755, 0o644),
        (0o755, 0o755, 0o644),
        (0o600, 0o700, 0o600),
        (0o711, 0o711, 0o600),
        (0o222, 0o222, 0o222),
        (0o000, 0o000, 0o000),
        (0o444, 0o555, 0o444),
    ],
)
def test_one_mode_for_a_tree(mode: int, enters: int, plain: int) -> None:
    """Whoever may read a directory or an executable file may enter or execute it, and other files nobody."""
    assert (tree_mode(mode, enters=True), tree_mode(mode, enters=False)) == (enters, plain)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o007, 0o022, 0o027, 0o077])
def test_an_image_does_not_depend_on_the_umask(here: Path, umask: int) -> None:
    """Whatever umask left of the modes of new files and directories, in the image they are the same."""
    before = os.umask(umask)
    try:
        (here / "d/sub").mkdir(parents=True)
        (here / "d/sub/file").write_bytes(b"x")
        os.close(os.open(here / "d/run", os.O_CREAT | os.O_WRONLY, 0o777))
        found = packed("d:/srv", umask=umask)
    finally:
        os.umask(before)
    assert [rights(found, path) for path in ("/srv", "/srv/sub", "/srv/sub/file", "/srv/run")] == [
        "0755 0:0",
        "0755 0:0",
        "0644 0:0",
        "0755 0:0",
    ]
    assert bool(found.notes) is bool(umask & 0o044)
    assert normal_mode(0o666 & ~umask) == 0o644


@pytest.mark.parametrize(
    ("mode", "user", "kept"),
    [
        (0o600, DEFAULT_USER, "0600 65532:65532"),
        (0o640, User(5, 6), "0640 5:6"),
        (0o400, User(0, 0), "0400 0:0"),
        (0o666, DEFAULT_USER, "0666 65532:65532"),
        (0o4755, DEFAULT_USER, "4755 0:0"),
        (0o2710, DEFAULT_USER, "2710 0:0"),
    ],
)
@pytest.mark.parametrize("source", ["a file", "tree/a file"])
def test_a_mode_that_is_lost_is_told(here: Path, source: str, mode: int, user: User, kept: str) -> None:
    """The note names both modes, and the option that keeps it, which does so beside the others."""
    made(here / source, mode)
    added = f"{source.partition('/')[0]}:/x"
    path = "/x/a file" if "/" in source else "/x"
    first = packed(added, user=user)
    normal = "0755" if mode & 0o100 else "0644"
    (note,) = first.notes
    assert note.startswith(
        f"'{source}' has mode {mode:04o} on this host and {normal} in the image; to keep its mode: --add "
    )
    option, value = shlex.split(note.partition("mode: ")[2])
    assert option == "--add"
    for order in ((added, value), (value, added)):
        second = packed(*order, user=user)
        assert rights(second, path) == kept
        assert not [one for one in second.notes if "has mode" in one]


def test_a_directory_s_mode_that_is_lost_is_told(here: Path) -> None:
    """Of the directories in an added one; of the directory itself it says nothing."""
    made(here / "home/.ssh/config", 0o644)
    (here / "home/.ssh").chmod(0o700)
    (here / "home").chmod(0o700)
    (note,) = packed("home:/home/nonroot").notes
    assert note.startswith("'home/.ssh' has mode 0700 on this host and 0755 in the image; to keep its mode: --dir ")
    found = packed("home:/home/nonroot", directories=(note.rpartition(" ")[2],))
    assert (rights(found, "/home/nonroot/.ssh"), found.notes) == ("0700 65532:65532", ())


def test_many_modes_that_are_lost_are_counted(here: Path) -> None:
    """A few are named."""
    for number in range(40):
        made(here / f"d/{number:02}", 0o600)
    notes = packed("d:/srv").notes
    assert len(notes) == 4
    assert notes[-1] == "37 more some added files have other modes in the image than on this host"


def test_a_program_that_runs_as_its_owner(here: Path) -> None:
    """A set-user-ID bit is not lost in silence, and adding the program at its place keeps it."""
    (here / "app").chmod(0o700)
    assert packed().notes == ()
    (here / "app").chmod(0o4755)
    (note,) = packed().notes
    assert note.endswith("to keep its mode: --add app:/usr/local/bin/app:4755")
    found = packed("app:/usr/local/bin/app:4755")
    assert (rights(found, "/usr/local/bin/app"), found.notes) == ("4755 0:0", ())


def test_a_stripped_program_keeps_its_mode(here: Path) -> None:
    """The program at its place is the one that was stripped, with the mode that is given for it."""
    Compiler(here).program("app", "int main(void) { return 0; }", "-static", "-g")
    additions = (Addition("app", RootPath("/usr/local/bin/app"), 0o711),)
    request = ImageSpec(("app",), additions=additions, strip=True)
    found = pack(request, OPTIONS, None)
    (entry,) = (one for one in found.plan.all if one.path == "/usr/local/bin/app")
    assert (entry.mode, entry.size < (here / "app").stat().st_size) == (0o711, True)


def test_a_stated_mode_that_keeps_the_user_out_is_told(here: Path) -> None:
    """A file that the image's user cannot read is of little use; the option in the note makes it that user's."""
    made(here / "key", 0o600)
    (note,) = packed("key:/etc/key:0600").notes
    assert note.startswith("the image's user, 65532:65532, cannot read '/etc/key'; to make that user its owner: ")
    assert packed(note.rpartition(" ")[2]).notes == ()
    assert packed("key:/etc/key:0600", user=User(0, 0)).notes == ()
    assert packed("key:/etc/key:0640:0:65532").notes == ()


@pytest.mark.usefixtures("here")
def test_a_volume_that_the_user_cannot_write_to_is_told() -> None:
    """That may be meant, and mostly is not: an engine gives a new volume the mode and owner that the image has."""
    request = ImageSpec(
        ("app",),
        directories=(
            AddedDirectory(RootPath("/b"), 0o755, User(0, 0)),
            AddedDirectory(RootPath("/c"), 0o775, User(0, 5)),
        ),
        run=RunConfig(user=User(5, 5), volumes=("/a", "/b", "/c", "/tmp")),
    )
    notes = pack(request, OPTIONS, None).notes
    assert notes == ("the image's user, 5:5, cannot write to the volume '/b' (0755 0:0)",)


def test_a_directory_that_keeps_the_user_out_is_told(here: Path) -> None:
    """What lies in it cannot be read, whatever its own mode."""
    made(here / "key", 0o644)
    (note,) = packed("key:/d/key", directories=("/d:0700:0:0",)).notes
    assert note == "the image's user, 65532:65532, cannot enter '/d', which holds '/d/key'"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("added", "directories", "closed"),
    [
        ("app:/usr/local/bin/app:0700", (), "may not run it"),
        ("app:/usr/local/bin/app:0644", (), "may not run it"),
        ("app:/x", ("/usr/local:0700:0:0",), "may not enter '/usr/local'"),
    ],
)
def test_a_program_that_the_user_may_not_run(added: str, directories: tuple[str, ...], closed: str) -> None:
    """A static program's image is refused too where a mode that was given keeps it from starting."""
    with pytest.raises(ResolveError, match=closed):
        packed(added, directories=directories)


def test_a_further_program_that_the_user_may_not_run(here: Path) -> None:
    """Each program is to be one that can be started."""
    (here / "tool").write_bytes(static_program(1))
    additions = (parse_addition("tool:/usr/local/bin/tool:0600"),)
    with pytest.raises(UnreadableFileError, match="it may not run '/usr/local/bin/tool'"):
        pack(ImageSpec(("app", "tool"), additions=additions), OPTIONS, None)


@pytest.mark.usefixtures("here")
def test_a_working_directory_that_the_user_may_not_enter() -> None:
    """The runtime would not start the program."""
    request = ImageSpec(
        ("app",),
        directories=(AddedDirectory(RootPath("/w"), 0o700, User(0, 0)),),
        run=RunConfig(workdir=RootPath("/w/below")),
    )
    with pytest.raises(UnreadableFileError, match="it may not enter '/w'"):
        pack(request, OPTIONS, None)
    assert pack(request._replace(run=request.run._replace(user=User(0, 0))), OPTIONS, None)


def test_a_program_need_not_be_readable(here: Path) -> None:
    """The kernel starts what may be executed (execve(2)); libraries are read."""
    (here / "app").write_bytes(program(("liba.so",), interpreter=MUSL))
    (here / "liba.so").write_bytes(library("liba.so"))
    (here / "base.tar").write_bytes(archive(member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755)))
    added = parse_addition("app:/usr/local/bin/app:0711"), parse_addition("liba.so:/lib/liba.so:0444")
    base = parse_base("base.tar")
    assert pack(ImageSpec(("app",), base, additions=added), OPTIONS, None).notes == ()
    closed = added[0], parse_addition("liba.so:/lib/liba.so:0711")
    with pytest.raises(UnreadableFileError, match=r"it may not read '/lib/liba\.so'"):
        pack(ImageSpec(("app",), base, additions=closed), OPTIONS, None)


@pytest.mark.parametrize("mode", ["4755", "2755", "1777"])
def test_set_id_bits_for_a_tree(here: Path, mode: str) -> None:
    """They are for one file, and would make all programs in it run as another user."""
    made(here / "d/a", 0o755)
    with pytest.raises(UsageError, match="set-ID and sticky bits"):
        packed(f"d:/srv:{mode}")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("added", ["/proc/self/environ:/e", "/proc/sys/kernel/random:/r"])
def test_a_file_that_the_kernel_makes(added: str) -> None:
    """It is not packed as an empty file, neither by itself nor in a directory."""
    with pytest.raises(InputError, match="the system reports 0 bytes, but it has more"):
        packed(added)
