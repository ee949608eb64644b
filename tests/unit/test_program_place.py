"""Where the user's files go: at physical paths, with the base's links on the way, readable by all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.errors import ElfError, InputError, NotElfError, NotProgramError, PathConflictError
from minpack.paths import RootPath
from minpack.program.additions import PlaceKind, host_file, normalize_mode
from minpack.program.place import added_paths, place
from minpack.program.read import program_destination, read_program
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.rootfs.etc_files import User
from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.values import AddedDirectory, AddedLink, Addition
from support.cc import Compiler
from support.elfmaker import library, static_program, upx_program

if TYPE_CHECKING:
    from pathlib import Path


def walker(*entries: Entry) -> Walker:
    """A walker over a base of these entries."""
    return Walker(base_of("base", entries))


def placed(request: ImageSpec, *entries: Entry) -> dict[str, Entry]:
    """The entries of a request without programs, by path."""
    return {item.entry.path: item.entry for item in place(request, (), walker(*entries))}


def test_a_program_is_executable_whatever_its_mode(tmp_path: Path) -> None:
    """It lies at its place as root's, 0755, even if it was 0600 on the host."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app").chmod(0o600)
    program = read_program(str(tmp_path / "app"), RootPath("/bin/app"))
    ((entry, kind, *_),) = place(ImageSpec((program.path,)), (program,), walker())
    assert (entry.path, entry.mode, entry.uid, entry.gid, kind) == ("/bin/app", 0o755, 0, 0, PlaceKind.PROGRAM)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotElfError, "an empty file"),
        (b"text\n", NotElfError, "a text file"),
        (library("liba.so"), NotProgramError, "a shared library"),
        (upx_program(), NotProgramError, "a UPX-packed program"),
        (static_program()[:30], ElfError, "malformed"),
    ],
)
def test_what_is_no_program(tmp_path: Path, data: bytes, error: type[ElfError], words: str) -> None:
    """Each thing that is not a program is called what it is."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(error, match=words):
        read_program(str(tmp_path / "x"), RootPath("/x"))


def test_destinations_of_programs() -> None:
    """A program keeps its name in the directory, unless it has a place of its own."""
    assert program_destination("a/b/app", None, RootPath("/opt")) == "/opt/app"
    assert program_destination("app", None, RootPath("/")) == "/app"
    assert program_destination("app", RootPath("/bin/x"), RootPath("/opt")) == "/bin/x"


def test_a_path_through_a_link_of_the_base() -> None:
    """What goes to /lib/x where /lib is a link lies where the link leads, and the link comes along."""
    base = (symlink(RootPath("/lib"), "usr/lib"), directory(RootPath("/usr/lib")))
    found = place(ImageSpec((), links=(AddedLink(RootPath("/lib/x/y"), "z"),)), (), walker(*base))
    assert [(item.entry.path, item.kind) for item in found] == [
        ("/lib", PlaceKind.LINK),
        ("/usr/lib/x/y", PlaceKind.ADDED),
    ]
    assert added_paths(found) == {"/usr/lib/x/y"}


def test_a_path_through_a_file_of_the_base() -> None:
    """Nothing can lie below a file."""
    with pytest.raises(PathConflictError, match=r"a file at '/etc/passwd' in base"):
        placed(
            ImageSpec((), links=(AddedLink(RootPath("/etc/passwd/x/y"), "z"),)),
            file(RootPath("/etc/passwd"), BytesContent(b"")),
        )


def test_an_added_file_is_readable(tmp_path: Path) -> None:
    """A file is root's and 0644, or 0755 if its owner may execute it: an image does not depend on umask or owner."""
    for name, mode in (("secret", 0o600), ("tool", 0o700)):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(mode)
    found = placed(
        ImageSpec(
            (),
            additions=(
                Addition(str(tmp_path / "secret"), RootPath("/etc/secret")),
                Addition(str(tmp_path / "tool"), RootPath("/bin/tool")),
            ),
        )
    )
    assert (found["/etc/secret"].mode, found["/bin/tool"].mode) == (0o644, 0o755)


def test_an_added_directory_comes_whole(tmp_path: Path) -> None:
    """With its directories, empty ones too, its links as they are, and the names of one file as such."""
    source = tmp_path / "site"
    (source / "empty").mkdir(parents=True)
    (source / "a").write_bytes(b"a")
    (source / "c").write_bytes(b"a")
    os.link(source / "a", source / "b")
    os.symlink("../outside", source / "link")
    found = placed(ImageSpec((), additions=(Addition(str(source), RootPath("/srv")),)))
    assert sorted(found) == ["/srv", "/srv/a", "/srv/b", "/srv/c", "/srv/empty", "/srv/link"]
    assert found["/srv/link"].link == "../outside"
    assert found["/srv/a"].inode == found["/srv/b"].inode is not None
    assert found["/srv/c"].inode is None


def groups(request: ImageSpec, *programs: str, strip: bool = False) -> list[list[str]]:
    """The paths that share a file, of a request's programs and additions."""
    read = tuple(
        read_program(path, program_destination(path, None, RootPath("/bin")), strip=strip) for path in programs
    )
    found: dict[int | None, list[str]] = {}
    for item in place(request._replace(programs=programs), read, walker()):
        found.setdefault(item.entry.inode, []).append(item.entry.path)
    found.pop(None, None)
    return list(found.values())


def added(*pairs: tuple[Path, str], user: int = 65532) -> ImageSpec:
    """A request for these files and their places."""
    additions = tuple(Addition(str(path), RootPath(place)) for path, place in pairs)
    return ImageSpec((), additions=additions, run=RunConfig(user=User(user, user)))


def test_the_names_of_one_file_of_the_host_are_one_file(tmp_path: Path) -> None:
    """Programs and additions that are hard links of each other, or one file at several places, share it."""
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other"
    one.write_bytes(static_program())
    one.chmod(0o755)
    os.link(one, two)
    os.symlink("one", tmp_path / "three")
    other.write_bytes(static_program())
    request = added((one, "/opt/one"), (two, "/opt/two"), (tmp_path, "/all"))
    assert groups(request, str(one), str(two), str(tmp_path / "three"), str(other)) == [
        ["/bin/one", "/bin/two", "/bin/three", "/opt/one", "/opt/two", "/all/one", "/all/two"],
    ]


def test_one_file_with_two_modes_is_two_files(tmp_path: Path) -> None:
    """A program is executable and what is added is as on the host: where they differ, each has its own."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app").chmod(0o644)
    request = added((tmp_path / "app", "/opt/app"), (tmp_path / "app", "/opt/again"))
    assert groups(request, str(tmp_path / "app")) == [["/opt/app", "/opt/again"]]


def test_a_stripped_program_is_another_file(tmp_path: Path) -> None:
    """Two names of a program that is stripped are one file; the same file as it is is another."""
    app = Compiler(tmp_path).program("app", "int main(void) { return 0; }", "-static")
    os.link(app, tmp_path / "twin")
    request = added((app, "/opt/app"), (tmp_path / "twin", "/opt/twin"))
    both = (str(app), str(tmp_path / "twin"))
    assert groups(request, *both, strip=True) == [["/bin/app", "/bin/twin"], ["/opt/app", "/opt/twin"]]
    assert groups(request, *both) == [["/bin/app", "/bin/twin", "/opt/app", "/opt/twin"]]


def test_copies_that_the_user_may_write_to_stay_copies(tmp_path: Path) -> None:
    """A file that is added twice is two files to its writer; what is linked on the host is linked in each copy."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(b"a")
    os.link(tmp_path / "d/a", tmp_path / "d/b")
    (tmp_path / "d/c").write_bytes(b"c")
    twice = ((tmp_path / "d", "/x"), (tmp_path / "d", "/y"))
    assert groups(added(*twice)) == [["/x/a", "/x/b", "/y/a", "/y/b"], ["/x/c", "/y/c"]]
    assert groups(added(*twice, user=0)) == [["/x/a", "/x/b"], ["/y/a", "/y/b"]]


def test_an_added_directory_with_a_device(tmp_path: Path) -> None:
    """What cannot be packed, and was not there when the directory was looked through, is refused."""
    (tmp_path / "site").mkdir()
    os.mkfifo(tmp_path / "site" / "pipe")
    with pytest.raises(InputError, match="it is not a file, directory or symlink"):
        placed(ImageSpec((), additions=(Addition(str(tmp_path / "site"), RootPath("/srv")),)))


def test_an_empty_directory_is_the_users() -> None:
    """--dir makes a directory of the image's user, unless it names another owner."""
    request = ImageSpec(
        (),
        directories=(AddedDirectory(RootPath("/data")), AddedDirectory(RootPath("/root-only"), 0o700, User(0, 0))),
        run=RunConfig(user=User(1000, 100)),
    )
    found = placed(request)
    assert found["/data"] == directory(RootPath("/data"), 0o755, 1000, 100)
    assert found["/root-only"] == directory(RootPath("/root-only"), 0o700, 0, 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "no such file or directory"),
        ("directory", "it is a directory"),
        ("pipe", "it is not a regular file"),
        ("file/below", "not a directory"),
        ("nul\0", "the name holds a NUL"),
        ("x" * 300, "file name too long"),
    ],
)
def test_host_files_that_cannot_be_used(tmp_path: Path, name: str, reason: str) -> None:
    """Every reason is told, and none makes it wait."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError) as caught:
        host_file(f"{tmp_path}/{name}")
    assert caught.value.reason == reason


def test_plain_entries() -> None:
    """What comes from a base is root's; only whether it could be executed is kept."""
    content = BytesContent(b"")
    for mode, expected in ((0o4711, 0o755), (0o600, 0o644), (0o640, 0o644), (0o055, 0o644)):
        entry = Entry(RootPath("/x"), Kind.FILE, mode, 1, 2, content)
        assert normalize_mode(entry)[:5] == ("/x", Kind.FILE, expected, 0, 0)
    assert normalize_mode(directory(RootPath("/d"), 0o1777, 1, 2)).mode == 0o755
    assert normalize_mode(symlink(RootPath("/l"), "x")).mode == 0o777
