"""The section headers of one file, where it has them: hints for tools that no loader reads.

`sstrip` removes them, and a file may lie in them: a table that cannot be true counts as absent, and nothing is raised.
Format: elf(5), "Section header (Shdr)".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.elf.segments import Header
    from minpack.elf.window import Window

SHT_PROGBITS, SHT_NOBITS = 1, 8
SHF_ALLOC, SHF_EXECINSTR = 2, 4
SHN_XINDEX = 0xFFFF
#: Linked files have some thirty sections; object files, which have one for each function, are not looked at.
MAX_SECTIONS = 4096
MAX_NAMES = 1 << 20
MAX_NAME = 256
#: By class: name, type, flags, address, offset, size.
_FORMS = {64: "IIQQQQ24x", 32: "IIIIII16x"}
#: Where the header has the size and number of section headers and the index of the one with their names.
_AT_SIZE = {64: 58, 32: 46}


class Section(NamedTuple):
    """One section header; `offset` and `size` in bytes of the file, whose end is not beyond the file's."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + self.size


class Sections(NamedTuple):
    """The sections by name, the first of each, and where the table and all that it tells of ends in the file.

    Without a table that can be true there are none and `end` is 0.
    """

    by_name: Mapping[str, Section]
    end: int


NO_SECTIONS = Sections({}, 0)


def read_sections(window: Window, header: Header) -> Sections:
    """What the section headers say.

    :raises InputError: the system could not read the file.
    """
    layout = header.layout
    order = ">" if layout.big_endian else "<"
    at = _AT_SIZE[layout.bits]
    if header.shoff == 0 or len(window.head) < at + 6:
        return NO_SECTIONS
    size, count, names_index = struct.unpack_from(f"{order}3H", window.head, at)
    form = struct.Struct(order + _FORMS[layout.bits])
    end = header.shoff + size * count
    if size != form.size or not 0 < count <= MAX_SECTIONS or end > window.size or names_index in (0, SHN_XINDEX):
        return NO_SECTIONS
    rows = list(form.iter_unpack(window.peek(header.shoff, size * count)))
    if names_index >= len(rows):
        return NO_SECTIONS
    _, _, _, _, names_at, names_size = rows[names_index]
    names = window.peek(names_at, min(names_size, MAX_NAMES))
    found: dict[str, Section] = {}
    for name_at, kind, flags, address, offset, length in rows[1:]:
        if kind == SHT_NOBITS or offset + length > window.size:
            continue
        stop = names.find(b"\0", name_at, name_at + MAX_NAME)
        name = names[name_at:stop].decode("utf-8", "surrogateescape") if stop >= 0 else ""
        found.setdefault(name, Section(name, kind, flags, address, offset, length))
        end = max(end, offset + length)
    return Sections(found, end)
