"""A tarball as a base: the tree that tarfile would make, and refusal of what could leave its root."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import resource
import tarfile
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.base import tar_index
from minpack.base.tarball import TarballBase, open_tarball
from minpack.base.walk import Walker
from minpack.content import read_all
from minpack.errors import ArchiveError, BaseError, InputError
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Kind
from support.tarmaker import USTAR, archive, directory, hard_link, header, long_name, member, pax, records, symlink
from support.trees import described, entries_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.store.store import Store

TARBALLS = (
    "alpine-minirootfs-20240923-x86_64.tar.gz",
    "alpine-minirootfs-3.20.3-aarch64.tar.gz",
    "alpine-minirootfs-3.20.3-armv7.tar.gz",
    "alpine-minirootfs-3.20.3-riscv64.tar.gz",
    "alpine-minirootfs-3.20.3-s390x.tar.gz",
    "alpine-minirootfs-3.20.3-x86.tar.gz",
    "alpine-minirootfs-3.20.3-x86_64.tar.gz",
    "busybox-musl-amd64.tar.gz",
)


def opened(tmp_path: Path, *members: bytes) -> TarballBase:
    """A base of these members."""
    path = tmp_path / "made.tar"
    path.write_bytes(archive(*members))
    return open_tarball(str(path), path.name)


def refused(tmp_path: Path, *members: bytes) -> str:
    """Why a tar of these members is refused."""
    with pytest.raises(ArchiveError) as caught:
        opened(tmp_path, *members)
    assert caught.value.base == "made.tar"
    assert caught.value.hint
    return caught.value.reason


def entry(base: TarballBase, path: str) -> tuple[Kind, int, str]:
    """Kind, mode and link of what is at `path`."""
    found = base.lstat(RootPath(path))
    assert found is not None
    return found.kind, found.mode, found.link


def content(base: TarballBase, path: str) -> bytes:
    """The bytes of the file at `path`."""
    found = base.lstat(RootPath(path))
    assert found is not None
    assert found.content is not None
    return read_all(found.content, 1 << 20)


def as_tarfile_has_it(path: Path) -> dict[str, tuple[str, int, int, int, str, str]]:
    """Kind, mode, owner, link and sum of every member by its path, hard links as what they name."""
    kinds = {tarfile.REGTYPE: "file", tarfile.LNKTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink"}
    found = {}
    with tarfile.open(path) as tar:
        for info in tar:
            real = tar.getmember(info.linkname) if info.islnk() else info
            stream = tar.extractfile(real) if real.isreg() else None
            data = stream.read() if stream is not None else b""
            name = "/" + info.name.removeprefix(".").strip("/")
            link = info.linkname if info.issym() else ""
            row = (kinds[info.type], real.mode, real.uid, real.gid, link, hashlib.sha256(data).hexdigest())
            found[name] = row
    return found


@pytest.mark.data
@pytest.mark.parametrize("name", TARBALLS)
def test_real_tarballs_have_what_tarfile_finds_in_them(name: str, data: Path) -> None:
    """Every path has the kind, mode, owner, link and bytes that tarfile finds, and no other path is there."""
    path = data / "bases" / name
    with open_tarball(str(path), name) as base:
        found = {at: (d.kind, d.mode, d.uid, d.gid, d.link, d.sha256) for at, d in described(base).items()}
        assert base.name == name
    assert found == as_tarfile_has_it(path)


@pytest.mark.data
def test_hard_links_of_busybox_are_one_file(data: Path) -> None:
    """The busybox image's 400 links share one inode and one content; other files have none."""
    with open_tarball(str(data / "bases" / "busybox-musl-amd64.tar.gz"), "busybox") as base:
        linked = [entry for entry in entries_in(base) if entry.inode is not None]
        assert len(linked) > 390
        assert len({entry.inode for entry in linked}) == 1
        assert len({entry.content for entry in linked}) == 1
        assert base.lstat(RootPath("/bin/sh")) in linked
        passwd = base.lstat(RootPath("/etc/passwd"))
        assert passwd is not None
        assert passwd.inode is None


def test_parents_that_are_not_listed_are_there(tmp_path: Path) -> None:
    """Directories that only hold others are root's, 0755, and known to be implied."""
    with opened(tmp_path, member("a/b/c", b"x")) as base:
        assert entry(base, "/a/b") == entry(base, "/a") == entry(base, "/") == (Kind.DIRECTORY, 0o755, "")
        assert base.listdir(ROOT) == ("a",)
        assert base.listdir(RootPath("/a/b")) == ("c",)
        assert base.implied == {"/", "/a", "/a/b"}


def test_a_directory_listed_late_is_as_listed(tmp_path: Path) -> None:
    """A directory that comes after what is in it, or comes again, is as its last member says."""
    with opened(tmp_path, member("a/b", b"x"), directory("a/", 0o700), directory("./", 0o711)) as base:
        assert entry(base, "/a")[1] == 0o700
        assert entry(base, "/")[1] == 0o711
        assert base.implied == set()
    with opened(tmp_path, directory("a/", 0o700), directory("./a", 0o751)) as base:
        assert entry(base, "/a")[1] == 0o751


def test_names_are_made_normal(tmp_path: Path) -> None:
    """Leading dots, repeated slashes and slashes at the end do not count; no directory is taken off."""
    with opened(tmp_path, directory(".//top/./sub//"), member("./top//f", b"x"), symlink("top/./l", "f")) as base:
        assert base.listdir(RootPath("/top")) == ("f", "l", "sub")
        assert base.listdir(ROOT) == ("top",)


def test_listing_what_is_no_directory_gives_nothing(tmp_path: Path) -> None:
    """Files, links and what is not there have no names in them, and an empty directory has none."""
    with opened(tmp_path, member("f"), symlink("l", "d"), directory("d")) as base:
        assert [base.listdir(RootPath(path)) for path in ("/f", "/l", "/none", "/d")] == [(), (), (), ()]
        assert base.lstat(RootPath("/l/x")) is None


def test_symlinks_may_say_anything(tmp_path: Path) -> None:
    """Absolute links and links above the root are kept as written; in a walk they stay in the root."""
    links = symlink("a", "/etc/passwd"), symlink("b", "../../../etc")
    with opened(tmp_path, member("etc/passwd", b"x"), *links) as base:
        assert entry(base, "/a") == (Kind.SYMLINK, 0o777, "/etc/passwd")
        assert entry(base, "/b") == (Kind.SYMLINK, 0o777, "../../../etc")
        found = Walker(base).find_file("/b/passwd")
        assert found is not None
        assert found.path == "/etc/passwd"


def test_special_files_are_there_and_have_no_content(tmp_path: Path) -> None:
    """Device nodes and FIFOs show in lookups as special."""
    with opened(tmp_path, *(header(f"dev/{n}", kind=kind) for n, kind in enumerate((b"3", b"4", b"6")))) as base:
        for path in ("/dev/0", "/dev/1", "/dev/2"):
            found = base.lstat(RootPath(path))
            assert found is not None
            assert (found.kind, found.content) == (Kind.SPECIAL, None)


def test_hard_links_chain(tmp_path: Path) -> None:
    """A link to a link is the same file, with the file's own mode and owner."""
    first = member("./bin/first", b"data", mode=0o755, uid=5)
    with opened(tmp_path, first, hard_link("second", "bin/first"), hard_link("third", "./second")) as base:
        found = [base.lstat(RootPath(path)) for path in ("/bin/first", "/second", "/third")]
        assert all(e is not None and e.kind is Kind.FILE and (e.mode, e.uid) == (0o755, 5) for e in found)
        assert len({e.inode for e in found if e is not None}) == 1
        assert found[2] is not None
        assert found[2].content is not None
        assert read_all(found[2].content, 10) == b"data"


def test_two_linked_files_have_two_inodes(tmp_path: Path) -> None:
    """Links of different files are told apart."""
    with opened(tmp_path, member("a"), member("b"), hard_link("a2", "a"), hard_link("b2", "b")) as base:
        inodes = [found.inode for path in ("/a", "/a2", "/b", "/b2") if (found := base.lstat(RootPath(path)))]
    assert inodes[0] == inodes[1] != inodes[2] == inodes[3]


def test_hard_links_to_symlinks_are_symlinks(tmp_path: Path) -> None:
    """A symlink with two names, as tar writes it, is two symlinks."""
    with opened(tmp_path, symlink("a", "target"), hard_link("b", "a")) as base:
        assert entry(base, "/b") == (Kind.SYMLINK, 0o777, "target")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((member("../evil"),), "'..' part"),
        ((member("a/../../evil"),), "'..' part"),
        ((member("a/.."),), "'..' part"),
        ((symlink("../l", "x"),), "'..' part"),
        ((directory("../d/"),), "'..' part"),
        ((member(""),), "the root would be a file"),
        ((hard_link("/", "x"),), "the root would be a hardlink"),
        ((pax(records(path="a\0b")), member("x")), "NUL"),
        ((pax(records(path="n" * 256)), member("x")), "too long"),
        ((pax(records(path="ü" * 128)), member("x")), "too long"),
        ((long_name("n/" * 2100), member("x")), "too long"),
        ((member("."),), "the root would be a file"),
        ((symlink("./", "x"),), "the root would be a symlink"),
        ((symlink("l", ""),), "symlink to nothing"),
        ((pax(records(linkpath="a\0b")), symlink("l", "x")), "symlink to nothing"),
        ((long_name("t" * 4096, b"K"), symlink("l", "x")), "too long"),
    ],
)
def test_names_that_could_leave_the_root_are_refused(members: tuple[bytes, ...], why: str, tmp_path: Path) -> None:
    """A name or link that no root file system has is refused with its reason."""
    assert why in refused(tmp_path, *members)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((hard_link("l", "missing"),), "'missing', which is not a member before it"),
        ((hard_link("l", "later"), member("later")), "not a member before it"),
        ((hard_link("l", "l"),), "not a member before it"),
        ((directory("d"), hard_link("l", "d")), "a directory"),
        ((hard_link("l", "."),), "a directory"),
        ((hard_link("l", ""),), "a directory"),
        ((hard_link("l", "/etc/passwd"),), "'/etc/passwd', which is not a member before it"),
        ((hard_link("l", "../../etc/passwd"),), "not a member before it"),
        ((symlink("s", "/etc"), hard_link("l", "s/passwd")), "not a member before it"),
        ((long_name("n" * 300, b"K"), hard_link("l", "n")), "which is not in the archive"),
        ((header("l", kind=b"M"),), "another volume"),
        ((header("l", kind=b"S", magic=USTAR),), "not GNU tar's"),
        ((pax(records(GNU__sparse__major="2", GNU__sparse__minor="1")), member("l")), "the form 2.1"),
        ((pax(records(GNU__sparse__size=str(1 << 60), GNU__sparse__map="")), member("l")), "more than any root"),
    ],
)
def test_members_that_cannot_be_read_are_refused_when_they_are_wanted(
    members: tuple[bytes, ...], why: str, tmp_path: Path
) -> None:
    """The tree is as large as ever; only who reads that one file gets an error, which names the member."""
    with opened(tmp_path, member("other", b"data"), *members) as base:
        assert content(base, "/other") == b"data"
        assert entry(base, "/l")[:2] == (Kind.FILE, 0o644)
        with pytest.raises(InputError, match=r"cannot read '/l in made\.tar'") as caught:
            content(base, "/l")
    assert why in caught.value.reason
    assert "member 'l' at offset" in caught.value.reason
    assert caught.value.hint


@pytest.mark.parametrize("below", [member("x/f"), directory("x/d/"), symlink("x/l", "y"), member("x/deep/er")])
@pytest.mark.parametrize("above", [member("x"), header("x", kind=b"6")])
def test_members_below_what_is_no_directory_are_refused(above: bytes, below: bytes, tmp_path: Path) -> None:
    """A member below a file or a FIFO of the same tarball is refused, in either order."""
    assert "would be below '/x'" in refused(tmp_path, above, below)
    assert "take the place of '/x', a directory that holds others" in refused(tmp_path, below, above)


def test_members_below_symlinks_lie_where_those_lead_in_the_root(tmp_path: Path) -> None:
    """Relative, absolute, upwards or to nothing: what is unpacked through a link stays in the root."""
    links = symlink("lib", "usr/lib"), symlink("run", "/var/run"), symlink("usr/up", "../../../../srv")
    files = member("lib/a/b", b"1"), member("run/c", b"2"), member("usr/up/d", b"3"), hard_link("e", "lib/a/b")
    with opened(tmp_path, directory("var/run", 0o711), *links, *files) as base:
        found = {path for path, described_ in described(base).items() if described_.kind == "file"}
        assert found == {"/usr/lib/a/b", "/var/run/c", "/srv/d", "/e"}
        assert entry(base, "/var/run") == (Kind.DIRECTORY, 0o711, "")
        assert entry(base, "/lib") == (Kind.SYMLINK, 0o777, "usr/lib")


def test_loops_of_symlinks_are_refused(tmp_path: Path) -> None:
    """A member behind more links than the kernel follows is refused, and many such members cost no time."""
    loop = symlink("a", "b"), symlink("b", "a")
    assert "behind too many symlinks" in refused(tmp_path, *loop, member("a/x"))
    long = symlink("a", "b/" * 40 + "c"), symlink("b", ".")
    assert "behind too many symlinks" in refused(tmp_path, *long, member("a/x"))


def test_the_work_of_following_symlinks_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All members together may take so many steps, and no more."""
    monkeypatch.setattr(tar_index, "MAX_STEPS", 20)
    members = symlink("l", "d/" * 9), *(member(f"l/{number}") for number in range(3))
    opened(tmp_path, *members[:2]).close()
    assert "too many symlinks" in refused(tmp_path, *members)


@pytest.mark.parametrize("second", [member("x", b"2"), symlink("./x", "y"), header("x", kind=b"6"), directory("x/")])
@pytest.mark.parametrize("first", [member("x", b"1"), symlink("x", "y"), directory("x"), hard_link("x", "other")])
def test_the_last_member_of_a_name_counts(first: bytes, second: bytes, tmp_path: Path) -> None:
    """As for every reader, what comes later takes the place of what was there, but for a directory with entries."""
    with opened(tmp_path, member("other"), second) as base:
        expected = described(base)
    with opened(tmp_path, member("other"), first, second) as base:
        assert described(base) == expected
    if second != directory("x/"):
        assert "holds others" in refused(tmp_path, member("x/y"), second)


def test_what_was_linked_stays_when_a_name_of_it_is_replaced(tmp_path: Path) -> None:
    """The other name has the old file, which is linked no more."""
    with opened(tmp_path, member("a", b"old"), hard_link("b", "a"), member("a", b"new")) as base:
        assert (content(base, "/a"), content(base, "/b")) == (b"new", b"old")
        assert [found.inode for path in ("/a", "/b") if (found := base.lstat(RootPath(path)))] == [None, None]


@pytest.mark.parametrize("data", [bytes(512), bytes(1024), bytes(10240)])
def test_a_tar_without_members_is_refused(data: bytes, tmp_path: Path) -> None:
    """An empty tar, plain or compressed, is no base."""
    for content in (data, gzip.compress(data)):
        (tmp_path / "empty.tar").write_bytes(content)
        with pytest.raises(ArchiveError, match="empty"):
            open_tarball(str(tmp_path / "empty.tar"), "empty.tar")


def test_the_number_and_length_of_names_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Implied directories count too: a few long names imply thousands of them."""
    deep = [long_name(f"{first}/" + "d/" * 1000 + "f") + header("x") for first in "ab"]
    monkeypatch.setattr(tar_index, "MAX_ENTRIES", 1500)
    assert "more names" in refused(tmp_path, *deep)
    monkeypatch.setattr(tar_index, "MAX_ENTRIES", 10**6)
    monkeypatch.setattr(tar_index, "MAX_NAMES", 1_100_000)
    opened(tmp_path, deep[0]).close()
    assert "more names" in refused(tmp_path, *deep)


@pytest.mark.parametrize("garbage", [b"x", bytes(3), b"a signature, perhaps" * 5000])
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstandard.compress])
def test_what_follows_the_compressed_data_is_not_read(
    pack: Callable[[bytes], bytes], garbage: bytes, tmp_path: Path, store: Store
) -> None:
    """As by tar, if the archive is whole; a note says so, also where it was opened before. Zeros are gzip's padding."""
    path = tmp_path / "base"
    path.write_bytes(pack(archive(member("f", b"data"))) + garbage)
    padded = pack is gzip.compress and not garbage.strip(b"\0")
    notes = () if padded else (f"{len(garbage)} bytes after the base's compressed data were ignored",)
    for kept in (None, store, store):
        with open_tarball(str(path), "base", store=kept) as base:
            assert content(base, "/f") == b"data"
            assert base.notes == notes


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstandard.compress])
def test_an_archive_without_an_end_may_have_lost_its_rest(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Where nothing marks the archive's end, what follows the compressed data may be the rest of it, damaged."""
    path = tmp_path / "base"
    whole = archive(member("f", b"data"), member("g", b"data"))
    path.write_bytes(pack(whole[:1024]) + b"damaged" + pack(whole[1024:])[7:])
    with pytest.raises(ArchiveError, match="there is other data after its compressed data") as caught:
        open_tarball(str(path), "base")
    assert caught.value.hint
    path.write_bytes(pack(whole[:1024]) + pack(whole[1024:])[:20])
    with pytest.raises(ArchiveError, match="compressed data"):
        open_tarball(str(path), "base")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_open_file_will_do_and_may_be_closed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A file that is open, even one without a name, is read; the base keeps its own descriptor."""
    path = tmp_path / "base"
    path.write_bytes(pack(archive(member("f", b"data"))))
    with path.open("rb") as file:
        file.seek(77)
        path.unlink()
        base = open_tarball(file, "release")
        assert file.tell() == 77
    with base:
        found = base.lstat(RootPath("/f"))
        assert found is not None
        assert found.content is not None
        assert read_all(found.content, 10) == b"data"
        assert base.name == "release"


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_all_descriptors_are_closed(tmp_path: Path) -> None:
    """A base that was closed, and one that was refused at any stage, leave no file open."""
    good = archive(member("f", b"data"))
    cases = [good, gzip.compress(good), good[:700], gzip.compress(good)[:-3], gzip.compress(b"no tar"), b"no tar"]
    before = descriptors()
    for number, data in enumerate(cases):
        path = tmp_path / str(number)
        path.write_bytes(data)
        try:
            with open_tarball(str(path), "x") as base:
                assert descriptors() == before + 1
            base.close()
        except ArchiveError:
            assert number > 1
        assert descriptors() == before


def test_no_file_is_left_in_the_temporary_directory(tmp_path: Path) -> None:
    """What a compressed tarball is unpacked to has no name, while it is read and afterwards."""
    (tmp_path / "base.tar.gz").write_bytes(gzip.compress(archive(member("f", b"data"))))
    (tmp_path / "tmp").mkdir()
    with open_tarball(str(tmp_path / "base.tar.gz"), "x", temporary=str(tmp_path / "tmp")) as base:
        assert base.listdir(ROOT) == ("f",)
        assert not list((tmp_path / "tmp").iterdir())


def test_where_files_always_have_names_the_name_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_TMPFILE, as on macOS, the file is made and removed at once."""
    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", False)
    test_no_file_is_left_in_the_temporary_directory(tmp_path)


def test_a_directory_that_cannot_be_unpacked_in_is_named(tmp_path: Path) -> None:
    """The error names the directory and how to choose another."""
    (tmp_path / "base.tar.gz").write_bytes(gzip.compress(archive(member("f", b"data"))))
    with pytest.raises(BaseError, match="cannot be unpacked in '/nowhere'") as caught:
        open_tarball(str(tmp_path / "base.tar.gz"), "x", temporary="/nowhere")
    assert caught.value.hint is not None
    assert "TMPDIR" in caught.value.hint


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """When no more can be written, the error says so and names the directory."""
    (tmp_path / "base.tar.gz").write_bytes(gzip.compress(archive(member("f", bytes(4 << 20)))))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(BaseError, match="file too large"):
            open_tarball(str(tmp_path / "base.tar.gz"), "x", temporary=str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("make", ["missing", "directory", "fifo"])
def test_what_is_no_regular_file_is_an_input_error(make: str, tmp_path: Path) -> None:
    """A missing file, a directory and a FIFO nobody writes to are refused at once."""
    path = tmp_path / make
    if make == "directory":
        path.mkdir()
    elif make == "fifo":
        os.mkfifo(path)
    with pytest.raises(InputError):
        open_tarball(str(path), "x")


def test_a_closed_file_is_an_input_error(tmp_path: Path) -> None:
    """An open file that is none any more gives no traceback."""
    (tmp_path / "f").write_bytes(b"")
    file = (tmp_path / "f").open("rb")
    file.close()
    with pytest.raises(InputError, match="closed"):
        open_tarball(file, "x")


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    """A file that is open for writing alone gives an error and no traceback."""
    (tmp_path / "f").write_bytes(b"some bytes")
    with (tmp_path / "f").open("ab") as file, pytest.raises(InputError, match="cannot read 'x': bad file"):
        open_tarball(file, "x")


MUTABLE = archive(
    directory("./", 0o755),
    directory("./etc/"),
    member("./etc/passwd", b"root:x:0:0\n" * 60),
    symlink("./bin", "usr/bin"),
    member("./usr/bin/tool", b"\x7fELF"),
    hard_link("./usr/bin/again", "./usr/bin/tool"),
    pax(records(path="./" + "p" * 120)),
    member("short", b"data"),
    header("dev/null", kind=b"3"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(MUTABLE) // 512 - 1), st.integers(0, 160), st.sampled_from(b"\0 ./a01257/\xe9"))
    )
)
def test_damaged_headers_give_a_tree_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, int]]
) -> None:
    """With any bytes of names, numbers and kinds changed and sums mended: a sound tree, or one error."""
    data = bytearray(MUTABLE)
    for block, at, value in changes:
        start = block * 512
        data[start + at] = value
        data[start + 148 : start + 156] = b" " * 8
        data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    path = tmp_path_factory.getbasetemp() / "mutated.tar"
    path.write_bytes(data)
    try:
        base = open_tarball(str(path), "mutated")
    except ArchiveError:
        return
    with base:
        for found in entries_in(base):
            assert ".." not in found.path.split("/")
            if found.content is not None:
                with suppress(InputError):
                    read_all(found.content, len(data))
