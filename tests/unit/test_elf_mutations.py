"""However an ELF file is damaged, reading it succeeds or gives one of the reader's errors, and stays small."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minpack.content import FileReader
from minpack.elf.dynamic import MAX_STRINGS
from minpack.elf.read import read_elf
from minpack.elf.segments import MAX_SEGMENTS
from minpack.errors import MalformedElfError, MinpackError, NotElfError, NotProgramError
from support.elfmaker import library, make_elf, program, static_program, upx_program
from support.tools import need_tool

if TYPE_CHECKING:
    from minpack.elf.info import ElfInfo

MADE = (
    program(("liba.so", "libb.so"), rpath="$ORIGIN", soname="app"),
    library("liba.so", ("libb.so",), machine="s390x", runpath="/lib"),
    library("liba.so", ("libb.so",), machine="x86"),
    program(("liba.so",), machine="mips"),
    static_program(overlay=b"overlay"),
    static_program(machine="armhf", pie=True),
    upx_program(),
    make_elf(interpreter="/lib/ld.so", needed=tuple(f"lib{n}.so" for n in range(300)), note=bytes(24)),
)
#: The same examples in every run, and no files kept.
STEADY = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: Numbers at which mistakes are made.
EDGES = (0, 1, 2, 4, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63)
#: Where nearly all that the reader looks at lies.
HEAD = 1200


class Change(NamedTuple):
    """A number written over the file at an offset; `width` is its format."""

    at: int
    width: str
    value: int

    def apply(self, data: bytearray) -> None:
        size = struct.calcsize(self.width)
        if len(data) >= size:
            struct.pack_into(self.width, data, self.at % (len(data) - size + 1), self.value % (1 << 8 * size))


numbers = st.one_of(st.sampled_from(EDGES), st.integers(0, 1200), st.integers(0, (1 << 64) - 1))
widths = st.sampled_from(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
places = st.one_of(
    st.integers(0, 15).map(lambda n: 4 * n), st.integers(0, HEAD).map(lambda n: 4 * n), st.integers(0, 400)
)
changes = st.lists(st.builds(Change, places, widths, numbers), min_size=1, max_size=5)
cuts = st.one_of(st.just(None), st.integers(0, HEAD))


class Pread:
    """The system's pread(2) on a real file of these bytes, and a count of what was read."""

    size: int
    where = "damaged"

    def __init__(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        self.size = len(data)
        self.total = 0
        self._file = path.open("rb")

    def open(self) -> Pread:
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        assert offset >= 0 < size
        data = FileReader(self._file.fileno(), 0, self.size, owned=False).read_at(offset, size)
        self.total += len(data)
        return data

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        raise NotImplementedError

    def __enter__(self) -> Pread:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def attempt(content: Pread) -> ElfInfo | MinpackError:
    """What reading gives, or the error it ends with, if that is one of the reader's."""
    try:
        return read_elf(content)
    except (MalformedElfError, NotElfError, NotProgramError) as error:
        return error


def check(path: Path, data: bytes) -> bool:
    """Whether `data` can be read; fails on any exception but the reader's own, and on much reading."""
    content = Pread(path, data)
    info = attempt(content)
    # Each byte is read for the tables once, and for names that overlap once for each of them.
    assert content.total <= 64 * len(data) + 4096
    if isinstance(info, MinpackError):
        assert 0 <= getattr(info, "offset", 0) <= len(data)
        return False
    names = (info.interpreter, info.soname, *info.needed, info.rpath, info.runpath, *info.filters, *info.auxiliaries)
    assert sum(len(name or "") for name in names) <= MAX_STRINGS
    assert not any("\0" in (name or "") for name in names)
    assert len(info.segments) <= MAX_SEGMENTS
    assert info.size == len(data)
    assert info.target.name
    return True


@settings(STEADY, max_examples=1500)
@given(st.sampled_from(MADE), changes, cuts)
@example(MADE[0], [Change(32, "<Q", 1 << 63)], None)
def test_damaged_made_files_give_errors_of_the_reader_alone(
    tmp_path: Path, whole: bytes, damage: list[Change], cut: int | None
) -> None:
    """Numbers changed anywhere in small files of all kinds, which may be cut too, never surprise the reader."""
    data = bytearray(whole)
    for change in damage:
        change.apply(data)
    check(tmp_path / "app", bytes(data[:cut]))


@pytest.mark.tool
@settings(STEADY, max_examples=700)
@given(st.lists(st.builds(Change, places, widths, numbers), min_size=1, max_size=3), st.booleans())
def test_damaged_real_files_give_errors_of_the_reader_alone(
    tmp_path: Path, damage: list[Change], in_dynamic: bool
) -> None:
    """Numbers changed in the headers or the dynamic section of a real program never surprise the reader."""
    data = bytearray(Path(need_tool("true")).read_bytes())
    start = _dynamic_offset(tmp_path, bytes(data)) if in_dynamic else 0
    for at, width, value in damage:
        Change(at % 600 + start, width, value).apply(data)
    check(tmp_path / "app", bytes(data))


def _dynamic_offset(tmp_path: Path, data: bytes) -> int:
    """Where the dynamic section of a whole program lies."""
    return next(s.offset for s in read_elf(Pread(tmp_path / "whole", data)).segments if s.type == 2)


@pytest.mark.parametrize("whole", MADE, ids=range(len(MADE)))
def test_every_byte_may_be_damaged(whole: bytes, tmp_path: Path) -> None:
    """Each byte of a file, turned over or zeroed alone, leaves a file that is read or refused."""
    readable = 0
    for at in range(min(len(whole), 900)):
        for value in (whole[at] ^ 0xFF, 0, whole[at] ^ 0x80):
            readable += check(tmp_path / "app", whole[:at] + bytes((value,)) + whole[at + 1 :])
    # Most bytes of so small a file are read, but a change of some, as of an entry point's, leaves it readable.
    assert readable > 100
