"""The numbers and struct layouts of the ELF format: elf(5) and the System V gABI, chapters 4 and 5."""

from __future__ import annotations

import struct
from functools import cache

from minpack.namedtuple import NamedTuple

MAGIC = b"\x7fELF"
#: Offsets in the header that are the same in both classes: class, byte order, system, type.
EI_CLASS, EI_DATA, EI_OSABI, E_TYPE = 4, 5, 7, 16
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
#: The note that says which x86 level is needed, and others (Linux gABI extensions, "Program Property").
PT_GNU_PROPERTY = 0x6474E553
#: In `e_phnum`: the number is too large for it and lies in the first section header (elf(5), "e_phnum").
PN_XNUM = 0xFFFF
DT_NULL, DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_DEBUG, DT_RUNPATH, DT_FLAGS = 0, 1, 5, 14, 15, 21, 29, 30
DT_FLAGS_1, DT_AUXILIARY, DT_FILTER = 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF
DT_DEPAUDIT, DT_AUDIT = 0x6FFFFEFB, 0x6FFFFEFC
DF_1_PIE = 0x08000000


class Layout(NamedTuple):
    """How the files of one class and byte order are laid out; `at_` are offsets in bytes.

    `header` gives type, machine, version, entry, program header offset, section
    header offset, flags, header size, program header size and number.
    `segment` gives the fields in the order of the class, `tag` a dynamic entry.
    """

    bits: int
    big_endian: bool
    header: struct.Struct
    segment: struct.Struct
    tag: struct.Struct
    word: struct.Struct
    at_entry: int
    at_phoff: int
    at_shoff: int
    at_phentsize: int
    at_phnum: int
    #: Of `sh_info` in a section header.
    at_info: int


@cache
def layout_of(bits: int, *, big_endian: bool) -> Layout:
    """The layout of the files of 32 or 64 `bits`."""
    order = ">" if big_endian else "<"
    wide = bits == 64  # noqa: PLR2004 - the two classes there are
    word = "Q" if wide else "I"
    offsets = (24, 32, 40, 54, 56, 44) if wide else (24, 28, 32, 42, 44, 28)
    return Layout(
        bits,
        big_endian,
        struct.Struct(f"{order}16xHHI{word}{word}{word}IHHH6x"),
        struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII")),
        struct.Struct(order + word * 2),
        struct.Struct(f"{order}I"),
        *offsets,
    )
