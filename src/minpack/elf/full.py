"""Segments, dynamic section, versions and notes of one file as pyelftools reads them: a second opinion, for people.

It takes milliseconds to seconds, and is imported only when it is asked for.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from minpack.errors import MalformedElfError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minpack.content import Content, Reader

#: More rows of one table are not shown.
MAX_ROWS = 10_000
#: What is read at once at most, however much a note claims.
MAX_PIECE = 1 << 16
#: All bytes and reads of one file; pyelftools takes half a microsecond for each. The largest libraries take some two
#: million bytes in half a million reads.
MAX_WORK = 8_000_000


#: The sections that name strings, or that a linker orders by them.
_NAMING = frozenset((".dynstr", ".dynsym", ".gnu.hash", ".hash", ".gnu.version", ".gnu.version_r", ".gnu.version_d"))


class Details(NamedTuple):
    """Rows of text: each segment, dynamic tag, version and note."""

    segments: tuple[tuple[str, ...], ...]
    dynamic: tuple[tuple[str, ...], ...]
    versions: tuple[tuple[str, ...], ...]
    notes: tuple[tuple[str, ...], ...]


def read_details(content: Content) -> Details:
    """What pyelftools reads of the file.

    :raises InputError: the file cannot be read.
    :raises MalformedElfError: pyelftools cannot read it.
    """
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - 30 ms

    with content.open() as reader:
        try:
            elf = ELFFile(_BoundedReader(_Stream(reader, content.size)))
            return Details(*(_rows(read, elf) for read in (_segments, _dynamic, _versions, _notes)))
        except Exception as error:
            if isinstance(error, MemoryError | KeyboardInterrupt) or type(error).__module__.startswith("minpack."):
                raise
            # It raises struct.error, OverflowError and others besides its own on files that are damaged.
            raise MalformedElfError(content.where, 0, f"pyelftools cannot read it ({error})") from error


def _rows(read: Callable[[Any], Iterator[tuple[str, ...]]], elf: Any) -> tuple[tuple[str, ...], ...]:  # noqa: ANN401
    rows: list[tuple[str, ...]] = []
    for row in read(elf):
        if len(rows) >= MAX_ROWS:
            break
        rows.append(row)
    return tuple(rows)


def _segments(elf: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - pyelftools has no types
    for segment in elf.iter_segments():
        flags = "".join(
            letter if segment["p_flags"] & bit else "-" for letter, bit in zip("rwx", (4, 2, 1), strict=True)
        )
        numbers = (f"{segment[name]:#x}" for name in ("p_offset", "p_vaddr", "p_filesz", "p_memsz", "p_align"))
        yield (str(segment["p_type"]).removeprefix("PT_"), flags, *numbers)


def _dynamic(elf: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    for segment in elf.iter_segments("PT_DYNAMIC"):
        for tag in segment.iter_tags():
            name = str(tag.entry.d_tag).removeprefix("DT_")
            text = next(
                (getattr(tag, key) for key in ("needed", "soname", "rpath", "runpath") if hasattr(tag, key)), None
            )
            yield name, text if text is not None else f"{tag.entry.d_val:#x}"


def _versions(elf: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_GNU_verneed":
            for need, names in section.iter_versions():
                for name in names:
                    yield "needs", need.name, name.name
        elif section["sh_type"] == "SHT_GNU_verdef":
            for _, names in section.iter_versions():
                yield "defines", next(iter(names)).name


def _notes(elf: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    for segment in elf.iter_segments("PT_NOTE"):
        for note in segment.iter_notes():
            text = note["n_desc"]
            if isinstance(text, bytes):
                text = text[:64].hex()
            elif hasattr(text, "items"):
                text = ", ".join(f"{key} {value}" for key, value in text.items())
            elif isinstance(text, list):
                text = ", ".join(str(part.get("pr_type", part)) for part in text)
            yield str(note["n_name"]), str(note["n_type"]), str(text)


class _BoundedReader(io.BufferedReader):
    """Reads a piece at most, until all was too much."""

    _left = MAX_WORK

    def read(self, size: int | None = -1, /) -> bytes:
        # Memory for all that is asked for would be taken before anything is read.
        size = MAX_PIECE if size is None or not 0 <= size <= MAX_PIECE else size
        self._left -= size + 1
        if self._left < 0:
            raise ValueError("its tables are too large to show")
        return super().read(size)


class _Stream(io.RawIOBase):
    """A content as a file that can be read and sought in."""

    def __init__(self, reader: Reader, size: int) -> None:
        super().__init__()
        self._reader, self._size, self._at = reader, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as its base class has it
        count = self._reader.readinto_at(memoryview(buffer).cast("B"), self._at)
        self._at += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at


def differences(before: bytes, after: bytes) -> Iterator[str]:
    """What else than its interpreter and runpath differs in a program that was changed."""
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - 30 ms

    old, new = ELFFile(io.BytesIO(before)), ELFFile(io.BytesIO(after))
    if any(old.header[key] != new.header[key] for key in ("e_type", "e_machine", "e_entry", "e_flags")):
        yield "its header"
    loaded = {one["p_vaddr"]: one for one in new.iter_segments("PT_LOAD")}
    tables = tuple(_naming(old))
    for segment in old.iter_segments("PT_LOAD"):
        there = loaded.get(segment["p_vaddr"])
        if there is None or any(there[key] != segment[key] for key in ("p_flags", "p_memsz")):
            yield f"the segment at {segment['p_vaddr']:#x}"
        elif _masked(segment, tables) != _masked(there, tables):
            yield f"what is loaded at {segment['p_vaddr']:#x}"
    if list(_symbols(old)) != list(_symbols(new)):
        yield "its symbols"
    if list(_relocations(old)) != list(_relocations(new)):
        yield "its relocations"


def _naming(elf: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401 - pyelftools has no types
    """Where the two strings are, and the tables that name strings: start and end of each, as addresses."""
    for kind in ("PT_INTERP", "PT_DYNAMIC", "PT_PHDR"):
        for segment in elf.iter_segments(kind):
            yield segment["p_vaddr"], segment["p_vaddr"] + segment["p_memsz"]
    for section in elf.iter_sections():
        if section.name in _NAMING:
            yield section["sh_addr"], section["sh_addr"] + section["sh_size"]


def _masked(segment: Any, tables: tuple[tuple[int, int], ...]) -> bytes:  # noqa: ANN401 - pyelftools has no types
    """The bytes of a segment, with zeros for its header and those tables."""
    data, start = bytearray(segment.data()), segment["p_vaddr"]
    places = (*tables, (start, start + 64)) if segment["p_offset"] == 0 else tables
    for first, last in places:
        low, high = max(0, first - start), min(len(data), last - start)
        if low < high:
            data[low:high] = bytes(high - low)
    return bytes(data)


def _symbols(elf: Any) -> Iterator[tuple[object, ...]]:  # noqa: ANN401 - pyelftools has no types
    section = elf.get_section_by_name(".dynsym")
    for symbol in section.iter_symbols() if section is not None else ():
        entry = symbol.entry
        yield symbol.name, entry["st_value"], entry["st_size"], str(entry["st_info"]), str(entry["st_shndx"])


def _relocations(elf: Any) -> Iterator[tuple[object, ...]]:  # noqa: ANN401 - pyelftools has no types
    from elftools.elf.relocation import RelocationSection  # noqa: PLC0415 - as above

    for section in elf.iter_sections():
        if isinstance(section, RelocationSection):
            for relocation in section.iter_relocations():
                yield section.name, *relocation.entry.values()
