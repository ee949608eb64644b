"""Headers and streams of tars: what other readers read, and what the bytes are."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent, FileContent
from minpack.errors import ChangedInputError
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.tar.read import read_members
from minpack.tar.write import END, TarStream, headers, padding
from support.capabilities import NET_RAW
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from minpack.content import Content, Reader

OCTAL_ID = 0o7777777
OCTAL_SIZE = 0o77777777777


class Blocks:
    """Keeps the blocks it takes; each time it gives another buffer."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.data = bytearray()

    def take(self, block: memoryview) -> memoryview:
        self.sizes.append(len(block))
        self.data += block
        return memoryview(bytearray(memoryview(block.obj).nbytes))

    def begin_file(self, content: Content) -> bool:
        self.sizes.append(-content.size)
        return False

    def end_file(self) -> None:
        self.sizes.append(0)


def tar_of(entries: Iterable[Entry], mtime: int = 0, block: int = 4096) -> bytes:
    """The tar of `entries`."""
    blocks = Blocks()
    stream = TarStream(blocks, memoryview(bytearray(block)))
    stream.add(entries, mtime)
    stream.finish()
    assert stream.size == len(blocks.data)
    return bytes(blocks.data)


def members(tar: bytes) -> list[tarfile.TarInfo]:
    """What Python's reader finds."""
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as opened:
        return opened.getmembers()


def at(name: str, data: bytes = b"", mode: int = 0o644) -> Entry:
    """A file."""
    return file(RootPath(name), BytesContent(data), mode)


LONG = "n" * 100
NAMES = (
    "/a",
    f"/{LONG}",
    f"/{LONG}n",
    f"/{'d' * 155}/{LONG}",
    f"/{'d' * 156}/{LONG}",
    f"/{'d' * 155}/{LONG}n",
    f"/{'d/' * 100}{'n' * 40}",
    f"/{'x' * 255}/{'y' * 255}/{'z' * 255}",
    "/größe/日本語",
    "/" + "ü" * 90,
    "/no utf-8 \udcff\udcfe",
    "/new\nline",
    "/key=value",
    "/ blanks ",
    "/back\\slash",
    "/-dash",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_back(name: str) -> None:
    """Names of every length and of any bytes come back from Python's reader and from this project's."""
    tar = tar_of([at(name, b"data")])
    (found,) = members(tar)
    assert (found.name, found.size) == (name[1:], 4)
    (member,) = read_members(BytesContent(tar), "test")
    assert (member.name, member.size, tar[member.start : member.start + 4]) == (name[1:], 4, b"data")


@pytest.mark.parametrize("name", NAMES)
def test_link_targets_are_read_back(name: str) -> None:
    """Targets of symlinks and hard links of every length and of any bytes come back."""
    path = RootPath("/link")
    soft, hard = symlink(path, f"..{name}"), Entry(path, Kind.HARDLINK, 0o644, link=name)
    (found,) = members(tar_of([soft]))
    assert (found.issym(), found.linkname) == (True, f"..{name}")
    (found,) = members(tar_of([hard]))
    assert (found.islnk(), found.linkname, found.size) == (True, name[1:], 0)


@pytest.mark.parametrize("name", NAMES)
def test_directories_end_with_a_slash(name: str) -> None:
    """A directory's name ends with a slash, also where it does not fit the header."""
    tar = tar_of([directory(RootPath(name))])
    (member,) = read_members(BytesContent(tar), "test")
    assert member.name == f"{name[1:]}/"
    (found,) = members(tar)
    assert (found.isdir(), found.name) == (True, name[1:])


def test_capabilities_are_pax_records() -> None:
    """A file and its links have them, and no more than that takes another header."""
    entries = [at("/a", b"data")._replace(capability=NET_RAW), Entry(RootPath("/b"), Kind.HARDLINK, 0o644, link="/a")]
    tar = tar_of([entries[0], entries[1]._replace(capability=NET_RAW), at("/c", b"data")])
    read = list(read_members(BytesContent(tar), "test"))
    assert [member.capability for member in read] == [NET_RAW, NET_RAW, b""]
    assert [bool(member.pax_headers) for member in members(tar)] == [True, True, False]


@pytest.mark.parametrize("name", ["/a", f"/{LONG}", f"/{'d' * 155}/{LONG}", f"/{'d' * 99}"])
def test_names_that_fit_take_one_header(name: str) -> None:
    """What ustar can hold is written in one block of ustar."""
    block = headers(at(name), 0)
    assert len(block) == 512
    assert block[257:265] == b"ustar\x0000"


def test_headers_say_no_more_than_they_must() -> None:
    """Owner names, device numbers and what is unused are zeros."""
    block = headers(Entry(RootPath("/a"), Kind.DIRECTORY, 0o755, 1, 2), 3)
    assert block[:3] + block[3:100].strip(b"\0") == b"a/\0"
    assert block[100:156] == b"0000755\x000000001\x000000002\x0000000000000\x0000000000003\x00" + block[148:156]
    assert block[156:257] == b"5" + bytes(100)
    assert block[265:] == bytes(247)


@pytest.mark.parametrize(
    ("value", "blocks"), [(0, 1), (OCTAL_ID, 1), (OCTAL_ID + 1, 3), (3_000_000, 3), (2**32 - 2, 3)]
)
def test_owners_are_read_back(value: int, blocks: int) -> None:
    """Owners are written in octal as long as they fit, and in a PAX record above."""
    entry = Entry(RootPath("/a"), Kind.DIRECTORY, 0o755, value, value)
    assert len(headers(entry, 0)) == 512 * blocks
    (found,) = members(tar_of([entry]))
    assert (found.uid, found.gid) == (value, value)


@pytest.mark.parametrize(("value", "blocks"), [(0, 1), (OCTAL_SIZE, 1), (OCTAL_SIZE + 1, 3), (253402300799, 3)])
def test_times_are_read_back(value: int, blocks: int) -> None:
    """Times are whole seconds, also those of the year 9999."""
    assert len(headers(at("/a"), value)) == 512 * blocks
    (found,) = members(tar_of([at("/a")], value))
    assert found.mtime == value


@pytest.mark.parametrize("mode", [0, 0o4755, 0o2755, 0o1777, 0o6555, 0o7777])
def test_modes_are_read_back(mode: int) -> None:
    """Every mode bit is kept."""
    (found,) = members(tar_of([at("/a", mode=mode)]))
    assert found.mode == mode


@pytest.mark.parametrize("length", [*range(85, 105), *range(985, 1005)])
def test_record_lengths_count_their_own_digits(length: int) -> None:
    """PAX records around the lengths where one more digit is needed are read back."""
    link = "é" + "l" * length
    (found,) = members(tar_of([symlink(RootPath("/a"), link)]))
    assert found.linkname == link


class Zeros:
    """A file of zeros, as long as wanted, that takes no space."""

    where = "zeros"

    def __init__(self, size: int) -> None:
        self.size = size

    def open(self) -> Reader:
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(min(size, self.size - offset))

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        return min(len(buffer), self.size - offset)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


@pytest.mark.parametrize("size", [OCTAL_SIZE, OCTAL_SIZE + 1, 9 * 2**30])
def test_sizes_are_read_back(size: int) -> None:
    """The header of a file of 8 GiB and more has its size in a PAX record."""
    header = headers(file(RootPath("/big"), Zeros(size)), 0)
    assert len(header) == (512 if size <= OCTAL_SIZE else 1536)
    with tarfile.open(fileobj=io.BytesIO(header)) as opened:
        found = opened.next()
    assert found is not None
    assert found.size == size


@pytest.mark.tool
def test_files_beyond_eight_gibibytes_are_read_by_tar(tmp_path: Path) -> None:
    """In a tar with a file of 8 GiB and a bit, GNU tar and Python find its size and what is behind it."""
    size = OCTAL_SIZE + 2
    with (tmp_path / "big.tar").open("wb") as out:
        out.write(headers(file(RootPath("/big"), Zeros(size)), 0))
        out.seek(size + len(padding(size)), os.SEEK_CUR)
        out.write(tar_of([at("/small", b"behind")]))
    with tarfile.open(tmp_path / "big.tar") as opened:
        assert [(member.name, member.size) for member in opened] == [("big", size), ("small", 6)]
    command = [need_tool("tar"), "--numeric-owner", "-tvf", str(tmp_path / "big.tar")]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split()[2] for line in listed] == [str(size), "6"]


@pytest.mark.tool
def test_gnu_tar_unpacks_the_same_tree(tmp_path: Path) -> None:
    """GNU tar makes the names, modes, links and contents that were meant, and complains about nothing."""
    entries = [
        directory(RootPath("/d"), 0o1777),
        at("/d/set", b"s" * 5000, 0o4711),
        Entry(RootPath("/d/twin"), Kind.HARDLINK, 0o4711, link="/d/set"),
        symlink(RootPath("/d/soft"), "../" + "t" * 120),
    ]
    flat = [name for name in NAMES if "/" not in name[1:]]
    entries += [at(name, name.encode("utf-8", "surrogateescape")) for name in flat]
    (tmp_path / "t.tar").write_bytes(tar_of(entries, 1_000_000))
    out = tmp_path / "out"
    out.mkdir()
    command = [need_tool("tar"), "-xpf", str(tmp_path / "t.tar"), "-C", str(out), "--same-permissions"]
    done = subprocess.run(command, check=False, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    assert (done.returncode, done.stderr) == (0, b"")
    names = {os.fsencode(name[1:]) for name in flat}
    assert set(os.listdir(os.fsencode(out))) == names | {b"d"}
    for name in names:
        with open(os.path.join(os.fsencode(out), name), "rb") as found:
            assert found.read() == name.rjust(len(name) + 1, b"/")
    status, twin = (out / "d/set").stat(), (out / "d/twin").stat()
    assert (status.st_mode & 0o7777, status.st_size, status.st_mtime) == (0o4711, 5000, 1_000_000)
    assert twin.st_ino == status.st_ino
    assert (out / "d").stat().st_mode & 0o7777 == 0o1777
    assert os.readlink(out / "d/soft") == "../" + "t" * 120


NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda part: part not in (".", "..")
)
PATHS = st.lists(NAME, min_size=1, max_size=8).map(lambda parts: RootPath("/" + "/".join(parts)))
IDS = st.integers(0, 2**32 - 2)
ENTRIES = st.builds(
    lambda path, kind, mode, uid, gid, data, link: Entry(
        path,
        kind,
        mode,
        uid,
        gid,
        BytesContent(data) if kind is Kind.FILE else None,
        "" if kind in (Kind.FILE, Kind.DIRECTORY) else link,
    ),
    PATHS,
    st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.HARDLINK]),
    st.integers(0, 0o7777),
    IDS,
    IDS,
    st.binary(max_size=1200),
    PATHS,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTRIES, max_size=5), st.integers(0, 253402300799))
def test_whatever_is_written_is_read(entries: list[Entry], mtime: int) -> None:
    """Two readers find in a tar what was put in, whatever the names, owners and contents."""
    tar = tar_of(entries, mtime, 512)
    python, own = members(tar), list(read_members(BytesContent(tar), "test"))
    assert len(python) == len(own) == len(entries)
    for entry, theirs, ours in zip(entries, python, own, strict=True):
        slash = "/" if entry.kind is Kind.DIRECTORY else ""
        link = entry.link[1:] if entry.kind is Kind.HARDLINK else entry.link
        assert (theirs.name.rstrip("/"), theirs.linkname) == (entry.path[1:], link)
        assert (theirs.mode, theirs.uid, theirs.gid, theirs.size) == (entry.mode, entry.uid, entry.gid, entry.size)
        assert theirs.mtime == mtime
        assert ours[:5] == (entry.path[1:] + slash, entry.kind, entry.mode, entry.uid, entry.gid)
        assert (ours.link, ours.size) == (link, entry.size)
        if isinstance(entry.content, BytesContent):
            assert tar[ours.start : ours.start + ours.size] == entry.content.data


@settings(max_examples=50, deadline=None)
@given(st.lists(ENTRIES, max_size=4), st.integers(1, 5000))
def test_block_sizes_do_not_change_the_stream(entries: list[Entry], block: int) -> None:
    """The stream is the same in blocks of any size, and every block but the last is full."""
    blocks = Blocks()
    stream = TarStream(blocks, memoryview(bytearray(block)))
    stream.add(entries, 0)
    stream.finish()
    assert bytes(blocks.data) == tar_of(entries)
    full, rest = divmod(len(blocks.data), block)
    assert blocks.sizes == [block] * full + [rest] * bool(rest)


def test_a_large_file_has_blocks_of_its_own() -> None:
    """From the size on that is given, a file's bytes begin a block and end one; nothing else is in them."""
    blocks = Blocks()
    stream = TarStream(blocks, memoryview(bytearray(1000)), 1500)
    contents = [BytesContent(bytes([number]) * size) for number, size in enumerate((1499, 1500, 2000))]
    stream.add([file(RootPath(f"/{number}"), content) for number, content in enumerate(contents)], 0)
    stream.finish()
    assert bytes(blocks.data) == tar_of([file(RootPath(f"/{number}"), one) for number, one in enumerate(contents)])
    assert blocks.sizes == [
        *(1000, 1000, 560, -1500, 1000, 500, 0),
        *(36 + 512, -2000, 1000, 1000, 0),
        *(1000, 72),
    ]


def test_a_tar_ends_with_two_empty_blocks() -> None:
    """Behind the last member are 1024 zeros and nothing more."""
    data = b"d" * 513
    tar = tar_of([at("/a", data)])
    assert tar == headers(at("/a", data), 0) + data + padding(len(data)) + END
    assert (len(padding(513)), len(padding(512)), len(END)) == (511, 0, 1024)


def test_files_that_shrank_are_noticed(tmp_path: Path) -> None:
    """A file that is shorter than planned stops the writing, and the error says by how much."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(ChangedInputError) as caught:
        tar_of([file(RootPath("/a"), FileContent(str(path), 10_001))])
    assert (caught.value.planned, caught.value.actual) == (10_001, 10_000)
