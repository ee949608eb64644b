"""Files that say what cannot be true give one clear error, after little reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.content import BytesContent, FileContent
from minpack.elf.dynamic import MAX_STRING, MAX_STRINGS
from minpack.elf.read import read_elf
from minpack.elf.window import HEAD
from minpack.errors import MalformedElfError
from support.elfedit import get, put, segment_at, segment_field, set_header, set_segment, set_tag, tag_at
from support.elfmaker import (
    DT_NEEDED,
    DT_SONAME,
    DT_STRTAB,
    ET_EXEC,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_PHDR,
    UPX_INFO,
    library,
    make_elf,
    program,
    static_program,
)

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.content import Reader

HUGE = (1 << 64) - 1
APP = program(("liba.so",), soname="app")
STATIC = static_program()
#: Where the program headers of APP lie.
INTERP_AT, LOAD_AT, DYNAMIC_AT = (segment_at(APP, type_) for type_ in (PT_INTERP, PT_LOAD, PT_DYNAMIC))
DYNAMIC_SIZE = segment_field(APP, PT_DYNAMIC, "file_size")
TABLE_SIZE = segment_field(APP, PT_PHDR, "file_size")
CUT = "the file was cut short, or it is a detached debug file"


class Counted(NamedTuple):
    """Bytes that claim to be `size` long, and a record of each read."""

    data: bytes
    size: int
    reads: list[tuple[int, int]]
    where: str = "made"

    def open(self) -> Reader:
        return CountedReader(self)


class CountedReader:
    """Reads, and writes down what was asked for."""

    def __init__(self, content: Counted) -> None:
        self.content = content

    def read_at(self, offset: int, size: int) -> bytes:
        self.content.reads.append((offset, size))
        return self.content.data[offset : offset + size]

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        raise NotImplementedError

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def counted(data: bytes) -> Counted:
    """`data` with a record of reads."""
    return Counted(data, len(data), [])


def with_tag(value: int, tag: int = DT_NEEDED) -> tuple[bytes, int]:
    """APP with another value of a tag, and where the tag lies."""
    return set_tag(APP, tag, value), tag_at(APP, tag)


def with_name_at_end(beyond: int) -> tuple[bytes, int]:
    """A library with its strings last, a name `beyond` bytes behind their last one, and where the name's tag lies."""
    data = library("liba.so")
    moved = set_tag(data + b"name\0", DT_STRTAB, len(data))
    moved = set_segment(moved, PT_LOAD, file_size=len(moved), memory_size=len(moved))
    return set_tag(moved, DT_SONAME, 4 + beyond), tag_at(data, DT_SONAME)


def unended() -> tuple[bytes, int]:
    """A library whose last name runs to the end of its segment, and where that name's tag lies."""
    data = library("liba.so")
    strings = get(data, tag_at(data, DT_STRTAB) + 8, "Q")
    cut = strings + 1 + len("liba.so")
    loaded = set_segment(data, PT_LOAD, file_size=cut, memory_size=cut)
    # The dynamic section lies behind the cut, so it must be found by its offset.
    return set_segment(loaded, PT_DYNAMIC, vaddr=1 << 32), tag_at(data, DT_SONAME)


MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "magic alone": (APP[:4], 4, "the file ends inside the ELF header"),
    "64-bit header cut": (APP[:63], 63, "the file ends inside the ELF header"),
    "32-bit header cut": (static_program(machine="x86")[:51], 51, "the file ends inside the ELF header"),
    "class": (set_header(APP, **{"class": 3}), 4, "class 3 is neither 32 nor 64 bit"),
    "byte order": (set_header(APP, data=0), 5, "byte order 0 is neither little nor big endian"),
    "type": (set_header(APP, type=0xFE00), 16, "type 65024 is neither program nor library"),
    "no segments": (set_header(APP, phnum=0), 56, "no segment is loaded"),
    "nothing loaded": (set_segment(STATIC, PT_LOAD, type=6), 56, "no segment is loaded"),
    "small program headers": (set_header(APP, phentsize=55), 54, "program headers of 55 bytes are too small"),
    "many program headers": (set_header(APP, phnum=4097), 56, "4097 program headers of 56 bytes each are too many"),
    "large program headers": (
        set_header(APP, phnum=4096, phentsize=65535),
        56,
        "4096 program headers of 65535 bytes each are too many",
    ),
    "program headers behind the end": (
        set_header(APP, phoff=len(APP) - 56),
        32,
        f"the program header table would end at byte {len(APP) - 56 + TABLE_SIZE} of a file of {len(APP)} bytes",
    ),
    "program headers at no offset": (
        set_header(APP, phoff=HUGE),
        32,
        f"the program header table would end at byte {HUGE + TABLE_SIZE} of a file of {len(APP)} bytes",
    ),
    "extended count without sections": (
        set_header(APP, phnum=0xFFFF),
        40,
        "the number of program headers is in a section header that is not there",
    ),
    "extended count behind the end": (
        set_header(APP, phnum=0xFFFF, shoff=HUGE),
        40,
        f"the first section header would end at byte {HUGE + 48} of a file of {len(APP)} bytes",
    ),
    "extended count that is huge": (
        set_header(APP, phnum=0xFFFF, shoff=len(APP)) + b"\xff" * 64,
        56,
        "4294967295 program headers of 56 bytes each are too many",
    ),
    "file cut short": (
        APP[:-1],
        LOAD_AT,
        f"a loaded segment would end at byte {len(APP)} of a file of {len(APP) - 1} bytes: {CUT}",
    ),
    "segment at no offset": (
        set_segment(APP, PT_LOAD, offset=1 << 63),
        LOAD_AT,
        f"a loaded segment would end at byte {(1 << 63) + len(APP)} of a file of {len(APP)} bytes: {CUT}",
    ),
    "segment longer in the file": (
        set_segment(APP, PT_LOAD, memory_size=1),
        LOAD_AT,
        "a loaded segment is longer in the file than in memory",
    ),
    "interpreter of one byte": (
        set_segment(APP, PT_INTERP, file_size=1),
        INTERP_AT,
        "an interpreter path cannot have 1 bytes",
    ),
    "interpreter of no bytes": (
        set_segment(APP, PT_INTERP, file_size=0, memory_size=0),
        INTERP_AT,
        "an interpreter path cannot have 0 bytes",
    ),
    "interpreter of more than PATH_MAX": (
        program(interpreter="x" * 4096),
        INTERP_AT,
        "an interpreter path cannot have 4097 bytes",
    ),
    "interpreter of 4 GiB": (
        set_segment(APP, PT_INTERP, file_size=1 << 32),
        INTERP_AT,
        "an interpreter path cannot have 4294967296 bytes",
    ),
    "interpreter behind the end": (
        set_segment(APP, PT_INTERP, offset=len(APP)),
        INTERP_AT,
        f"the interpreter path would end at byte {len(APP) + 28} of a file of {len(APP)} bytes",
    ),
    "interpreter without an end": (
        set_segment(APP, PT_INTERP, file_size=5),
        segment_field(APP, PT_INTERP, "offset") + 4,
        "the interpreter path does not end with a NUL",
    ),
    "dynamic section of 4 GiB": (
        set_segment(APP, PT_DYNAMIC, vaddr=1 << 40, file_size=1 << 32),
        DYNAMIC_AT,
        "a dynamic section of 268435456 entries is too long",
    ),
    "dynamic section behind the end": (
        set_segment(APP, PT_DYNAMIC, vaddr=1 << 40, offset=HUGE),
        DYNAMIC_AT,
        f"the dynamic section would end at byte {HUGE + DYNAMIC_SIZE} of a file of {len(APP)} bytes",
    ),
    "no string table": (
        set_tag(APP, DT_STRTAB, 0, new_tag=0x6FFFFFF0),
        tag_at(APP, DT_SONAME),
        "a name is given and there is no string table",
    ),
    "string table nowhere": (
        *with_tag(HUGE, DT_STRTAB),
        f"the string table at address {HUGE:#x} is in no segment",
    ),
    "name at no offset": (*with_tag(HUGE), "a name is beyond the string table"),
    "name behind the table": (*with_tag(len(APP)), "a name is beyond the string table"),
    "name just behind the table": (*with_name_at_end(1), "a name is beyond the string table"),
    "name without an end": (*unended(), "a name has no end within 7 bytes"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_untrue_claims_give_one_error(case: str) -> None:
    """Each lie is named, with the offset of the bytes that tell it, and found with few and small reads."""
    data, offset, reason = MALFORMED[case]
    content = counted(data)
    with pytest.raises(MalformedElfError) as caught:
        read_elf(content)
    assert (caught.value.offset, caught.value.reason) == (offset, reason)
    assert 0 <= caught.value.offset <= len(data)
    assert content.reads == [(0, HEAD)]


@pytest.mark.parametrize("case", MALFORMED)
def test_files_give_the_same_errors(case: str, tmp_path: Path) -> None:
    """From a file, where pread(2) would refuse offsets and sizes out of range, comes the same error."""
    data, offset, reason = MALFORMED[case]
    path = tmp_path / "app"
    path.write_bytes(data)
    expected = re.escape(f"cannot read '{path}': malformed ELF file: {reason} (at offset {offset})")
    with pytest.raises(MalformedElfError, match=f"^{expected}$"):
        read_elf(FileContent(str(path), len(data)))


def test_every_cut_gives_an_error() -> None:
    """However short the file was cut, it is an error, and never another exception."""
    for size in range(4, len(APP)):
        with pytest.raises(MalformedElfError) as caught:
            read_elf(BytesContent(APP[:size]))
        assert 0 <= caught.value.offset <= size


def test_harmless_lies_are_no_error() -> None:
    """What no loader looks at may be anything: notes, stack, section headers, sizes of the dynamic section."""
    lies = set_header(APP, shoff=HUGE)
    lies = set_segment(lies, PT_GNU_STACK, type=4, offset=HUGE, file_size=HUGE, vaddr=HUGE)
    lies = set_segment(lies, PT_DYNAMIC, file_size=HUGE, memory_size=HUGE)
    assert read_elf(BytesContent(lies)).needed == ("liba.so",)


def test_a_name_may_be_the_last_byte() -> None:
    """The NUL at the end of the string table is an empty name."""
    assert read_elf(BytesContent(with_name_at_end(0)[0])).soname == ""


def test_as_many_program_headers_as_are_read_are_read() -> None:
    """At the limits of number and size the table is read; a byte more for each header is too much."""
    data = STATIC + bytes(1 << 20)
    most = read_elf(BytesContent(set_header(data, phnum=4096)))
    assert len(most.segments) == 4096
    # With headers of 256 bytes the second one begins in the middle of nowhere, and the table ends at one mebibyte.
    assert len(read_elf(BytesContent(set_header(data, phnum=4096, phentsize=256))).segments) == 4096
    with pytest.raises(MalformedElfError, match="4096 program headers of 257 bytes each are too many"):
        read_elf(BytesContent(set_header(data, phnum=4096, phentsize=257)))


def test_empty_segments_may_lie_anywhere() -> None:
    """A segment of no file bytes reads none, so its offset does not matter."""
    data = set_segment(APP, PT_GNU_STACK, type=PT_LOAD, offset=HUGE, vaddr=1 << 32, file_size=0, memory_size=4096)
    assert read_elf(BytesContent(data)).needed == ("liba.so",)


def test_a_small_program_takes_one_read() -> None:
    """Header, segments, notes, interpreter and names of a small program come with the first read."""
    content = counted(APP)
    read_elf(content)
    assert content.reads == [(0, HEAD)]
    marked = counted(make_elf(type_=ET_EXEC, dynamic=False, code=UPX_INFO))
    read_elf(marked)
    assert marked.reads == [(0, HEAD)]


def test_long_names_are_read_in_growing_pieces() -> None:
    """Names of a large file take a few hundred bytes each; only a long one takes more."""
    data = make_elf(soname="liba.so", runpath="/" * 5000, code=bytes(HEAD))
    content = counted(data)
    read_elf(content)
    assert content.reads[0] == (0, HEAD)
    # The dynamic section, the soname, and the runpath in pieces of eight times the last one's size.
    assert [size for _, size in content.reads[2:]] == [512, 512, 4096, len(data) - content.reads[-1][0]]


def test_one_name_is_bounded() -> None:
    """A name of more than a mebibyte is an error, not a string."""
    data = library("liba.so", runpath="/" * MAX_STRING)
    content = counted(data)
    with pytest.raises(MalformedElfError, match=f"a name has no end within {MAX_STRING} bytes"):
        read_elf(content)
    assert max(size for _, size in content.reads) == MAX_STRING
    assert read_elf(BytesContent(library("liba.so", runpath="/" * (MAX_STRING - 1)))).soname == "liba.so"


def test_all_names_together_are_bounded() -> None:
    """Many tags that name one long string do not multiply it in memory."""
    name = "x" * (MAX_STRING // 2)
    data = make_elf(needed=(name,), tags=((DT_NEEDED, 1),) * 7)
    assert len(read_elf(BytesContent(data)).needed) == MAX_STRINGS // len(name)
    with pytest.raises(MalformedElfError, match=f"all names together have more than {MAX_STRINGS} bytes"):
        read_elf(BytesContent(make_elf(needed=(name,), tags=((DT_NEEDED, 1),) * 8)))


def test_tags_are_bounded() -> None:
    """As many tags as are read are read; more are an error."""
    fixed = 6
    most = make_elf(tags=((0x6FFFFF00, 0),) * (65536 - fixed))
    assert read_elf(BytesContent(most)).kind == "shared library"
    with pytest.raises(MalformedElfError, match="a dynamic section of 65537 entries is too long"):
        read_elf(BytesContent(make_elf(tags=((0x6FFFFF00, 0),) * (65537 - fixed))))


def test_a_file_that_shrinks_is_an_error() -> None:
    """Bytes that were there when the file's size was taken, and are gone when they are read, are an error."""
    data = make_elf(soname="liba.so", code=bytes(HEAD))
    with pytest.raises(MalformedElfError, match="the dynamic section could not be read whole"):
        read_elf(Counted(data[:-1], len(data), []))


def test_entries_are_found_behind_a_lie() -> None:
    """The offset in an error is that of the entry that lies, not of the first of its kind."""
    data = library("liba.so", ("libb.so", "libc.so"))
    second = tag_at(data, DT_NEEDED) + 16
    with pytest.raises(MalformedElfError) as caught:
        read_elf(BytesContent(put(data, second + 8, "Q", 1 << 40)))
    assert caught.value.offset == second
