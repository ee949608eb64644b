"""`Binary`: one open ELF file as the detectors look at it, and searching its data in bounded memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.elf.format import PT_LOAD
from minpack.elf.sections import SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, Section, Sections, read_sections
from minpack.elf.segments import Header, extent_at, read_header
from minpack.elf.window import Window
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from minpack.content import Content
    from minpack.elf.info import ElfInfo

PF_X, PF_W = 1, 2
#: No address is as high.
LIMIT = 1 << 64
#: Bytes held at once while data is searched, and how far pieces overlap: nothing longer is found.
PIECE = 1 << 20
OVERLAP = 1 << 10
#: The most bytes of one file that are searched.
MAX_BYTES = 1 << 30
#: Alone they are less than a file's read-only data can be: it lies in the executable segment (see `ranges`).
FEW = 1 << 16
#: Ranges that are nearer to each other are searched as one.
GAP = 4096
#: No strings that tell of needs are in them.
_NO_STRINGS = frozenset((".eh_frame", ".eh_frame_hdr", ".gcc_except_table", ".gopclntab", ".data.rel.ro.gopclntab"))


class Binary(NamedTuple):
    """An open ELF file; `path` is where it lies in the image."""

    path: str
    info: ElfInfo
    window: Window
    header: Header
    sections: Sections

    @property
    def order(self) -> str:
        """The byte order, as `struct` has it."""
        return ">" if self.header.layout.big_endian else "<"

    @property
    def word(self) -> str:
        """An address, as `struct` has it."""
        return "Q" if self.header.layout.bits == 64 else "I"  # noqa: PLR2004 - the two classes there are

    @property
    def overlay(self) -> int:
        """How many bytes lie behind all that headers tell of: a payload that the program reads from itself."""
        return max(0, self.info.size - max(self.info.end, self.sections.end, self._headers_end))

    @property
    def _headers_end(self) -> int:
        return self.header.phoff + self.header.phentsize * len(self.info.segments)

    def section(self, *names: str) -> Section | None:
        """The first section that there is of these names."""
        return next((self.sections.by_name[name] for name in names if name in self.sections.by_name), None)

    def text_of(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of the section of that name; none without it."""
        section = self.section(name)
        return self.window.peek(section.offset, min(section.size, limit)) if section is not None else b""

    def offset_of(self, address: int) -> int | None:
        """The file offset that `address` is loaded from."""
        found = extent_at(address, self.info.segments)
        return found[0] if found is not None else None

    def address_of(self, offset: int) -> int | None:
        """The address that the byte at `offset` is loaded to."""
        for segment in self.info.segments:
            if segment.type == PT_LOAD and segment.offset <= offset < segment.offset + segment.file_size:
                address = segment.vaddr + offset - segment.offset
                return address if address < LIMIT else None
        return None

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each part of the file that may hold constants.

        By the sections if there are any, else the segments that are not executable; where a linker did not keep the
        two apart (GNU ld, ``-z noseparate-code``; lld, ``--no-rosegment``), all segments.
        """
        found = [
            (section.offset, section.end)
            for section in self.sections.by_name.values()
            if section.type == SHT_PROGBITS
            and section.flags & (SHF_ALLOC | SHF_EXECINSTR) == SHF_ALLOC
            and section.name not in _NO_STRINGS
        ]
        if not found:
            loaded = [s for s in self.info.segments if s.type == PT_LOAD and s.file_size]
            data = [s for s in loaded if not s.flags & PF_X]
            apart = any(not s.flags & PF_W for s in data) and sum(s.file_size for s in data) >= FEW
            found = [(s.offset, s.offset + s.file_size) for s in (data if apart else loaded)]
        return _joined(found)

    def segments(self, *, writable: bool) -> tuple[tuple[int, int], ...]:
        """Start and end of the loaded segments that are, or are not, writable and hold no machine code alone."""
        return tuple(
            (s.offset, s.offset + s.file_size)
            for s in self.info.segments
            if s.type == PT_LOAD and s.file_size and bool(s.flags & PF_W) == writable
        )

    def pieces(self, ranges: Iterable[tuple[int, int]], overlap: int = OVERLAP) -> Iterator[tuple[int, bytearray, int]]:
        """The bytes of `ranges` in overlapping pieces: the offset, a buffer that is used again, how much of it counts.

        :raises InputError: the system could not read the file.
        """
        ranges = tuple(ranges)
        # Making a large one takes longer than searching a small file.
        buffer = bytearray(min(PIECE, max((0, *(end - start for start, end in ranges)))))
        view = memoryview(buffer)
        left = MAX_BYTES
        for start, end in ranges:
            at = start
            while at < end and left > 0:
                size = self.window.reader.readinto_at(view[: end - at], at)
                if size == 0:
                    break
                yield at, buffer, size
                left -= size
                at = end if at + size >= end or size <= overlap else at + size - overlap

    def find(self, needle: bytes, ranges: Iterable[tuple[int, int]], *, align: int = 1) -> Iterator[int]:
        """The offsets of `needle` in `ranges` that are multiples of `align`, each once."""
        for at, buffer, size in self.pieces(ranges, len(needle) - 1):
            place = buffer.find(needle, 0, size)
            while place >= 0:
                if (at + place) % align == 0:
                    yield at + place
                place = buffer.find(needle, place + 1, size)

    def which(self, needles: Iterable[bytes], ranges: Iterable[tuple[int, int]] | None = None) -> frozenset[bytes]:
        """Those of `needles` that are anywhere in `ranges`, by default in the file's constants."""
        left = set(needles)
        found: set[bytes] = set()
        for _, buffer, size in self.pieces(self.ranges() if ranges is None else ranges):
            here = {needle for needle in left if buffer.find(needle, 0, size) >= 0}
            found |= here
            left -= here
            if not left:
                break
        return frozenset(found)

    def matches(self, pattern: re.Pattern[bytes], limit: int) -> frozenset[bytes]:
        """At most `limit` distinct texts of the constants that `pattern` matches.

        It is fast only if all matches begin with one byte.
        """
        found: set[bytes] = set()
        for _, buffer, size in self.pieces(self.ranges()):
            for match in pattern.finditer(buffer, 0, size):
                found.add(match[0])
                if len(found) >= limit:
                    return frozenset(found)
        return frozenset(found)


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The ranges in order, those that touch or nearly touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] < GAP:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


@contextmanager
def open_binary(content: Content, info: ElfInfo, path: str) -> Iterator[Binary]:
    """The file for as long as the ``with`` block lasts.

    :raises InputError: it cannot be read.
    """
    with content.open() as reader:
        window = Window(reader, content.size, path)
        header = read_header(window)
        yield Binary(path, info, window, header, read_sections(window, header))
