"""What is read of made Go programs: every form of their tables, and constants that are none."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import read_program
from minpack.needs.need import Need, Verdict
from support.gomaker import FUNCTIONS, MAGIC, RELEASES, Call, GoForm, go_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.needs.findings import Findings

MACHINES = ("x86_64", "aarch64", "s390x", "mips64el", "ppc64le", "x86", "armhf", "mips", "mipsel")
READ = ("x86_64", "aarch64")


def read(data: bytes, *, why: bool = False) -> Findings:
    """What is found in a program."""
    content = BytesContent(data)
    return read_program(content, read_elf(content), "/app", (), glibc=False, why=why)


def calling(text: str, functions: Mapping[str, Sequence[Call]] = FUNCTIONS) -> dict[str, Sequence[Call]]:
    """The functions, where the zone that is loaded is another."""
    return {**functions, "example.com/zones.Load": (Call("time.LoadLocation", text),)}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("table", RELEASES)
@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("sections", [True, False])
def test_every_form_is_read(machine: str, table: int, *, inline: bool, sections: bool) -> None:
    """Build information and functions, of every release, class and byte order, with section headers or without."""
    found = read(go_program(GoForm(machine, table, inline, sections)).data, why=True)
    assert (found.language, found.toolchain) == ("Go", RELEASES[table])
    assert found.main == ("example.com/app", "(devel)")
    assert found.modules == (("example.org/fork", "v1.2.4"),)
    needs = {one.need for one in found.signals if one.verdict in (Verdict.REQUIRED, Verdict.LIKELY)}
    assert needs == {Need.CERTS, Need.TZ, Need.PASSWD, Need.TMP}
    has_code = machine in READ and table != 0xFA
    assert found.zones == (("Europe/Berlin",) if has_code else None)
    callers = {need: [(one.target, one.name, one.arguments) for one in some] for need, some in found.callers.items()}
    if has_code:
        assert callers[Need.TZ] == [("time.LoadLocation", "example.com/zones.Load", ("Europe/Berlin",))]
        assert callers[Need.CERTS] == [("net/http.(*Client).do", "main.main", ())]
    else:
        assert callers == {}


@pytest.mark.parametrize("machine", READ)
@pytest.mark.parametrize(
    ("zone", "kept"),
    [
        ("Asia/Tokyo", ("Asia/Tokyo",)),
        ("UTC", ()),
        ("Local", ()),
        ("../../../etc/shadow", ()),
        ("/etc/shadow", ()),
        ("\\etc", ()),
        ("Europe/..", ()),
    ],
)
def test_names_that_go_refuses_are_no_zones(machine: str, zone: str, kept: tuple[str, ...]) -> None:
    """No program can name a file of the base outside the zones; what Go has itself is not packed."""
    found = read(go_program(GoForm(machine), calling(zone)).data)
    assert found.zones == kept
    (decision,) = [one for one in decide(found, NeedOptions(), glibc=False) if one.need is Need.TZ]
    assert decision.packed == bool(kept)
    assert zone in decision.why


BETWEEN = {
    "mov eax, 0": b"\xb8\0\0\0\0",
    "cmovg rax, rcx": b"\x48\x0f\x4f\xc1",
    "mov rax, [rsp+8]": b"\x48\x8b\x44\x24\x08",
    "xchg rax, rcx": b"\x48\x91",
    "pop rbx": b"\x5b",
    "add ebx, 1": b"\x83\xc3\x01",
    "call": b"\xe8\xfb\xff\xff\xff",
    "lea rbx, [rip]": b"\x48\x8d\x1d\0\0\0\0",
    "mov rbx, rdi": b"\x48\x89\xfb",
    "nop": b"\x90",
    "mov rsi, rax": b"\x48\x89\xc6",
    "mov [rsp+8], rax": b"\x48\x89\x44\x24\x08",
    "lea rcx, [rsp+88]": b"\x48\x8d\x4c\x24\x58",
    "mov edi, ebx": b"\x89\xdf",
}
HARMLESS = frozenset(("nop", "mov rsi, rax", "mov [rsp+8], rax", "lea rcx, [rsp+88]", "mov edi, ebx"))


def zones_with(machine: str, between: bytes, *, before: bytes = b"") -> tuple[str, ...] | None:
    """The zones of a program with instructions between what sets up the argument and the call, and others before."""
    made = go_program(GoForm(machine))
    code = bytearray(made.data)
    start, end = made.parts[".text"]
    call = code.index(b"\x48\x8d\x05", start, end) if machine == "x86_64" else _adrp(code, start, end)
    size = 12
    set_up = bytes(code[call : call + size])
    (distance,) = struct.unpack_from("<i", code, call + size + (machine == "x86_64"))
    if machine == "x86_64":
        moved = b"\xe8" + struct.pack("<i", distance - len(between))
    else:
        moved = struct.pack("<I", 0x94000000 | (distance - len(between) // 4) & 0x3FFFFFF)
    code[call : call + size + len(between) + len(moved)] = set_up + between + moved
    code[call - len(before) : call] = before
    return read(bytes(code)).zones


def _adrp(code: bytearray, start: int, end: int) -> int:
    """Where the first ``adrp x0`` is."""
    return next(at for at in range(start, end, 4) if struct.unpack_from("<I", code, at)[0] & 0x9F00001F == 0x90000000)


@pytest.mark.parametrize("name", BETWEEN)
def test_what_may_change_an_argument_makes_it_unknown(name: str) -> None:
    """On x86-64: what is known to leave both registers alone is passed over, and nothing else."""
    expected = ("Europe/Berlin",) if name in HARMLESS else None
    assert zones_with("x86_64", BETWEEN[name]) == expected


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        (b"\x74\x0c", None),
        (b"\x74\x07", None),
        (b"\xeb\x0c", None),
        (b"\x0f\x84\x0c\0\0\0", None),
        (b"\xe9\x0c\0\0\0", None),
        (b"\x74\x00", ("Europe/Berlin",)),
        (b"\x74\x11", ("Europe/Berlin",)),
        (b"\x0f\x84\x11\0\0\0", ("Europe/Berlin",)),
        (b"\x90\xb9\x74\x0c\0\0", ("Europe/Berlin",)),
        (b"\x06\x90\x90\x90", None),
    ],
)
def test_a_jump_to_a_call_makes_its_argument_unknown(jump: bytes, expected: tuple[str, ...] | None) -> None:
    """On x86-64: from elsewhere, with another text. What looks like a jump within an instruction is none."""
    assert zones_with("x86_64", b"", before=jump) == expected


ARM_BETWEEN = {
    "csel x0, x2, x3, gt": 0x9A83C040,
    "mov x1, x3": 0xAA0303E1,
    "ldr x0, [sp, 8]": 0xF94007E0,
    "ldp x1, x2, [sp]": 0xA9400BE1,
    "ldadd x2, x0, [x5]": 0xF82200A0,
    "movk x1, 1, lsl 16": 0xF2A00021,
    "blr x3": 0xD63F0060,
    "nop": 0xD503201F,
    "str x0, [sp, 8]": 0xF90007E0,
    "stp x0, x1, [sp]": 0xA90007E0,
    "mov x2, x0": 0xAA0003E2,
    "add x2, sp, 8": 0x910023E2,
}
ARM_HARMLESS = frozenset(("str x0, [sp, 8]", "stp x0, x1, [sp]", "mov x2, x0", "add x2, sp, 8", "nop"))


@pytest.mark.parametrize("name", ARM_BETWEEN)
def test_what_may_change_an_argument_makes_it_unknown_on_arm64(name: str) -> None:
    """As on x86-64."""
    expected = ("Europe/Berlin",) if name in ARM_HARMLESS else None
    assert zones_with("aarch64", struct.pack("<I", ARM_BETWEEN[name])) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0x14000004, None),
        (0x54000082, None),
        (0xB4000085, None),
        (0x36000085, None),
        (0x54000042, None),
        (0x14000001, ("Europe/Berlin",)),
        (0x54000102, ("Europe/Berlin",)),
    ],
)
def test_a_branch_to_a_call_makes_its_argument_unknown_on_arm64(word: int, expected: tuple[str, ...] | None) -> None:
    """As on x86-64: ``b``, ``b.cond``, ``cbz`` and ``tbz``."""
    assert zones_with("aarch64", b"", before=struct.pack("<I", word)) == expected


def test_a_function_kept_in_data_may_be_called_with_any_zone() -> None:
    """Its address stands in the program's data."""
    made = go_program(GoForm(extra={".data": bytes(16)}))
    start, _ = made.parts[".text"]
    entry = start + 0x400000 + 16 + 16 + 32
    data = bytearray(made.data)
    at = made.parts[".noptrdata"][0] + 64
    struct.pack_into("<Q", data, at, entry)
    assert read(bytes(made.data)).zones == ("Europe/Berlin",)
    assert read(bytes(data)).zones is None


def test_a_table_of_functions_that_is_none_is_told() -> None:
    """As of programs of garble: what it needs is a guess then, and the costly needs are packed."""
    made = go_program()
    data = bytearray(made.data)
    data[made.parts[".gopclntab"][0]] = 0x77
    found = read(bytes(data))
    assert found.warnings
    packed = {one.need for one in decide(found, NeedOptions(), glibc=False) if one.packed}
    assert packed >= {Need.CERTS, Need.TZ}


def test_build_information_without_a_version_is_none() -> None:
    """What follows the mark by chance is passed over."""
    made = go_program(GoForm(sections=False))
    data = made.data.replace(b"go1.20.1", b"rubbish!")
    assert MAGIC in data
    assert read(data).language == ""


@pytest.mark.parametrize("machine", READ)
def test_the_last_function_is_found_too(machine: str) -> None:
    """Its record is the furthest."""
    names = sorted(FUNCTIONS, key=lambda name: name == "time.LoadLocation")
    found = read(go_program(GoForm(machine), {name: FUNCTIONS[name] for name in names}).data, why=True)
    assert found.zones == ("Europe/Berlin",)
    assert [one.name for one in found.callers[Need.TZ]] == ["example.com/zones.Load"]
