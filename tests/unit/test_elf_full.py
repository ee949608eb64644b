"""The second opinion on a file reads no more of it than a person wants to see, whatever its numbers claim."""

from __future__ import annotations

import struct
import time
import tracemalloc

import pytest

from minpack.content import BytesContent
from minpack.elf.full import MAX_PIECE, MAX_WORK, read_details
from minpack.elf.notes import NT_GNU_BUILD_ID
from minpack.errors import MalformedElfError
from support.elfmaker import DT_NEEDED, GLIBC, PT_NOTE, make_elf

#: Seconds; without a bound it would be minutes.
LONG = 5


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eighth of the work that is allowed."""
    monkeypatch.setattr("minpack.elf.full._BoundedReader._left", MAX_WORK // 8)


def note(name_size: int, size: int, data: bytes) -> bytes:
    """A note that claims to have a name and data of these sizes."""
    return struct.pack("<3I", name_size, size, NT_GNU_BUILD_ID) + data


def test_what_a_note_claims_is_not_allocated() -> None:
    """A name or data of 4 GiB are read as far as they are there."""
    for claim in (note((1 << 32) - 4, 4, b"GNU\0abcd"), note(4, (1 << 32) - 4, b"GNU\0abcd")):
        content = BytesContent(make_elf(interpreter=GLIBC, note=claim))
        read_details(content)
        tracemalloc.start()
        details = read_details(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * MAX_PIECE
        assert [row[:2] for row in details.notes] == [("GNU", "NT_GNU_BUILD_ID")]


def test_one_note_that_many_segments_have_is_not_read_for_ever() -> None:
    """The bytes read are bounded for the file, and not for each table of it."""
    whole = note(MAX_PIECE, 0, b"n" * (MAX_PIECE - 1) + b"\0")
    count = 4000
    at = 64 + 56 * count
    segment = struct.pack("<IIQQQQQQ", PT_NOTE, 4, at, at, at, len(whole), len(whole), 4)
    head = bytearray(make_elf()[:64])
    struct.pack_into("<QQ", head, 32, 64, 0)
    struct.pack_into("<3H", head, 54, 56, count, 0)
    start = time.process_time()
    with pytest.raises(MalformedElfError, match="too large to show"):
        read_details(BytesContent(bytes(head) + segment * count + whole))
    assert time.process_time() - start < LONG


def test_one_name_that_many_tags_have_is_not_read_for_ever() -> None:
    """Nor for each tag that names the same long text."""
    names = ((DT_NEEDED, "n" * 100_000),)
    once = make_elf(interpreter=GLIBC, first=names)
    assert read_details(BytesContent(once)).dynamic[0] == ("NEEDED", "n" * 100_000)
    data = make_elf(interpreter=GLIBC, first=names, tags=((DT_NEEDED, 1),) * 1000)
    start = time.process_time()
    with pytest.raises(MalformedElfError, match="too large to show"):
        read_details(BytesContent(data))
    assert time.process_time() - start < LONG
