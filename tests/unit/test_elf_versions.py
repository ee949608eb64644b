"""Versions are read as glibc reads them, along their chains, and chains that cannot be true give one clear error."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.elf.symbols import read_symbols
from minpack.elf.versions import MAX_NAME, MAX_VERSIONS, VersionNeed, Versions
from minpack.errors import MalformedElfError
from support.symbolmaker import DT_VERDEF, DT_VERNEED, Linked, Need, Symbol, Version, linked_elf

if TYPE_CHECKING:
    from collections.abc import Callable

STRINGS = b"\0libc.so.6\0V1\0V2\0"
LIBC, V1, V2 = 1, 11, 14
#: A version table is made by hand wherever a real one is there to be replaced.
NEED, VERSION = [Need("x", "y", 2)], [Version("x", 2)]


def versions(linked: Linked) -> Versions:
    """What is read of a file's versions."""
    return read_symbols(BytesContent(linked.data)).versions


def needs(table: bytes, strings: bytes = STRINGS) -> Linked:
    """A file with these needs."""
    return linked_elf([Symbol("f")], needs=NEED, chunks={"verneed": table, "strings": strings})


def defines(table: bytes, strings: bytes = STRINGS) -> Linked:
    """A file with these definitions."""
    return linked_elf([Symbol("f")], versions=VERSION, chunks={"verdef": table, "strings": strings})


def need(file: int, first: int, following: int, count: int = 1) -> bytes:
    """A Verneed record."""
    return struct.pack("<HHIII", 1, count, file, first, following)


def aux(version: int, index: int, following: int, flags: int = 0) -> bytes:
    """A Vernaux record."""
    return struct.pack("<IHHII", 0, flags, index, version, following)


def definition(index: int, first: int, following: int, flags: int = 0, count: int = 1) -> bytes:
    """A Verdef record."""
    return struct.pack("<HHHHIII", 1, flags, index, count, 0, first, following)


@pytest.mark.parametrize("machine", ["x86_64", "x86", "s390x", "mips"])
def test_needs_and_definitions_are_read(machine: str) -> None:
    """Needs with their files, the names defined, and the index of each but the file's own."""
    made = linked_elf(
        machine=machine,
        needs=[Need("libc.so.6", "GLIBC_2.5", 2), Need("libm.so.6", "GLIBC_2.29", 0x8003, 2)],
        versions=[Version("liba.so", 1, 1), Version("A_1.0", 4)],
    )
    found = versions(made)
    assert found.needs == (
        VersionNeed("libc.so.6", "GLIBC_2.5", weak=False),
        VersionNeed("libm.so.6", "GLIBC_2.29", weak=True),
    )
    assert found.defined == {"liba.so", "A_1.0"}
    assert found.named == {2: ("GLIBC_2.5", False), 3: ("GLIBC_2.29", True), 4: ("A_1.0", False)}
    assert found.defines


def test_a_file_without_versions_has_none() -> None:
    """Neither table is needed."""
    assert versions(linked_elf()) == Versions((), frozenset(), {}, defines=False)


@pytest.mark.parametrize("count", [0, 1, 2, 65535])
def test_chains_end_where_they_say_so(count: int) -> None:
    """The number of versions that a record gives plays no role (glibc elf/dl-version.c)."""
    found = versions(needs(need(LIBC, 16, 0, count) + aux(V1, 2, 16) + aux(V2, 3, 0)))
    assert [n.version for n in found.needs] == ["V1", "V2"]
    found = versions(
        defines(
            definition(2, 20, 28, count=count)
            + struct.pack("<II", V1, 0)
            + definition(3, 20, 0)
            + struct.pack("<II", V2, 0)
        )
    )
    assert found.defined == {"V1", "V2"}


def test_records_may_lie_far_apart() -> None:
    """Records that are not in the first bytes read are read too."""
    gap = bytes(100_000)
    found = versions(needs(need(LIBC, 16 + len(gap), 0) + gap + aux(V1, 2, 16) + aux(V2, 3, 0)))
    assert [n.version for n in found.needs] == ["V1", "V2"]


def test_records_may_overlap() -> None:
    """Chains only lead forwards, so that overlapping records end them too."""
    # The second record begins in the middle of the first's: what is read there is data like any other.
    with pytest.raises(MalformedElfError):
        versions(needs(need(LIBC, 1, 1) + aux(V1, 2, 1)))


LIES: dict[str, Callable[[], Linked]] = {
    "nowhere": lambda: linked_elf(needs=NEED, tags={DT_VERNEED: 1 << 50}),
    "definitions nowhere": lambda: linked_elf(versions=VERSION, tags={DT_VERDEF: 1 << 50}),
    "leads out": lambda: needs(need(LIBC, 16, 1 << 31) + aux(V1, 2, 0)),
    "first leads out": lambda: needs(need(LIBC, (1 << 32) - 1, 0)),
    "version leads out": lambda: needs(need(LIBC, 16, 0) + aux(V1, 2, 1 << 31)),
    "definition leads out": lambda: defines(definition(2, 20, (1 << 32) - 1) + struct.pack("<II", V1, 0)),
    "definition's name leads out": lambda: defines(definition(2, (1 << 32) - 1, 0)),
    "name behind": lambda: needs(need(LIBC, 16, 0) + aux(1 << 31, 2, 0)),
    "file behind": lambda: needs(need(1 << 31, 16, 0) + aux(V1, 2, 0)),
    "defined name behind": lambda: defines(definition(2, 20, 0) + struct.pack("<II", 1 << 31, 0)),
    "long name": lambda: needs(need(0, 16, 0) + aux(1, 2, 0), b"\0" + b"V" * (MAX_NAME + 1) + b"\0"),
    "long file": lambda: needs(need(1, 16, 0) + aux(0, 2, 0), b"\0" + b"V" * (MAX_NAME + 1) + b"\0"),
    "long definition": lambda: defines(definition(2, 20, 0) + struct.pack("<II", 1, 0), b"\0" + b"V" * 5000 + b"\0"),
}


@pytest.mark.parametrize("make", LIES.values(), ids=LIES)
def test_lies_give_one_error_that_names_a_place(make: Callable[[], Linked]) -> None:
    """A chain or name that leads out of its table is said to do so, with an offset in the file."""
    linked = make()
    with pytest.raises(MalformedElfError) as caught:
        versions(linked)
    assert 0 < caught.value.offset <= len(linked.data)


#: Files that each need the version that lies behind them all.
FILES = b"".join(need(LIBC, 16 * (40_000 - n), 16, 0) for n in range(40_000))


@pytest.mark.parametrize(
    "table",
    [
        FILES + aux(V1, 2, 0),
        need(LIBC, 16, 0) + aux(V1, 2, 16) * (2 * MAX_VERSIONS),
    ],
    ids=["files", "versions"],
)
def test_more_needs_than_indexes_are_refused(table: bytes) -> None:
    """No two symbols can tell more versions apart than the 15 bits of their indexes."""
    with pytest.raises(MalformedElfError, match="more than 32768 versions"):
        versions(needs(table))


def test_more_definitions_than_indexes_are_refused() -> None:
    """The same for definitions."""
    table = (definition(2, 20, 28) + struct.pack("<II", V1, 0)) * (MAX_VERSIONS + 1)
    with pytest.raises(MalformedElfError, match="more than 32768 versions"):
        versions(defines(table))


def test_the_most_definitions_are_read() -> None:
    """As many as there are indexes are read."""
    table = (definition(2, 20, 28) + struct.pack("<II", V1, 0)) * (MAX_VERSIONS - 1)
    assert versions(defines(table + definition(2, 20, 0) + struct.pack("<II", V1, 0))).defined == {"V1"}


def test_records_of_one_byte_s_distance_cost_no_product() -> None:
    """Records that overlap in every byte are counted together, not each chain for itself."""
    # All bytes 1: every record leads on by 0x01010101, out of the table.
    with pytest.raises(MalformedElfError):
        versions(needs(b"\1" * 500_000))
    # Each of 30,000 files has the same long chain behind it.
    files = b"".join(need(LIBC, 16 * (30_000 - n), 16) for n in range(30_000))
    with pytest.raises(MalformedElfError, match="more than 32768 versions"):
        versions(needs(files + aux(V1, 2, 16) * 30_000 + aux(V1, 2, 0)))


def test_many_long_names_take_bounded_memory() -> None:
    """Names that overlap are counted together."""
    strings = b"\0" + b"V" * MAX_NAME * 4 + b"\0"
    table = need(0, 16, 0) + b"".join(aux(1 + 3 * MAX_NAME + n % MAX_NAME, 2, 16) for n in range(30_000)) + aux(0, 2, 0)
    linked = needs(table, strings)
    tracemalloc.start()
    found = versions(linked)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.needs) == 30_001
    assert most < 64 << 20
