"""What the reader says of made files is what they were made with."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent
from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.read import read_elf
from minpack.errors import NotElfError, NotProgramError
from support.elfedit import HEADER, get, segment_at, segment_field, set_header, set_segment, set_tag, tag_at
from support.elfmaker import (
    DF_1_PIE,
    DT_AUXILIARY,
    DT_DEBUG,
    DT_FILTER,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RUNPATH,
    DT_SONAME,
    DT_STRSZ,
    DT_STRTAB,
    ET_CORE,
    ET_EXEC,
    ET_REL,
    MACHINES,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_NOTE,
    UPX_INFO,
    library,
    make_elf,
    program,
    static_program,
    upx_program,
)

if TYPE_CHECKING:
    from pathlib import Path

RUNNABLE = sorted(name for name, machine in MACHINES.items() if machine.exit_words)


def read(data: bytes) -> ElfInfo:
    """What the reader says of `data`."""
    return read_elf(BytesContent(data, "made"))


@pytest.mark.parametrize("machine", MACHINES)
def test_all_facts_are_read_on_every_machine(machine: str) -> None:
    """Class, byte order, every string and every flag come out as they were put in."""
    row = MACHINES[machine]
    data = make_elf(
        machine,
        soname="libself.so.3",
        needed=("libb.so.1", "liba.so", "libb.so.1"),
        rpath="$ORIGIN/../lib:/opt",
        runpath="/usr/lib",
        interpreter="/lib/ld.so.1",
        filters=("libf.so",),
        auxiliaries=("libx.so", "liby.so"),
        audit="liba.so:libc.so",
        dep_audit="libd.so",
        flags=0x1A,
        flags_1=0x8000001,
        code=bytes(8),
    )
    info = read(data)
    assert (info.target.machine, info.target.bits, info.target.big_endian) == row[:3]
    assert info[2:3] + info[4:5] == (3, len(data))
    assert info[6:] == (
        "/lib/ld.so.1",
        "libself.so.3",
        ("libb.so.1", "liba.so", "libb.so.1"),
        "$ORIGIN/../lib:/opt",
        "/usr/lib",
        0x1A,
        0x8000001,
        ("libf.so",),
        ("libx.so", "liby.so"),
        (
            (DT_NEEDED, "libb.so.1"),
            (DT_NEEDED, "liba.so"),
            (DT_NEEDED, "libb.so.1"),
            (DT_FILTER, "libf.so"),
            (DT_AUXILIARY, "libx.so"),
            (DT_AUXILIARY, "liby.so"),
        ),
        "liba.so:libc.so",
        "libd.so",
    )
    assert info.end == len(data)
    assert [s.align for s in info.segments if s.type == PT_LOAD] == [0x10000]


@pytest.mark.parametrize("machine", RUNNABLE)
def test_kinds_are_told_apart_on_every_machine(machine: str) -> None:
    """Programs and libraries, static and dynamic, of fixed and of any address, are what they are."""
    assert read(program(machine=machine)).kind is ElfKind.DYNAMIC
    assert read(program(machine=machine, pie=False)).kind is ElfKind.DYNAMIC
    assert read(static_program(machine=machine)).kind is ElfKind.STATIC
    assert read(static_program(machine=machine, pie=True)).kind is ElfKind.STATIC_PIE
    assert read(library("liba.so", machine=machine)).kind is ElfKind.LIBRARY
    assert read(upx_program(machine)).kind is ElfKind.UPX


CODE = bytes(8)
ENTRY = get(static_program(), *HEADER["entry"])
KINDS = {
    "PIE of an old linker, without DF_1_PIE": (
        make_elf(interpreter="/i", needed=("liba.so",), tags=((DT_DEBUG, 0),), code=CODE),
        ElfKind.DYNAMIC,
    ),
    "PIE with a soname": (make_elf(interpreter="/i", soname="app", flags_1=DF_1_PIE, code=CODE), ElfKind.DYNAMIC),
    "PIE with a soname of an old linker": (
        make_elf(interpreter="/i", soname="app", tags=((DT_DEBUG, 0),), code=CODE),
        ElfKind.DYNAMIC,
    ),
    "PIE with an interpreter and no other mark": (make_elf(interpreter="/i", code=CODE), ElfKind.DYNAMIC),
    "library that runs, as libc.so.6": (make_elf(interpreter="/i", soname="libc.so.6", code=CODE), ElfKind.LIBRARY),
    "loader, as ld-linux": (make_elf(soname="ld-linux-x86-64.so.2", code=CODE), ElfKind.LIBRARY),
    "loader without a soname, as upstream musl's": (make_elf(code=CODE), ElfKind.LIBRARY),
    "plugin without soname, needed or entry": (make_elf(), ElfKind.LIBRARY),
    "plugin of an old linker, which gives it an entry": (make_elf(needed=("libc.so.6",), code=CODE), ElfKind.LIBRARY),
    "static-pie without DF_1_PIE": (make_elf(tags=((DT_DEBUG, 0),), code=CODE), ElfKind.STATIC_PIE),
    "static-pie without a dynamic section": (make_elf(dynamic=False, code=CODE), ElfKind.STATIC_PIE),
    "fixed program with a dynamic section and no interpreter": (
        make_elf(type_=ET_EXEC, needed=("liba.so",), code=CODE),
        ElfKind.STATIC,
    ),
    "fixed program with a soname": (make_elf(type_=ET_EXEC, soname="app", interpreter="/i"), ElfKind.DYNAMIC),
    "object file": (set_header(static_program(), type=ET_REL), ElfKind.RELOCATABLE),
    "core dump": (set_header(static_program(), type=ET_CORE), ElfKind.CORE),
    "object file without any table": (set_header(static_program(), type=ET_REL, phoff=0, phnum=0), ElfKind.RELOCATABLE),
    "object file of a header alone": (set_header(static_program(), type=ET_REL)[:64], ElfKind.RELOCATABLE),
    "program of one segment": (set_header(static_program(), phnum=1), ElfKind.STATIC),
    "static-pie of one tag": (
        set_segment(make_elf(tags=((DT_DEBUG, 0),), code=CODE), PT_DYNAMIC, file_size=16),
        ElfKind.STATIC_PIE,
    ),
    "core dump of more segments than the header can count": (
        set_header(static_program(), type=ET_CORE, phnum=0xFFFF, shoff=1 << 40),
        ElfKind.CORE,
    ),
    "debug file of a program with an interpreter": (
        set_segment(program(), PT_INTERP, file_size=0),
        ElfKind.DEBUG,
    ),
    "debug file of a library": (set_segment(library("liba.so"), PT_DYNAMIC, file_size=0), ElfKind.DEBUG),
    "debug file of a static program": (set_segment(static_program(), PT_LOAD, file_size=64), ElfKind.DEBUG),
    "debug file whose first instruction is the first byte that is not there": (
        set_segment(static_program(), PT_LOAD, vaddr=ENTRY, file_size=0, memory_size=1),
        ElfKind.DEBUG,
    ),
    "program whose entry is in no segment": (
        set_segment(static_program(), PT_LOAD, vaddr=ENTRY - 8, file_size=0, memory_size=8),
        ElfKind.STATIC,
    ),
    "packed library, which is loaded as any other": (make_elf(soname="liba.so", code=UPX_INFO), ElfKind.LIBRARY),
    "static program that speaks of UPX": (static_program(overlay=UPX_INFO), ElfKind.STATIC),
}


@pytest.mark.parametrize("name", KINDS)
def test_special_kinds_are_recognised(name: str) -> None:
    """Files that look like another kind at first sight are of their true kind."""
    data, kind = KINDS[name]
    assert read(data).kind is kind


def test_only_startable_and_readable_kinds_are_programs() -> None:
    """Three kinds can be packed; the names of all are as people say them."""
    assert {str(kind): kind.is_program for kind in ElfKind} == {
        "dynamic": True,
        "static": True,
        "static-pie": True,
        "shared library": False,
        "object file": False,
        "core dump": False,
        "detached debug file": False,
        "UPX-packed program": False,
    }


def test_last_of_several_tags_counts() -> None:
    """Of a tag that names one thing the last wins, as in both loaders; of DT_NEEDED all count."""
    doubled = make_elf(
        soname="libfirst.so",
        needed=("liba.so", "libb.so"),
        runpath="/first",
        flags=1,
        flags_1=1,
        tags=((DT_SONAME, 1), (DT_RUNPATH, 9), (DT_FLAGS, 2), (DT_FLAGS_1, 8)),
    )
    info = read(doubled)
    assert info[7:13] == ("liba.so", ("liba.so", "libb.so"), None, "libb.so", 2, 8)


def test_tags_behind_the_end_do_not_count() -> None:
    """Reading stops at the first DT_NULL."""
    data = library("liba.so", ("libb.so", "libc.so"))
    assert read(set_tag(data, DT_NEEDED, 1, new_tag=0)).needed == ()


def test_tags_are_compared_whole() -> None:
    """A 64-bit tag whose low half is DT_NEEDED is none, as for the loaders."""
    data = library("liba.so", ("libb.so",))
    assert read(set_tag(data, DT_NEEDED, 1, new_tag=DT_NEEDED | 1 << 32)).needed == ()


def test_size_of_the_string_table_does_not_matter() -> None:
    """No loader looks at DT_STRSZ: names are read whatever it says."""
    data = library("liba.so", ("libb.so",))
    for size in (0, 1, 1 << 63):
        assert read(set_tag(data, DT_STRSZ, size)).needed == ("libb.so",)


def test_names_may_be_empty_or_no_utf8() -> None:
    """Names come out byte for byte, as surrogate escapes where they are not UTF-8."""
    data = library("", ("", "libé\udcff.so"))
    info = read(data)
    assert (info.soname, info.needed) == ("", ("", "libé\udcff.so"))
    assert info.needed[1].encode("utf-8", "surrogateescape") == b"lib\xc3\xa9\xff.so"


@pytest.mark.parametrize("length", [1, 4095])
def test_interpreters_may_be_as_long_as_the_kernel_takes(length: int) -> None:
    """A path of one byte is read, and one that fills PATH_MAX with its NUL."""
    assert read(program(interpreter="x" * length)).interpreter == "x" * length


def test_names_may_be_long() -> None:
    """A runpath longer than any path is read whole."""
    runpath = ":".join(f"/nix/store/{n:0200d}/lib" for n in range(2000))
    assert read(library("liba.so", runpath=runpath)).runpath == runpath


def test_dynamic_section_is_found_by_its_address() -> None:
    """The address decides, as for the loaders; the offset is used where no segment has the address."""
    data = library("liba.so")
    assert read(set_segment(data, PT_DYNAMIC, offset=8)).soname == "liba.so"
    assert read(set_segment(data, PT_DYNAMIC, vaddr=1 << 40)).soname == "liba.so"


def test_dynamic_section_ends_with_its_segment() -> None:
    """Of a dynamic section that claims to be longer than what is loaded, the loaded part is read."""
    data = library("liba.so")
    assert read(set_segment(data, PT_DYNAMIC, file_size=1 << 62)).soname == "liba.so"


def test_last_dynamic_section_and_first_interpreter_count() -> None:
    """Of two the loaders take the last dynamic section, and the kernel the first interpreter."""
    data = program(("liba.so",), interpreter="/first")
    spare = segment_at(data, PT_GNU_STACK)
    dynamic = bytearray(data)
    dynamic[spare : spare + 56] = data[segment_at(data, PT_DYNAMIC) :][:56]
    first = set_segment(bytes(dynamic), PT_DYNAMIC, vaddr=segment_field(data, PT_DYNAMIC, "vaddr") + 16)
    assert read(first).needed == ("liba.so",)
    # A second PT_INTERP that would read "irst".
    twice = bytearray(data)
    twice[spare : spare + 56] = data[segment_at(data, PT_INTERP) :][:56]
    struct.pack_into("<Q", twice, spare + 8, segment_field(data, PT_INTERP, "offset") + 2)
    struct.pack_into("<Q", twice, spare + 32, 5)
    assert read(bytes(twice)).interpreter == "/first"


def test_last_of_overlapping_segments_counts() -> None:
    """Where two segments have one address, the bytes of the later one are in memory."""
    data = library("liba.so", ("libb.so",)) + b"\0libZ.so\0libY.so\0"
    strings = segment_at(data, PT_GNU_STACK)
    at = get(data, tag_at(data, DT_STRTAB) + 8, "Q")
    over = bytearray(data)
    struct.pack_into("<IIQQQQQQ", over, strings, PT_LOAD, 4, len(data) - 17, at, at, 17, 17, 1)
    assert read(bytes(over)).needed == ("libZ.so",)
    # An empty segment has no bytes to put over those of another.
    struct.pack_into("<IIQQQQQQ", over, strings, PT_LOAD, 4, len(data) - 17, at, at, 0, 17, 1)
    assert read(bytes(over)).needed == ("libb.so",)


@pytest.mark.parametrize("machine", ["x86_64", "x86", "s390x", "mips"])
def test_program_headers_may_be_longer_than_their_fields(machine: str) -> None:
    """With a larger `e_phentsize` every program header is still found."""
    plain = static_program(machine=machine)
    info = read(plain)
    wide = MACHINES[machine].bits == 64
    start, size, at = (64, 56, 32) if wide else (52, 32, 28)
    order, form = MACHINES[machine].order, "Q" if wide else "I"
    table = b"".join(plain[start + size * n : start + size * (n + 1)] + bytes(24) for n in range(2))
    moved = bytearray(plain + table)
    struct.pack_into(order + form, moved, at, len(plain))
    struct.pack_into(order + "H", moved, 54 if wide else 42, size + 24)
    assert read(bytes(moved)).segments == info.segments


@pytest.mark.parametrize("machine", ["x86_64", "x86", "s390x", "mips"])
def test_number_of_program_headers_may_lie_in_a_section_header(machine: str) -> None:
    """With PN_XNUM in the header the count is `sh_info` of the first section header."""
    plain = static_program(machine=machine)
    wide = MACHINES[machine].bits == 64
    order, form = MACHINES[machine].order, "Q" if wide else "I"
    moved = bytearray(plain)
    struct.pack_into(order + "H", moved, 56 if wide else 44, 0xFFFF)
    struct.pack_into(order + form, moved, 40 if wide else 32, len(plain))
    section = bytes(44 if wide else 28) + struct.pack(order + "I", 2) + bytes(16)
    assert read(bytes(moved) + section).segments == read(plain).segments


def test_bytes_behind_the_last_segment_are_seen() -> None:
    """What was appended to a program lies behind `end`."""
    data = static_program(overlay=b"appended")
    info = read(data)
    assert data[info.end :] == b"appended"
    assert info.size == len(data)


def test_files_and_bytes_read_alike(tmp_path: Path) -> None:
    """From a file come the same facts as from memory, also where the tables lie behind the first read."""
    data = make_elf(soname="liba.so", needed=tuple(f"lib{n}.so" for n in range(400)), code=bytes(8192))
    path = tmp_path / "liba.so"
    path.write_bytes(data)
    assert read_elf(FileContent(str(path), len(data))) == read(data)
    assert len(read(data).needed) == 400


def note(name: bytes, *, order: str = "<", size: int = 20, align: int = 4) -> bytes:
    """A note of that name behind one of another, whose data have `size` bytes."""
    first = struct.pack(order + "III", 4, size, 3) + b"GNU\0" + bytes(-(-size // align) * align)
    return first + struct.pack(order + "III", len(name), 4, 1) + name.ljust(-(-len(name) // 4) * 4, b"\0") + bytes(4)


def bare(machine: str = "x86_64", *, note: bytes = b"", osabi: int = 0) -> bytes:
    """A fixed program without a dynamic section."""
    return make_elf(machine, type_=ET_EXEC, dynamic=False, code=CODE, note=note, osabi=osabi)


FOREIGN = {
    "by a note": (bare(note=note(b"NetBSD\0")), "NetBSD"),
    "by a note, big-endian": (bare(machine="ppc64", note=note(b"OpenBSD\0", order=">")), "OpenBSD"),
    "by a note behind a padded one": (
        set_segment(bare(note=note(b"FreeBSD\0", align=8)), PT_NOTE, align=8),
        "FreeBSD",
    ),
    "by a note at the end of all that are read": (bare(note=note(b"NetBSD\0", size=4056)), "NetBSD"),
    "by a dynamic program's note": (make_elf(interpreter="/i", code=CODE, note=note(b"DragonFly\0")), "DragonFly BSD"),
}
SYSTEM_BYTES = {1: "HP-UX", 2: "NetBSD", 6: "Solaris", 7: "AIX", 8: "IRIX", 9: "FreeBSD", 12: "OpenBSD", 17: "CloudABI"}
FOREIGN |= {f"by the byte {number}": (bare(osabi=number), name) for number, name in SYSTEM_BYTES.items()}
FOREIGN |= {
    f"by the interpreter {path}": (make_elf(interpreter=path, code=CODE), name)
    for path, name in (
        ("/libexec/ld-elf.so.1", "FreeBSD"),
        ("/usr/libexec/ld.elf_so", "NetBSD"),
        ("/usr/libexec/ld.so", "OpenBSD"),
        ("/usr/libexec/ld-elf.so.2", "DragonFly BSD"),
        ("/lib/amd64/ld.so.1", "Solaris or illumos"),
        ("/system/bin/linker64", "Android"),
    )
}


@pytest.mark.parametrize("how", FOREIGN)
def test_programs_of_other_systems_are_refused(how: str) -> None:
    """A program for another system than Linux is one that cannot be packed, and the error names the system."""
    data, system = FOREIGN[how]
    with pytest.raises(NotProgramError, match=f"^cannot pack 'made': it is a program for {system}$"):
        read(data)


def test_marks_of_linux_are_no_other_system() -> None:
    """GNU's system byte, its notes and damaged notes are no reason to refuse a program."""
    for number in set(range(20)) - set(SYSTEM_BYTES):
        assert read(bare(osabi=number)).kind is ElfKind.STATIC
    damaged = struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, 1)
    long = note(b"NetBSD\0", size=4060)
    for data in (note(b"GNU\0"), damaged, b"\1", note(b"NetBSD\0")[:40], long):
        assert read(bare(note=data)).kind is ElfKind.STATIC
    assert read(set_segment(bare(note=note(b"NetBSD\0")), PT_NOTE, file_size=0)).kind is ElfKind.STATIC
    # What no program is may be for any system: it is refused for what it is.
    assert read(make_elf(soname="liba.so", osabi=9)).kind is ElfKind.LIBRARY


OTHERS = {
    "an empty file": b"",
    "a script (#!/bin/sh -e)": b"#!/bin/sh -e\nexit\n",
    "a script (#!/bin/\N{REPLACEMENT CHARACTER}[31msh)": b"#! /bin/\x1b[31msh\n",
    "a Windows program": b"MZ\x90\0",
    "a macOS program": b"\xcf\xfa\xed\xfe\x07\0\0\1",
    "a macOS universal program or a Java class": b"\xca\xfe\xba\xbe\0\0\0\2",
    "a WebAssembly module": b"\0asm\1\0\0\0",
    "a static library": b"!<arch>\n",
    "LLVM bitcode": b"BC\xc0\xde",
    "a gzip file": b"\x1f\x8b\x08\0",
    "an xz file": b"\xfd7zXZ\0",
    "a zstd file": b"\x28\xb5\x2f\xfd",
    "a bzip2 file": b"BZh9",
    "a zip file": b"PK\x03\x04",
    "a tar file": b"name".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0"),
    "a text file": "package main // héllo\n".encode(),
    "no ELF file (it does not start with \\x7fELF)": b"\x7fEL",
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_files_are_named(what: str) -> None:
    """What is not an ELF file is called what it is, with what to do."""
    with pytest.raises(NotElfError) as caught:
        read(OTHERS[what])
    assert caught.value.message == f"cannot read 'made' as an ELF program: it is {what}"
    assert caught.value.hint
