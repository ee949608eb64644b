"""What glibc's loader takes, passes over and stops at, for loaders of every architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.ld.accept import HEADER_SIZE, LoadVerdict, judge_header, judge_library
from support.elfedit import put, set_header, set_segment
from support.elfmaker import DF_1_PIE, ET_EXEC, MACHINES, library, make_elf

if TYPE_CHECKING:
    from minpack.target import Target

PASSED_OVER = LoadVerdict(False)


def target_of(data: bytes) -> Target:
    """What an ELF file says it is for."""
    return read_elf(BytesContent(data)).target


def judged(data: bytes, wanted: str = "x86_64", *, debian: bool = False) -> LoadVerdict:
    """What the loader for a machine makes of a file's header."""
    return judge_header(data[:HEADER_SIZE], target_of(library(machine=wanted)), debian=debian)


@pytest.mark.parametrize("debian", [True, False])
@pytest.mark.parametrize("machine", MACHINES)
def test_its_own(machine: str, debian: bool) -> None:
    """Every loader takes libraries of its own machine."""
    data = library(machine=machine)
    assert judged(data, machine, debian=debian) == LoadVerdict(True)
    assert judge_library(read_elf(BytesContent(data))) == LoadVerdict(True)


@pytest.mark.parametrize("wanted", MACHINES)
@pytest.mark.parametrize("machine", MACHINES)
def test_others_with_debians_patch(wanted: str, machine: str) -> None:
    """Debian's takes no other machine's, and none of them stops it."""
    verdict = judged(library(machine=machine), wanted, debian=True)
    assert verdict == (LoadVerdict(True) if wanted == machine else PASSED_OVER)


@pytest.mark.parametrize("wanted", MACHINES)
@pytest.mark.parametrize("machine", MACHINES)
def test_others(wanted: str, machine: str) -> None:
    """An unpatched one stops at a file of its own class and the other byte order."""
    ours, theirs = MACHINES[wanted], MACHINES[machine]
    verdict = judged(library(machine=machine), wanted)
    if wanted != machine and ours.bits == theirs.bits and ours.big_endian != theirs.big_endian:
        assert verdict.reason == f"its data are not {'big' if ours.big_endian else 'little'}-endian"
    else:
        assert verdict == (LoadVerdict(True) if wanted == machine else PASSED_OVER)


@pytest.mark.parametrize(
    ("wanted", "flags", "fits"),
    [
        ("armhf", 0x5000000, True),
        ("armhf", 0x5000200, False),
        ("armel", 0x5000000, True),
        ("armel", 0x5000400, False),
        ("riscv64", 0x4, True),
        ("riscv64", 0x1, False),
        ("ppc64le", 0x0, True),
        ("ppc64le", 0x1, False),
        ("aarch64", 0x7, True),
        ("mipsel", 0x50001024, False),
    ],
)
def test_flags(wanted: str, flags: int, fits: bool) -> None:
    """Where the machine alone does not tell, its flags do; those that name no ABI fit any."""
    assert judged(library(machine=wanted, e_flags=flags), wanted, debian=True) == LoadVerdict(fits)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file too short"),
        (library()[:63], "file too short"),
        (b"text" * 20, "invalid ELF header"),
        (set_header(library(), osabi=9), "its OS ABI is 9"),
        (put(library(), 6, "B", 2), "its ELF version is not 1"),
        (put(library(), 20, "I", 2), "its ELF version is not 1"),
        (put(library(), 8, "B", 1), "its ABI version is 1"),
        (put(library(), 12, "B", 1), "its ELF header has padding that is not zero"),
        (set_header(library(), type=1), "only shared libraries can be loaded"),
        (set_header(library(), phentsize=32), "its program headers cannot have 32 bytes"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    """What is wrong with a file of its own class and order is said."""
    assert judged(data) == LoadVerdict(False, reason)


@pytest.mark.parametrize("data", [set_header(library(), osabi=3), put(set_header(library(), osabi=3), 8, "B", 1)])
def test_gnu(data: bytes) -> None:
    """GNU's own ABI is taken in all its versions."""
    assert judged(data) == LoadVerdict(True)


def test_what_comes_first() -> None:
    """The machine is looked at behind the rest of the identification; with Debian's patch in front of it."""
    data = set_header(library(machine="aarch64"), osabi=9)
    assert judged(data).reason == "its OS ABI is 9"
    assert judged(data, debian=True) == PASSED_OVER
    assert judged(set_header(library(machine="x86"), osabi=9)) == PASSED_OVER


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_elf(type_=ET_EXEC), "it is a program and no library"),
        (make_elf(flags_1=DF_1_PIE), "it is a program and no library"),
        (make_elf(dynamic=False), "it has no dynamic section"),
        (set_segment(library(), 1, vaddr=0x100), "a loaded segment is not page-aligned"),
    ],
)
def test_no_library(data: bytes, reason: str) -> None:
    """Programs, files without a dynamic section and misplaced segments are refused."""
    assert judge_library(read_elf(BytesContent(data))) == LoadVerdict(False, reason)
