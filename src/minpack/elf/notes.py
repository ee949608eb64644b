"""The notes of one file: what it says of kernels and CPUs, of its build, and of libraries it opens by itself.

Formats: elf(5), "Notes"; the Linux gABI extensions (NT_GNU_*); UAPI.12, "ELF dlopen Metadata". A note can be wrong
without the file being bad, as no loader reads them all: such notes are passed over and told of, and nothing is raised.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.elf.format import PT_GNU_PROPERTY, PT_NOTE
from minpack.elf.window import Window
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.content import Content
    from minpack.elf.info import ElfInfo, Segment

NT_GNU_ABI_TAG, NT_GNU_BUILD_ID, NT_GNU_PROPERTY, NT_FDO_DLOPEN = 1, 3, 5, 0x407C0C0A
GNU_PROPERTY_X86_ISA_NEEDED = 0xC0008002
#: Owners' names are a few bytes long. A longer name is none of interest.
MAX_OWNER = 64
#: Longer data is not read: some tools keep whole archives in a note (Node.js single executables).
MAX_DATA = 1 << 18
#: The most notes looked at, bytes of data kept, and entries of dlopen metadata taken. Files have some five notes.
MAX_NOTES = 1024
MAX_ALL_DATA = 1 << 20
MAX_ENTRIES = 1024
#: No file name is longer (NAME_MAX, PATH_MAX).
MAX_SONAME = 4096
MAX_TEXT = 1000
PRIORITIES = ("required", "recommended", "suggested")


class Note(NamedTuple):
    """One note; `owner` without its NUL, `data` as it is."""

    owner: bytes
    type: int
    data: bytes


class DlopenEntry(NamedTuple):
    """Libraries of which the file opens the first that exists; `priority` is one of `PRIORITIES`."""

    sonames: tuple[str, ...]
    feature: str
    description: str
    priority: str


class Notes(NamedTuple):
    """What the notes of a file say.

    `kernel` is the oldest Linux that it runs on, `isa_needed` the mask of x86 levels it needs (1 is the baseline,
    2 x86-64-v2, 4 v3, 8 v4; 0 if nothing is said), `build_id` hexadecimal. `problems` tell of what was passed over.
    """

    found: tuple[Note, ...]
    kernel: tuple[int, int, int] | None
    isa_needed: int
    build_id: str
    dlopen: tuple[DlopenEntry, ...]
    problems: tuple[str, ...]


def read_notes(content: Content, info: ElfInfo) -> Notes:
    """The notes of the file that `info` was read from.

    :raises MalformedElfError: it became shorter meanwhile.
    :raises InputError: the system could not read it.
    """
    order = ">" if info.target.big_endian else "<"
    problems: list[str] = []
    with content.open() as reader:
        window = Window(reader, content.size, content.where)
        found = tuple(_read(window, info.segments, struct.Struct(order + "3I"), problems))
    gnu = [note for note in found if note.owner == b"GNU"]
    entries: list[DlopenEntry] = []
    for note in found:
        if (note.owner, note.type) == (b"FDO", NT_FDO_DLOPEN):
            parsed, wrong = parse_dlopen(note.data)
            entries += parsed
            problems += wrong
    return Notes(
        found,
        _kernel(gnu, order),
        _isa_needed(gnu, order, 8 if info.target.bits == 64 else 4),  # noqa: PLR2004 - the two classes there are
        next((note.data.hex() for note in gnu if note.type == NT_GNU_BUILD_ID), ""),
        tuple(entries[:MAX_ENTRIES]),
        tuple(dict.fromkeys(problems)),
    )


def parse_dlopen(data: bytes) -> tuple[tuple[DlopenEntry, ...], tuple[str, ...]]:
    """The entries of a note of dlopen metadata, and what is wrong with those that are left out."""
    import json  # noqa: PLC0415 - few files have such notes

    try:
        rows = json.loads(data.rstrip(b"\0").decode())
    except (ValueError, RecursionError) as error:
        return (), (f"its dlopen note is not JSON: {str(error)[:MAX_TEXT]}",)
    if not isinstance(rows, list) or len(rows) > MAX_ENTRIES:
        return (), (f"its dlopen note is not a list of at most {MAX_ENTRIES} entries",)
    entries = [_entry(row) for row in rows]
    wrong = tuple(
        f"entry {number} of its dlopen note names no sonames" for number, e in enumerate(entries, 1) if e is None
    )
    return tuple(entry for entry in entries if entry is not None), wrong


def _entry(row: object) -> DlopenEntry | None:
    """An entry, or None if it has no sonames; an unknown priority is the default one."""
    if not isinstance(row, dict):
        return None
    sonames = row.get("soname")
    if not isinstance(sonames, list) or not sonames or not all(_is_name(name) for name in sonames):
        return None
    priority = row.get("priority")
    return DlopenEntry(
        tuple(sonames),
        _text(row.get("feature")),
        _text(row.get("description")),
        priority if priority in PRIORITIES else "recommended",
    )


def _is_name(value: object) -> bool:
    """Whether it can name a library: the metadata has no control characters, and lone surrogates are not text."""
    return isinstance(value, str) and 0 < len(value) <= MAX_SONAME and value.isprintable()


def _text(value: object) -> str:
    """Text that can be shown, or nothing."""
    return "".join(c for c in value[:MAX_TEXT] if c.isprintable()) if isinstance(value, str) else ""


def _read(window: Window, segments: Iterable[Segment], head: struct.Struct, problems: list[str]) -> Iterator[Note]:
    """The notes of all segments, each once: linkers let PT_GNU_PROPERTY and a PT_NOTE overlap."""
    seen: set[int] = set()
    room, turns = MAX_ALL_DATA, iter(range(MAX_NOTES))
    for segment in segments:
        if segment.type not in (PT_NOTE, PT_GNU_PROPERTY):
            continue
        for at, note, start, size in _walk(window, segment, head, turns, problems):
            if at in seen or size > min(room, MAX_DATA):
                continue
            seen.add(at)
            room -= size
            yield note._replace(data=window.peek(start, size))


def _walk(
    window: Window, segment: Segment, head: struct.Struct, turns: Iterator[int], problems: list[str]
) -> Iterator[tuple[int, Note, int, int]]:
    """The offset of each note of a segment, the note without its data, and the data's offset and size.

    Each takes one of `turns`. Data and the next note are aligned from the note's start, to 8 bytes if the segment is,
    else to 4 (glibc elf/elf.h, ELF_NOTE_DESC_OFFSET and ELF_NOTE_NEXT_OFFSET).
    """
    align = 8 if segment.align == 8 else 4  # noqa: PLR2004
    at, end = segment.offset, min(segment.offset + segment.file_size, window.size)
    while at + head.size <= end:
        if next(turns, None) is None:
            problems.append(f"it has more than {MAX_NOTES} notes")
            return
        name_size, size, type_ = head.unpack(window.read(at, head.size, "a note", at))
        start = at + _up(head.size + name_size, align)
        if start + size > end:
            problems.append(f"its note at offset {at} is cut short")
            return
        if name_size <= MAX_OWNER:
            owner = window.peek(at + head.size, name_size).partition(b"\0")[0]
            yield at, Note(owner, type_, b""), start, size
        at = start + _up(size, align)


def _up(size: int, align: int) -> int:
    return -(-size // align) * align


def _kernel(gnu: Iterable[Note], order: str) -> tuple[int, int, int] | None:
    """The highest version that an ABI tag for Linux (0) names."""
    tags = [
        struct.unpack_from(order + "4I", note.data)
        for note in gnu
        if note.type == NT_GNU_ABI_TAG and len(note.data) >= 16  # noqa: PLR2004 - its four words
    ]
    return max(((major, minor, patch) for system, major, minor, patch in tags if system == 0), default=None)


def _isa_needed(gnu: Iterable[Note], order: str, align: int) -> int:
    """All bits of the x86 properties; each has type, size, and data padded to the class's word."""
    mask = 0
    for note in gnu:
        at = 0
        while note.type == NT_GNU_PROPERTY and at + 8 <= len(note.data):
            type_, size = struct.unpack_from(order + "II", note.data, at)
            if type_ == GNU_PROPERTY_X86_ISA_NEEDED and size == 4 and at + 12 <= len(note.data):  # noqa: PLR2004
                mask |= struct.unpack_from(order + "I", note.data, at + 8)[0]
            at += 8 + _up(size, align)
    return mask
