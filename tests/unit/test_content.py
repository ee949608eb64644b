"""Bytes are read alike from memory, from files and from ranges of open files, and failures are errors of minpack."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent, RangeContent, read_all, remembered, same_content, sum_of
from minpack.errors import ChangedInputError, InputError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from minpack.content import Content

DATA = bytes(range(200))
HUGE = (1 << 64) - 1


def whole(path: str) -> FileContent:
    """A whole file, as it is now."""
    status = os.stat(path)
    return FileContent(path, status.st_size, mtime=status.st_mtime_ns)


@pytest.mark.parametrize(
    ("path", "words"),
    [("/proc/self/environ", "0 bytes, but it has more"), ("/sys/devices/system/cpu/online", "but it has fewer")],
)
def test_files_whose_size_is_not_that_of_their_bytes(path: str, words: str) -> None:
    """What the kernel makes as it is read (proc(5), sysfs(5)) is refused when it is opened, and not taken for empty."""
    if not os.path.exists(path):
        pytest.skip(f"this machine has no {path}")
    with pytest.raises(InputError, match=words) as caught:
        whole(path).open()
    assert "copy it first" in str(caught.value.hint)


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_files_without_blocks_that_are_as_they_say(tmp_path: Path, size: int) -> None:
    """Empty and sparse files have no blocks either, and are what they are."""
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, size)
    assert os.stat(path).st_blocks == 0
    assert read_all(whole(str(path)), 1 << 20) == bytes(size)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a/b", "./a//b", True),
        ("/a/b", "/a/./b", True),
        ("a/b", "/a/b", False),
        ("a/../b", "b", False),
        ("a", "b", False),
    ],
)
def test_one_file_by_two_spellings(first: str, second: str, same: bool) -> None:
    """Paths that differ by what says nothing are one file; a ``..`` may lead through a link."""
    assert same_content(FileContent(first, 1, mtime=2), FileContent(second, 1, mtime=2)) is same
    assert not same_content(FileContent(first, 1, mtime=2), FileContent(first, 1, mtime=3))


@pytest.fixture(params=["bytes", "file", "part of a file", "range"])
def content(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Content]:
    """DATA from each place that bytes come from."""
    path = tmp_path / "data"
    if request.param == "bytes":
        yield BytesContent(DATA)
    elif request.param == "file":
        path.write_bytes(DATA)
        yield FileContent(str(path), len(DATA))
    elif request.param == "part of a file":
        path.write_bytes(b"before" + DATA + b"behind")
        yield FileContent(str(path), len(DATA), 6)
    else:
        path.write_bytes(b"before" + DATA + b"behind")
        with path.open("rb") as file:
            yield RangeContent(file.fileno(), 6, len(DATA), "inside")


@pytest.mark.parametrize(
    ("offset", "size", "expected"),
    [
        (0, 200, DATA),
        (0, 1, DATA[:1]),
        (199, 1, DATA[199:]),
        (150, 1000, DATA[150:]),
        (0, HUGE, DATA),
        (200, 1, b""),
        (201, 1, b""),
        (HUGE, 1, b""),
        (HUGE, HUGE, b""),
        (0, 0, b""),
        (5, 0, b""),
        (5, -3, b""),
        (-3, 2, b""),
        (-3, 5, b""),
    ],
)
def test_reads_stay_inside(content: Content, offset: int, size: int, expected: bytes) -> None:
    """What lies inside is read; what lies outside is not there, and is not an error."""
    with content.open() as reader:
        assert reader.read_at(offset, size) == expected


@pytest.mark.parametrize(
    ("offset", "size", "expected"),
    [
        (0, 200, DATA),
        (0, 300, DATA),
        (190, 20, DATA[190:]),
        (3, 4, DATA[3:7]),
        (200, 5, b""),
        (HUGE, 5, b""),
        (-1, 5, b""),
        (0, 0, b""),
    ],
)
def test_buffers_are_filled_from_inside(content: Content, offset: int, size: int, expected: bytes) -> None:
    """A buffer is filled as far as there are bytes, and untouched behind them."""
    buffer = bytearray(b"\xee" * size)
    with content.open() as reader:
        assert reader.readinto_at(memoryview(buffer), offset) == len(expected)
    assert buffer == expected.ljust(size, b"\xee")


def test_contents_can_be_opened_again(content: Content) -> None:
    """Opening a second time, and twice at once, reads the same."""
    with content.open() as first, content.open() as second:
        assert first.read_at(10, 5) == second.read_at(10, 5)
    with content.open() as third:
        assert third.read_at(10, 5) == DATA[10:15]


def test_all_bytes_can_be_read_up_to_a_limit(content: Content) -> None:
    """Everything is read if the limit allows it, else nothing."""
    assert read_all(content, 200) == DATA
    with pytest.raises(InputError, match="it has 200 bytes; expected at most 199"):
        read_all(content, 199)


def test_all_bytes_can_be_summed(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum is that of all bytes, however small the pieces they are read in."""
    expected = hashlib.sha256(DATA).hexdigest()
    assert sum_of(content) == expected
    monkeypatch.setattr("minpack.content.SUM_PIECE", 7)
    assert sum_of(content) == expected
    assert sum_of(BytesContent(b"")) == hashlib.sha256().hexdigest()


def test_empty_content_is_read(tmp_path: Path) -> None:
    """No bytes are read as no bytes."""
    path = tmp_path / "empty"
    path.touch()
    assert read_all(FileContent(str(path), 0), 0) == read_all(BytesContent(b""), 0) == b""


def test_a_file_that_shrank_has_changed(tmp_path: Path) -> None:
    """Fewer bytes than the size says come back short, and reading all of them is an error."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    content = FileContent(str(path), 300)
    with content.open() as reader:
        assert reader.read_at(150, 150) == DATA[150:]
        assert reader.readinto_at(memoryview(bytearray(300)), 0) == 200
    with pytest.raises(ChangedInputError, match=r"300 bytes planned, 200 read"):
        read_all(content, 1000)
    with pytest.raises(ChangedInputError, match=r"300 bytes planned, 200 read"):
        sum_of(content)


def touch_while_reading(content: FileContent, error: Exception | None = None) -> None:
    """Change the file's time while it is open, and then fail with `error`, if any."""
    with content.open() as reader:
        assert reader.read_at(0, 200) == DATA
        os.utime(content.where, ns=(1, 1))
        if error is not None:
            raise error


def test_a_file_that_was_written_to_has_changed(tmp_path: Path) -> None:
    """Of a file planned with its time, any change is an error: before it is opened, and while it is read."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    content = FileContent(str(path), len(DATA), mtime=path.stat().st_mtime_ns)
    assert read_all(content, 200) == DATA
    with pytest.raises(ChangedInputError):
        touch_while_reading(content)
    with pytest.raises(ChangedInputError):
        content.open()
    grown = FileContent(str(path), len(DATA), mtime=1)
    assert read_all(grown, 200) == DATA
    path.write_bytes(DATA + b"more")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ChangedInputError, match=r"200 bytes planned, 204 read"):
        grown.open()


def test_an_error_while_reading_is_not_covered(tmp_path: Path) -> None:
    """What went wrong inside the block is what comes out of it, also if the file has changed."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    content = FileContent(str(path), len(DATA), mtime=path.stat().st_mtime_ns)
    with pytest.raises(ZeroDivisionError):
        touch_while_reading(content, ZeroDivisionError())


def test_short_reads_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system reads less than was asked for, as it may, reading goes on to the end."""
    path = tmp_path / "data"
    path.write_bytes(b"before" + DATA + b"behind")
    real = os.pread
    asked: list[int] = []

    def short(descriptor: int, size: int, offset: int) -> bytes:
        asked.append(size)
        return real(descriptor, min(size, 60), offset)

    monkeypatch.setattr(os, "pread", short)
    with FileContent(str(path), 200, 6).open() as reader:
        assert reader.read_at(10, 150) == DATA[10:160]
        assert asked == [150, 90, 30]
    with FileContent(str(path), 400, 6).open() as reader:
        assert reader.read_at(10, 390) == DATA[10:] + b"behind"


def test_a_file_that_grew_is_read_to_its_size(tmp_path: Path) -> None:
    """Bytes behind the size that was seen first are not read."""
    path = tmp_path / "data"
    path.write_bytes(DATA + b"more")
    assert read_all(FileContent(str(path), 200), 200) == DATA


def test_files_that_cannot_be_opened_are_input_errors(tmp_path: Path) -> None:
    """A file that is gone is an error that names it, with the system's reason in lower case."""
    path = str(tmp_path / "gone")
    with pytest.raises(InputError) as caught:
        FileContent(path, 1).open()
    assert caught.value.message == f"cannot read {path!r}: no such file or directory"
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_what_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    """A directory in a file's place, or a pipe that no one writes to, is an error and no wait."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in ((tmp_path, "is a directory"), (pipe, "illegal seek")):
        with FileContent(str(path), 5).open() as reader:
            for read in (lambda: reader.read_at(0, 5), lambda: reader.readinto_at(memoryview(bytearray(5)), 0)):
                with pytest.raises(InputError) as caught:
                    read()
                assert caught.value.message == f"cannot read '{path}': {reason}"


def test_closed_files_stay_closed_and_ranges_open(tmp_path: Path) -> None:
    """A file that was opened is closed again; an open file that is only lent is not."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        with FileContent(str(path), 200).open():
            pass
        with RangeContent(file.fileno(), 0, 200, "data").open():
            pass
        after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        assert before == after
        assert file.read(3) == DATA[:3]


def test_contents_say_where_they_come_from(tmp_path: Path) -> None:
    """Each content has its size and its place for messages."""
    assert (BytesContent(b"abc").size, BytesContent(b"abc").where) == (3, "minpack's own data")
    assert BytesContent(b"abc", "a test").where == "a test"
    assert FileContent(str(tmp_path), 3).where == str(tmp_path)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/secret"), "no such file or directory"),
        (OSError(5, "Input/output error"), "input/output error"),
        (OSError("Something else"), "something else"),
        (OSError(), "unknown error"),
    ],
)
def test_reasons_are_the_systems_words_alone(error: OSError, reason: str) -> None:
    """Number and path of a system's error are left out."""
    assert reason_of(error) == reason


def test_what_is_said_of_bytes_is_remembered_by_their_key(tmp_path: Path) -> None:
    """Of the last few contents, with the other arguments; of files, which may change, nothing, and no error."""
    asked: list[bytes] = []

    @remembered(2)
    def first(content: Content, count: int) -> bytes:
        data = read_all(content, 100)
        asked.append(data)
        if not data:
            raise ValueError
        return data[:count]

    contents = [BytesContent(data) for data in (b"one", b"two", b"three")]
    assert [first(one, 1) for one in (contents[0], BytesContent(b"one", "elsewhere"))] == [b"o", b"o"]
    assert asked == [b"one"]
    assert first(contents[0], 2) == b"on"
    assert first(contents[0], 1) == b"o"
    assert asked == [b"one"] * 2
    first(contents[1], 1)
    assert first(contents[0], 1) == b"o"
    assert asked == [b"one", b"one", b"two"]
    first(contents[2], 1)
    first(contents[1], 1)
    assert asked == [b"one", b"one", b"two", b"three", b"two"]
    path = tmp_path / "file"
    for data in (b"one", b"two"):
        path.write_bytes(data)
        assert first(FileContent(str(path), 3), 3) == data
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            first(BytesContent(b""), 1)
    assert asked[-2:] == [b"", b""]
