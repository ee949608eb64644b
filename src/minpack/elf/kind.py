"""What kind of file an ELF file is: the rules, from the facts already read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import DF_1_PIE, DT_DEBUG, DT_FLAGS_1, DT_SONAME, ET_EXEC, PT_DYNAMIC, PT_INTERP, PT_LOAD
from minpack.elf.info import ElfKind
from minpack.elf.segments import extent_at

if TYPE_CHECKING:
    from minpack.elf.dynamic import Dynamic
    from minpack.elf.info import Segment
    from minpack.elf.segments import Header
    from minpack.elf.window import Window


def is_debug_file(header: Header, segments: tuple[Segment, ...]) -> bool:
    """Whether the file is what ``objcopy --only-keep-debug`` leaves of a program or library.

    It has the program headers but not the contents: an interpreter or dynamic
    section of no bytes, or an entry point in memory that the file does not fill.
    """
    if any(s.file_size == 0 < s.memory_size for s in segments if s.type in (PT_INTERP, PT_DYNAMIC)):
        return True
    entry = header.entry
    if entry == 0 or extent_at(entry, segments) is not None:
        return False
    return any(s.vaddr <= entry < s.vaddr + s.memory_size for s in segments if s.type == PT_LOAD)


def is_upx(window: Window, header: Header, segments: tuple[Segment, ...]) -> bool:
    """Whether UPX packed the program: its mark is in the four bytes that come four bytes behind the program headers.

    Source: upx, `p_lx_elf.cpp`, `l_info`; the same in what UPX 4.2 makes of programs of seven architectures.
    """
    return window.peek(header.at_segment(len(segments)) + 4, 4) == b"UPX!"


def kind_of(header: Header, segments: tuple[Segment, ...], interpreter: str | None, dynamic: Dynamic) -> ElfKind:
    """The kind of a file of type ET_EXEC or ET_DYN that is no debug file and not packed.

    With an interpreter it is a dynamic program; without one, and of a fixed address, a static one. What is
    position-independent may be a library: linkers set DF_1_PIE and DT_DEBUG in programs alone (GNU ld since 2.26
    and always). Without either, a file with an interpreter and no soname still counts as a program (libc.so.6 has
    both), and so does one that has no dynamic section but an entry point: as a library nothing could load it.
    """
    if header.type == ET_EXEC:
        return ElfKind.STATIC if interpreter is None else ElfKind.DYNAMIC
    last = dynamic.last
    marked = DT_DEBUG in last or bool(last.get(DT_FLAGS_1, 0) & DF_1_PIE)
    if interpreter is not None:
        return ElfKind.DYNAMIC if marked or DT_SONAME not in last else ElfKind.LIBRARY
    if marked or not any(s.type == PT_DYNAMIC for s in segments):
        return ElfKind.STATIC_PIE
    return ElfKind.LIBRARY
