"""Which system an ELF file is for, where it says so: Linux programs mostly say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import EI_OSABI, PT_NOTE

if TYPE_CHECKING:
    import struct

    from minpack.elf.info import Segment
    from minpack.elf.segments import Header
    from minpack.elf.window import Window

#: EI_OSABI (gABI, chapter 4, "ELF Identification"). Linux programs have 0 or 3; ARM's old 97 is theirs too.
_BY_BYTE = {1: "HP-UX", 2: "NetBSD", 6: "Solaris", 7: "AIX", 8: "IRIX", 9: "FreeBSD", 12: "OpenBSD", 17: "CloudABI"}
#: Names in notes, which the BSDs' kernels go by.
_BY_NOTE = {b"FreeBSD\0": "FreeBSD", b"NetBSD\0": "NetBSD", b"OpenBSD\0": "OpenBSD", b"DragonFly\0": "DragonFly BSD"}
_BY_INTERPRETER = {
    "/libexec/ld-elf.so.1": "FreeBSD",
    "/usr/libexec/ld.elf_so": "NetBSD",
    "/usr/libexec/ld.so": "OpenBSD",
    "/usr/libexec/ld-elf.so.2": "DragonFly BSD",
    "/lib/amd64/ld.so.1": "Solaris or illumos",
    "/usr/lib/amd64/ld.so.1": "Solaris or illumos",
    "/system/bin/linker": "Android",
    "/system/bin/linker64": "Android",
}
#: The most bytes of notes looked at; they are a few dozen.
MAX_NOTES = 4096


def foreign_system(
    window: Window, header: Header, segments: tuple[Segment, ...], interpreter: str | None
) -> str | None:
    """The system other than Linux that a program is for, by header, interpreter or notes; None if it names none."""
    found = _BY_BYTE.get(window.head[EI_OSABI]) or _BY_INTERPRETER.get(interpreter or "")
    if found is not None:
        return found
    for segment in segments:
        if segment.type == PT_NOTE and 0 < segment.file_size <= MAX_NOTES:
            data = window.peek(segment.offset, segment.file_size)
            found = _named_in(data, header.layout.word, 8 if segment.align == 8 else 4)  # noqa: PLR2004 - gABI
            if found is not None:
                return found
    return None


def _named_in(notes: bytes, word: struct.Struct, align: int) -> str | None:
    """The system that a note is named after; each is three words, its name and its data, both padded (elf(5))."""
    at = 0
    while at + 12 <= len(notes):
        (name_size,), (data_size,) = word.unpack_from(notes, at), word.unpack_from(notes, at + 4)
        found = _BY_NOTE.get(notes[at + 12 : at + 12 + name_size])
        if found is not None:
            return found
        data_at = -(-(at + 12 + name_size) // align) * align
        at = -(-(data_at + data_size) // align) * align
    return None
