"""The ELF header and the program headers of one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import EI_CLASS, EI_DATA, PN_XNUM, PT_LOAD, Layout, layout_of
from minpack.elf.info import Segment
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.elf.window import Window

#: More program headers, or a longer table of them, has no real file: the longest seen have a few dozen.
MAX_SEGMENTS = 4096
MAX_TABLE = 1 << 20


class Header(NamedTuple):
    """The fields of the ELF header that matter; `phnum` is the one in the header, PN_XNUM included."""

    layout: Layout
    type: int
    machine: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    phentsize: int
    phnum: int

    def at_segment(self, index: int) -> int:
        """The offset of a program header."""
        return self.phoff + self.phentsize * index


def read_header(window: Window) -> Header:
    """The header of a file that begins with the magic number.

    :raises MalformedElfError: it is of no known class or byte order, or the file ends inside it.
    """
    head = window.head
    if len(head) <= EI_DATA:
        raise window.error(len(head), "the file ends inside the ELF header")
    bits = {1: 32, 2: 64}.get(head[EI_CLASS])
    big_endian = {1: False, 2: True}.get(head[EI_DATA])
    if bits is None:
        raise window.error(EI_CLASS, f"class {head[EI_CLASS]} is neither 32 nor 64 bit")
    if big_endian is None:
        raise window.error(EI_DATA, f"byte order {head[EI_DATA]} is neither little nor big endian")
    layout = layout_of(bits, big_endian=big_endian)
    if len(head) < layout.header.size:
        raise window.error(len(head), "the file ends inside the ELF header")
    type_, machine, _, entry, phoff, shoff, flags, _, phentsize, phnum = layout.header.unpack_from(head)
    return Header(layout, type_, machine, entry, phoff, shoff, flags, phentsize, phnum)


def read_segments(window: Window, header: Header) -> tuple[Segment, ...]:
    """All program headers, in the file's order.

    :raises MalformedElfError: they are too many, too small, or not in the file.
    """
    layout = header.layout
    count = header.phnum if header.phnum != PN_XNUM else _extended_count(window, header)
    if count == 0:
        return ()
    size = count * header.phentsize
    if header.phentsize < layout.segment.size:
        raise window.error(layout.at_phentsize, f"program headers of {header.phentsize} bytes are too small")
    if count > MAX_SEGMENTS or size > MAX_TABLE:
        raise window.error(layout.at_phnum, f"{count} program headers of {header.phentsize} bytes each are too many")
    table = window.read(header.phoff, size, "the program header table", layout.at_phoff)
    if header.phentsize == layout.segment.size:
        rows = layout.segment.iter_unpack(table)
    else:
        rows = (layout.segment.unpack_from(table, header.phentsize * n) for n in range(count))
    if layout.bits == 64:  # noqa: PLR2004 - the 64-bit class has the flags in front (elf(5), "Elf64_Phdr")
        return tuple([Segment(t, f, o, v, fs, ms, a) for t, f, o, v, _, fs, ms, a in rows])
    return tuple([Segment(t, f, o, v, fs, ms, a) for t, o, v, _, fs, ms, f, a in rows])


def _extended_count(window: Window, header: Header) -> int:
    """With PN_XNUM the count is `sh_info` of the first section header (elf(5), "e_phnum")."""
    layout = header.layout
    if header.shoff == 0:
        raise window.error(layout.at_shoff, "the number of program headers is in a section header that is not there")
    data = window.read(header.shoff + layout.at_info, 4, "the first section header", layout.at_shoff)
    return int(layout.word.unpack(data)[0])


def check_loaded(window: Window, header: Header, segments: tuple[Segment, ...]) -> None:
    """Raise `MalformedElfError` if nothing is loaded, or a segment cannot be loaded.

    The kernel refuses one that reaches beyond the file's end or has more bytes in the file than in memory
    (fs/binfmt_elf.c).
    """
    loaded = False
    for index, segment in enumerate(segments):
        if segment.type != PT_LOAD:
            continue
        loaded = True
        end = segment.offset + segment.file_size
        if end > window.size and segment.file_size:
            raise window.error(
                header.at_segment(index),
                f"a loaded segment would end at byte {end} of a file of {window.size} bytes: "
                "the file was cut short, or it is a detached debug file",
            )
        if segment.file_size > segment.memory_size:
            raise window.error(header.at_segment(index), "a loaded segment is longer in the file than in memory")
    if not loaded:
        raise window.error(header.layout.at_phnum, "no segment is loaded")


def extent_at(address: int, segments: tuple[Segment, ...]) -> tuple[int, int] | None:
    """The file offset that `address` is loaded from, and how many bytes of the file follow in memory.

    Where segments overlap the last one counts: loaders map them in order, each over those before.
    """
    for segment in reversed(segments):
        into = address - segment.vaddr
        if segment.type == PT_LOAD and 0 <= into < segment.file_size:
            return segment.offset + into, segment.file_size - into
    return None
