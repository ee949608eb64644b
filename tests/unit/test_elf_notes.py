"""Notes: what is read of them in every class and byte order, what is passed over, and what damage does."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent, FileContent
from minpack.elf.notes import (
    MAX_ALL_DATA,
    MAX_DATA,
    MAX_ENTRIES,
    MAX_NOTES,
    DlopenEntry,
    Notes,
    parse_dlopen,
    read_notes,
)
from minpack.elf.read import read_elf
from minpack.errors import MalformedElfError, NotElfError
from support.elfedit import segment_field, set_segment
from support.elfmaker import MACHINES, PT_NOTE, make_elf
from support.tools import need_tool

PT_GNU_PROPERTY = 0x6474E553
FDO_DLOPEN = 0x407C0C0A
EXAMPLE = [
    {"soname": ["libfoo.so.2", "libfoo.so.1"], "feature": "foo", "description": "does foo", "priority": "required"}
]


def note(owner: bytes, type_: int, data: bytes, *, order: str = "<", align: int = 4) -> bytes:
    """One note with its paddings (elf(5), "Notes")."""
    head = struct.pack(order + "III", len(owner), len(data), type_) + owner
    head += bytes(-len(head) % align)
    return head + data + bytes(-len(data) % align)


def abi_tag(*words: int, order: str = "<", align: int = 4) -> bytes:
    """An ABI tag: a system and three numbers of its version."""
    return note(b"GNU\0", 1, struct.pack(order + "4I", *words), order=order, align=align)


def isa_needed(mask: int, *, order: str = "<", align: int = 8) -> bytes:
    """x86 properties: the levels used, then those needed."""
    data = b"".join(
        struct.pack(order + "III", type_, 4, value) + bytes(-12 % align)
        for type_, value in ((0xC0010002, 15), (0xC0008002, mask))
    )
    return note(b"GNU\0", 5, data, order=order, align=align)


def dlopen_note(value: object, *, order: str = "<") -> bytes:
    """Dlopen metadata of any JSON value."""
    return note(b"FDO\0", FDO_DLOPEN, json.dumps(value).encode() + b"\0", order=order)


def notes_of(data: bytes) -> Notes:
    """What the notes of a file of these bytes say."""
    content = BytesContent(data)
    return read_notes(content, read_elf(content))


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_notes_are_read_in_every_class_and_byte_order(machine: str) -> None:
    """All facts are found in files of each architecture, 4-byte aligned."""
    order = MACHINES[machine].order
    align = 8 if MACHINES[machine].bits == 64 else 4
    raw = (
        note(b"GNU\0", 3, b"\xab\xcd\xef", order=order)
        + abi_tag(0, 4, 15, 2, order=order)
        + dlopen_note(EXAMPLE, order=order)
        # Its properties are padded as the class wants it, even in a segment of 4-byte alignment.
        + note(b"GNU\0", 5, struct.pack(order + "III", 0xC0008002, 4, 3) + bytes(-12 % align), order=order)
    )
    found = notes_of(make_elf(machine, note=raw))
    assert found.build_id == "abcdef"
    assert found.kernel == (4, 15, 2)
    assert found.isa_needed == 3
    assert found.dlopen == (DlopenEntry(("libfoo.so.2", "libfoo.so.1"), "foo", "does foo", "required"),)
    assert found.problems == ()
    assert [(n.owner, n.type) for n in found.found] == [(b"GNU", 3), (b"GNU", 1), (b"FDO", FDO_DLOPEN), (b"GNU", 5)]


def test_eight_byte_alignment_is_heeded() -> None:
    """In a segment aligned to 8 bytes, data and notes are; the same bytes say nothing true in one aligned to 4."""
    raw = note(b"GNU\0", 3, b"\x01\x02\x03\x04\x05", align=8) + note(b"Owner\0", 9, b"x", align=8) + isa_needed(4)
    data = set_segment(make_elf(note=raw), PT_NOTE, align=8)
    assert notes_of(data).isa_needed == 4
    assert notes_of(data).build_id == "0102030405"
    assert notes_of(set_segment(data, PT_NOTE, align=4)).isa_needed == 0


def test_properties_are_read_from_their_own_segment() -> None:
    """PT_GNU_PROPERTY is read where no PT_NOTE covers it, and notes that both cover are there once."""
    data = set_segment(make_elf(note=isa_needed(8)), PT_NOTE, align=8)
    both = notes_of(data)
    alone = notes_of(set_segment(data, PT_NOTE, type=PT_GNU_PROPERTY))
    assert both == alone
    assert alone.isa_needed == 8
    twice = make_elf(note=isa_needed(8))
    at, size = segment_field(twice, PT_NOTE, "offset"), segment_field(twice, PT_NOTE, "file_size")
    stack = 0x6474E551
    twice = set_segment(twice, PT_NOTE, align=8)
    twice = set_segment(twice, stack, type=PT_GNU_PROPERTY, offset=at, file_size=size, align=8)
    assert len(notes_of(twice).found) == 1


def test_a_file_without_notes_says_nothing() -> None:
    """Nothing is found, and nothing is wrong."""
    assert notes_of(make_elf()) == Notes((), None, 0, "", (), ())


def test_the_highest_kernel_counts() -> None:
    """Of several ABI tags the highest of Linux is taken; tags of other systems and short ones are not."""
    raw = abi_tag(0, 3, 2, 0) + abi_tag(0, 10, 0, 0) + abi_tag(1, 99, 0, 0) + note(b"GNU\0", 1, bytes(12))
    assert notes_of(make_elf(note=raw)).kernel == (10, 0, 0)
    assert notes_of(make_elf(note=abi_tag(1, 99, 0, 0))).kernel is None


def test_types_count_with_their_owner_alone() -> None:
    """The same types of other owners are other notes, as Go's build ID and the package metadata."""
    raw = note(b"Go\0\0", 3, b"id") + note(b"XYZ\0", FDO_DLOPEN, b"[") + note(b"FDO\0", 0xCAFE1A7E, b"{}\0")
    found = notes_of(make_elf(note=raw))
    assert (found.build_id, found.dlopen, found.problems, len(found.found)) == ("", (), (), 3)


def test_a_huge_note_is_stepped_over() -> None:
    """A note that holds an archive, as Node.js makes them, is not read, and those behind it are."""
    raw = note(b"NODE_SEA_BLOB\0", 0, bytes(MAX_DATA + 1)) + note(b"GNU\0", 3, b"\x11")
    found = notes_of(make_elf(note=raw))
    assert found.build_id == "11"
    assert len(found.found) == 1
    found = notes_of(make_elf(note=note(b"N" * 65 + b"\0", 0, b"x") + note(b"GNU\0", 3, b"\x22")))
    assert [n.data for n in found.found] == [b"\x22"]


def test_levels_of_several_notes_add_up() -> None:
    """Bits are collected from all properties, as a linker may have left several."""
    raw = isa_needed(4) + isa_needed(1)
    assert notes_of(set_segment(make_elf(note=raw), PT_NOTE, align=8)).isa_needed == 5


def test_numbers_of_notes_and_bytes_are_bounded() -> None:
    """Of more notes than any file has, the first are kept, and their data is no more than the bound."""
    found = notes_of(make_elf(note=note(b"A\0\0\0", 1, b"") * (MAX_NOTES + 5)))
    assert len(found.found) == MAX_NOTES
    assert found.problems == (f"it has more than {MAX_NOTES} notes",)
    found = notes_of(make_elf(note=note(b"N" * 100, 1, b"") * MAX_NOTES + note(b"GNU\0", 3, b"\x33")))
    assert (found.found, len(found.problems)) == ((), 1)
    found = notes_of(make_elf(note=note(b"A\0\0\0", 1, bytes(MAX_DATA)) * 9))
    assert sum(len(n.data) for n in found.found) == MAX_ALL_DATA


@pytest.mark.parametrize("cut", [1, 4, 12, 15])
def test_a_note_that_is_cut_short_is_told_of(cut: int) -> None:
    """What reaches beyond the segment is left out with a word; what comes before it counts."""
    raw = note(b"GNU\0", 3, b"\x01\x02\x03\x04") + note(b"GNU\0", 1, bytes(16))
    data = make_elf(note=raw)
    short = set_segment(data, PT_NOTE, file_size=len(raw) - cut)
    found = notes_of(short)
    assert (found.build_id, found.kernel) == ("01020304", None)
    assert len(found.problems) == 1
    assert "is cut short" in found.problems[0]


def test_notes_beyond_the_file_are_none() -> None:
    """A segment of notes that ends, or lies, behind the file's end has what is in the file."""
    data = make_elf(note=abi_tag(0, 3, 2, 0))
    assert notes_of(set_segment(data, PT_NOTE, file_size=1 << 62)).kernel == (3, 2, 0)
    assert notes_of(set_segment(data, PT_NOTE, offset=1 << 62)).found == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"soname": ["a.so"]}, DlopenEntry(("a.so",), "", "", "recommended")),
        ({"soname": ["a.so"], "priority": "suggested", "x": [[1]]}, DlopenEntry(("a.so",), "", "", "suggested")),
        ({"soname": ["a.so"], "priority": "urgent"}, DlopenEntry(("a.so",), "", "", "recommended")),
        ({"soname": ["a.so"], "priority": ["required"]}, DlopenEntry(("a.so",), "", "", "recommended")),
        (
            {"soname": ["a.so"], "feature": 7, "description": "a\u001bb\ud800"},
            DlopenEntry(("a.so",), "", "ab", "recommended"),
        ),
        ({"soname": ["größe.so.1"], "feature": "f"}, DlopenEntry(("größe.so.1",), "f", "", "recommended")),
    ],
)
def test_entries_are_read_as_the_specification_has_them(row: object, expected: DlopenEntry) -> None:
    """Fields have their defaults, unknown ones do not matter, and text is fit to be shown (UAPI.12)."""
    assert parse_dlopen(json.dumps([row]).encode() + b"\0") == ((expected,), ())


@pytest.mark.parametrize(
    "row",
    [
        7,
        [],
        {},
        {"soname": "a.so"},
        {"soname": []},
        {"soname": [""]},
        {"soname": ["a.so", 1]},
        {"soname": ["a\nb"]},
        {"soname": ["a\0"]},
        {"soname": ["\ud800"]},
        {"soname": ["x" * 5000]},
    ],
)
def test_an_entry_without_sonames_is_left_out(row: object) -> None:
    """It is told of by its number, and the others stay."""
    entries, problems = parse_dlopen(json.dumps([row, {"soname": ["b.so"]}]).encode())
    assert [entry.sonames for entry in entries] == [("b.so",)]
    assert problems == ("entry 1 of its dlopen note names no sonames",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"[",
        b"{}",
        b"null",
        b"\xff\xfe[]",
        b"[" * 200_000,
        b"[" * 900 + b"]" * 900 + b",",
        b'{"a":' * 50_000,
        b"[" + b"9" * 200_000 + b"]",
        json.dumps([{"soname": ["a"]}] * (MAX_ENTRIES + 1)).encode(),
        '[{"soname": ["a"]}]'.encode("utf-16"),
    ],
    ids=range(12),
)
def test_what_is_no_list_of_entries_is_passed_over(data: bytes) -> None:
    """It gives no entries and one short line of text, however deep or long it is."""
    entries, problems = parse_dlopen(data)
    assert entries == ()
    assert len(problems) == 1
    assert len(problems[0]) < 1200
    assert problems[0].isprintable()


def test_entries_of_several_notes_are_put_together() -> None:
    """One object may have many notes, of which a wrong one spoils no other."""
    raw = dlopen_note([{"soname": ["a"]}]) + note(b"FDO\0", FDO_DLOPEN, b"oops\0") + dlopen_note([{"soname": ["b"]}])
    found = notes_of(make_elf(note=raw))
    assert [entry.sonames for entry in found.dlopen] == [("a",), ("b",)]
    assert len(found.problems) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("soname", "feature", "description", "priority", "x")), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(json_values | st.lists(st.fixed_dictionaries({"soname": json_values, "priority": json_values}), max_size=3))
def test_any_json_gives_entries_or_problems(value: object) -> None:
    """Whatever a note's JSON is, entries have names and one of three priorities, and nothing is raised."""
    entries, _ = parse_dlopen(json.dumps(value).encode())
    for entry in entries:
        assert entry.sonames
        assert all(name and name.isprintable() for name in entry.sonames)
        assert entry.priority in ("required", "recommended", "suggested")


WHOLE = make_elf(
    note=note(b"GNU\0", 3, b"\x01\x02") + abi_tag(0, 3, 2, 0) + dlopen_note(EXAMPLE) + isa_needed(3, align=4)
)
START = segment_field(WHOLE, PT_NOTE, "offset")
SIZE = segment_field(WHOLE, PT_NOTE, "file_size")


@settings(max_examples=800, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=5),
    st.none() | st.integers(64, len(WHOLE)),
    st.sampled_from((4, 8, 1, 0)),
)
def test_damaged_notes_never_surprise(damage: list[tuple[int, bytes]], cut: int | None, align: int) -> None:
    """Bytes changed anywhere in the notes, or a file cut inside them, give results or the reader's own errors."""
    data = bytearray(set_segment(WHOLE, PT_NOTE, align=align))
    for at, piece in damage:
        data[START + at : START + at + len(piece)] = piece
    try:
        found = notes_of(bytes(data[:cut]))
    except (MalformedElfError, NotElfError):
        assert cut is not None
        return
    assert len(found.found) <= MAX_NOTES
    assert sum(len(n.data) for n in found.found) <= len(data)


def machine_files() -> list[Path]:
    """Some of this machine's programs and libraries."""
    found = []
    for directory in ("/usr/bin", "/usr/lib/x86_64-linux-gnu", "/lib"):
        paths = sorted(Path(directory).iterdir()) if Path(directory).is_dir() else []
        found += [path for path in paths if path.is_file() and not path.is_symlink() and is_elf(path)][::25]
    return found


def is_elf(path: Path) -> bool:
    """Whether the file begins as ELF files do."""
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


@pytest.mark.tool
def test_notes_are_those_that_readelf_reads() -> None:
    """Build ID, kernel and levels of this machine's files are what `readelf -n` says."""
    compared = 0
    for path in machine_files():
        content = FileContent(str(path), path.stat().st_size)
        info = read_elf(content)
        if not info.segments:
            continue
        done = subprocess.run(
            [need_tool("readelf"), "-nW", str(path)], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
        )
        found = read_notes(content, info)
        assert found.problems == ()
        build_id = re.search(r"Build ID: (\w+)", done.stdout)
        assert found.build_id == (build_id[1] if build_id else "")
        kernel = re.search(r"OS: Linux, ABI: (\d+)\.(\d+)\.(\d+)", done.stdout)
        assert found.kernel == (tuple(int(part) for part in kernel.groups()) if kernel else None)
        levels = re.search(r"x86 ISA needed: ([^\n]*)", done.stdout)
        assert found.isa_needed.bit_count() == (levels[1].count("x86-64-") if levels else 0)
        compared += build_id is not None
    assert compared > 20
