"""Small, true ELF files made in memory: programs and libraries of any architecture, of a few hundred bytes.

The 64-bit x86 ones are taken by the loaders of glibc and musl, and the programs
run: they end at once with the exit code they were made with. They have no
section headers, so a reader that looks for those fails at once.

The bytes of a file are a header, program headers and *chunks*. Every chunk is
loaded by the one PT_LOAD segment, so that an address is a file offset plus
`Machine.base` (or plus nothing in a position-independent file).
"""

from __future__ import annotations

import json
import struct
from typing import NamedTuple

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR, PT_GNU_STACK = 1, 2, 3, 4, 6, 0x6474E551
DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT = 0, 1, 4, 5, 6, 10, 11
DT_SONAME, DT_RPATH, DT_DEBUG, DT_RUNPATH, DT_FLAGS = 14, 15, 21, 29, 30
DT_DEPAUDIT, DT_AUDIT = 0x6FFFFEFB, 0x6FFFFEFC
DT_FLAGS_1, DT_AUXILIARY, DT_FILTER = 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF
DF_1_PIE = 0x08000000

GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"

#: As far apart as the pages of any Linux are long.
PAGE = 0x10000
#: What UPX writes in front of the packed bytes: a checksum, its mark, and a size, version and format.
UPX_INFO = bytes(4) + b"UPX!" + bytes((0xA4, 0x08, 0x0E, 0x16))


class Machine(NamedTuple):
    """One architecture: its numbers in the ELF header, and how a program of it ends.

    `exit_words` are the instructions of ``exit(N)``; the one at `exit_code_at`
    takes N in its low bits, shifted left by `exit_code_shift`.
    """

    number: int
    bits: int
    big_endian: bool
    flags: int
    exit_words: tuple[int, ...] = ()
    exit_code_at: int = 0
    exit_code_shift: int = 0
    word: str = "I"
    base: int = 0x400000

    @property
    def order(self) -> str:
        """The byte order as `struct` writes it."""
        return ">" if self.big_endian else "<"

    def exit_program(self, code: int) -> bytes:
        """Machine code that ends the process with `code` (0 to 127) through a system call of its own."""
        words = list(self.exit_words)
        words[self.exit_code_at] |= code << self.exit_code_shift
        return struct.pack(f"{self.order}{len(words)}{self.word}", *words)


# mov eax, 60; mov edi, N; syscall
_X86_64 = (0xB8, 60, 0, 0, 0, 0xBF, 0, 0, 0, 0, 0x0F, 0x05)
# mov eax, 1; mov ebx, N; int 0x80
_X86 = (0xB8, 1, 0, 0, 0, 0xBB, 0, 0, 0, 0, 0xCD, 0x80)
# movz x0, N; movz x8, 93; svc 0
_AARCH64 = (0xD2800000, 0xD2800BA8, 0xD4000001)
# addi a0, x0, N; addi a7, x0, 93; ecall
_RISCV = (0x00000513, 0x05D00893, 0x00000073)
# mov r0, N; mov r7, 1; svc 0
_ARM = (0xE3A00000, 0xE3A07001, 0xEF000000)
# lghi %r2, N; svc 1 (in halfwords)
_S390X = (0xA729, 0x0000, 0x0A01)
# li r3, N; li r0, 1; sc
_PPC64 = (0x38600000, 0x38000001, 0x44000002)
# addiu $4, $0, N; addiu $2, $0, 4001; syscall (5058 in the 64-bit table)
_MIPS = (0x24040000, 0x24020FA1, 0x0000000C)
_MIPS64 = (0x24040000, 0x240213C2, 0x0000000C)
# ori a0, zero, N; ori a7, zero, 93; syscall 0
_LOONGARCH = (0x03800004, 0x0381740B, 0x002B0000)

MACHINES = {
    "x86_64": Machine(62, 64, False, 0, _X86_64, 6, word="B"),
    "x32": Machine(62, 32, False, 0),
    "x86": Machine(3, 32, False, 0, _X86, 6, word="B"),
    "aarch64": Machine(183, 64, False, 0, _AARCH64, 0, 5),
    "armhf": Machine(40, 32, False, 0x5000400, _ARM),
    "armel": Machine(40, 32, False, 0x5000200, _ARM),
    "riscv64": Machine(243, 64, False, 0x5, _RISCV, 0, 20),
    "riscv32": Machine(243, 32, False, 0x4, _RISCV, 0, 20),
    "s390x": Machine(22, 64, True, 0, _S390X, 1, word="H"),
    "ppc64le": Machine(21, 64, False, 2, _PPC64),
    "ppc64": Machine(21, 64, True, 2, _PPC64),
    "loongarch64": Machine(258, 64, False, 0x43, _LOONGARCH, 0, 10),
    "mips": Machine(8, 32, True, 0x50001004, _MIPS),
    "mipsel": Machine(8, 32, False, 0x50001004, _MIPS),
    "mips64": Machine(8, 64, True, 0x60000004, _MIPS64),
    "mips64el": Machine(8, 64, False, 0x60000004, _MIPS64),
    "mipsn32el": Machine(8, 32, False, 0x60000024),
    "armebhf": Machine(40, 32, True, 0x5000400),
}


class _Layout(NamedTuple):
    """The struct formats of one machine's class and byte order."""

    machine: Machine

    @property
    def long(self) -> str:
        return "Q" if self.machine.bits == 64 else "I"

    @property
    def header_size(self) -> int:
        return 64 if self.machine.bits == 64 else 52

    @property
    def segment_size(self) -> int:
        return 56 if self.machine.bits == 64 else 32

    def pack(self, form: str, *values: int) -> bytes:
        """`form` with ``P`` for a word of the class's size."""
        return struct.pack(self.machine.order + form.replace("P", self.long), *values)

    def header(self, type_: int, entry: int, flags: int, segments: int, osabi: int) -> bytes:
        machine = self.machine
        ident = b"\x7fELF" + bytes((machine.bits // 32, 1 + machine.big_endian, 1, osabi)) + bytes(8)
        sizes = (self.header_size, self.segment_size, segments, 0, 0, 0)
        return ident + self.pack("HHIPPPI6H", type_, machine.number, 1, entry, self.header_size, 0, flags, *sizes)

    def segment(self, type_: int, flags: int, offset: int, address: int, size: int, align: int) -> bytes:
        if self.machine.bits == 64:
            return self.pack("IIQQQQQQ", type_, flags, offset, address, address, size, size, align)
        return self.pack("IIIIIIII", type_, offset, address, address, size, size, flags, align)


class _Strings:
    """A string table while it grows."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def add(self, text: str) -> int:
        """Where `text` lies in the table."""
        at = len(self.data)
        self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return at


def make_elf(
    machine: str = "x86_64",
    *,
    type_: int = ET_DYN,
    soname: str | None = None,
    needed: tuple[str, ...] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    interpreter: str | None = None,
    filters: tuple[str, ...] = (),
    auxiliaries: tuple[str, ...] = (),
    audit: str | None = None,
    dep_audit: str | None = None,
    flags: int = 0,
    flags_1: int = 0,
    first: tuple[tuple[int, str], ...] = (),
    tags: tuple[tuple[int, int], ...] = (),
    dynamic: bool = True,
    code: bytes | None = None,
    note: bytes = b"",
    osabi: int = 0,
    e_flags: int | None = None,
    overlay: bytes = b"",
) -> bytes:
    """An ELF file of these facts, in the order they are written here.

    :param dynamic: whether it has a dynamic section; without one it can name no strings.
    :param code: machine code that the entry point leads to; the entry point is 0 without it.
    :param first: entries that name strings, in front of the others.
    :param tags: more entries of the dynamic section, as they are.
    :param note: the bytes of a PT_NOTE segment; none without.
    :param e_flags: the header's flags; by default the machine's usual ones.
    :param overlay: bytes behind the last segment.
    """
    layout = _Layout(MACHINES[machine])
    base = layout.machine.base if type_ == ET_EXEC else 0
    strings = _Strings()
    entries = [(tag, strings.add(name)) for tag, name in first]
    entries += [(DT_NEEDED, strings.add(name)) for name in needed]
    named = ((DT_SONAME, soname), (DT_RPATH, rpath), (DT_RUNPATH, runpath))
    entries += [(tag, strings.add(text)) for tag, text in named if text is not None]
    entries += [(DT_FILTER, strings.add(name)) for name in filters]
    entries += [(DT_AUXILIARY, strings.add(name)) for name in auxiliaries]
    audits = ((DT_AUDIT, audit), (DT_DEPAUDIT, dep_audit))
    entries += [(tag, strings.add(name)) for tag, name in audits if name is not None]
    entries += [(tag, value) for tag, value in ((DT_FLAGS, flags), (DT_FLAGS_1, flags_1)) if value]
    entries += tags
    chunks = {
        "interpreter": interpreter.encode("utf-8", "surrogateescape") + b"\0" if interpreter is not None else b"",
        "code": code or b"",
        "note": note,
    }
    if dynamic:
        chunks |= _symbols(layout) | {"strings": bytes(strings.data)}
        # Its size does not depend on the addresses in it, so it can be placed before they are known.
        chunks["dynamic"] = bytes(len(_dynamic(layout, entries, {}, base, 0)))
    wanted = [*((PT_PHDR, PT_INTERP) if interpreter is not None else ()), PT_LOAD, PT_GNU_STACK]
    wanted += [type_ for type_, kind in ((PT_DYNAMIC, "dynamic"), (PT_NOTE, "note")) if chunks.get(kind)]
    size = layout.segment_size * len(wanted)
    places, end = _place(layout.header_size + size, chunks)
    if dynamic:
        chunks["dynamic"] = _dynamic(layout, entries, places, base, len(strings.data))
    extents = {kind: (places[kind], len(chunks[kind])) for kind in places}
    extents |= {"headers": (layout.header_size, size), "all": (0, end)}
    table = b"".join(_segment(layout, segment, extents, base) for segment in wanted)
    entry = places["code"] + base if code is not None else 0
    header = layout.header(type_, entry, layout.machine.flags if e_flags is None else e_flags, len(wanted), osabi)
    out = bytearray(end)
    out[: len(header)] = header
    for at, piece in ((layout.header_size, table), *((places[kind], chunks[kind]) for kind in chunks)):
        out[at : at + len(piece)] = piece
    return bytes(out) + overlay


def program(
    needed: tuple[str, ...] = (),
    *,
    machine: str = "x86_64",
    interpreter: str = GLIBC,
    exit_code: int = 0,
    pie: bool = True,
    soname: str | None = None,
    rpath: str | None = None,
    runpath: str | None = None,
    flags_1: int = 0,
    e_flags: int | None = None,
) -> bytes:
    """A dynamically linked program; once its loader has found all libraries, it ends with `exit_code`."""
    return make_elf(
        machine,
        type_=ET_DYN if pie else ET_EXEC,
        needed=needed,
        soname=soname,
        rpath=rpath,
        runpath=runpath,
        interpreter=interpreter,
        flags_1=flags_1 | (DF_1_PIE if pie else 0),
        # The loader writes the address of its own records here for debuggers: linkers give it to programs alone.
        tags=((DT_DEBUG, 0),),
        code=MACHINES[machine].exit_program(exit_code) if MACHINES[machine].exit_words else bytes(4),
        e_flags=e_flags,
    )


def library(
    soname: str | None = None,
    needed: tuple[str, ...] = (),
    *,
    machine: str = "x86_64",
    rpath: str | None = None,
    runpath: str | None = None,
    flags_1: int = 0,
    e_flags: int | None = None,
) -> bytes:
    """A shared library that defines nothing."""
    return make_elf(
        machine, soname=soname, needed=needed, rpath=rpath, runpath=runpath, flags_1=flags_1, e_flags=e_flags
    )


def static_program(exit_code: int = 0, machine: str = "x86_64", *, pie: bool = False, overlay: bytes = b"") -> bytes:
    """A static program that ends with `exit_code`; a static-pie with `pie`."""
    return make_elf(
        machine,
        type_=ET_DYN if pie else ET_EXEC,
        dynamic=pie,
        flags_1=DF_1_PIE if pie else 0,
        tags=((DT_DEBUG, 0),) if pie else (),
        code=MACHINES[machine].exit_program(exit_code),
        overlay=overlay,
    )


def dlopen_note(*rows: dict[str, object]) -> bytes:
    """A note that says what an object opens by name (uapi-group.org, "dlopen() metadata for ELF files")."""
    data = json.dumps(rows).encode() + b"\0"
    return struct.pack("<III", 4, len(data), 0x407C0C0A) + b"FDO\0" + data + bytes(-len(data) % 4)


def upx_program(machine: str = "x86_64") -> bytes:
    """A program that bears UPX's mark where UPX 4.2 puts it: right behind the program headers, and near the end."""
    layout = _Layout(MACHINES[machine])
    base = layout.machine.base
    start = layout.header_size + 2 * layout.segment_size + len(UPX_INFO)
    code = layout.machine.exit_program(0)
    head = layout.header(ET_EXEC, base + start, layout.machine.flags, 2, 0)
    load = layout.segment(PT_LOAD, 5, 0, base, start + len(code), PAGE)
    return head + load + layout.segment(PT_GNU_STACK, 6, 0, 0, 0, 16) + UPX_INFO + code + b"UPX!" + bytes(32)


def _segment(layout: _Layout, type_: int, extents: dict[str, tuple[int, int]], base: int) -> bytes:
    """The program header of one type, over the chunk it is for."""
    kind, rights, align = {
        PT_PHDR: ("headers", 4, 8),
        PT_INTERP: ("interpreter", 4, 1),
        PT_LOAD: ("all", 7, PAGE),
        PT_DYNAMIC: ("dynamic", 6, 8),
        PT_NOTE: ("note", 4, 4),
        PT_GNU_STACK: ("", 6, 16),
    }[type_]
    offset, size = extents.get(kind, (0, 0))
    return layout.segment(type_, rights, offset, offset + base if kind else 0, size, align)


def _symbols(layout: _Layout) -> dict[str, bytes]:
    """A symbol table of the one symbol that is always there, and its hash table."""
    # s390x is the one machine here whose hash table has 64-bit words (its ABI supplement, "Hash Table").
    word = "Q" if layout.machine.number == 22 and layout.machine.bits == 64 else "I"
    size = 24 if layout.machine.bits == 64 else 16
    return {"symbols": bytes(size), "hash": layout.pack(word * 4, 1, 1, 0, 0)}


def _dynamic(
    layout: _Layout, entries: list[tuple[int, int]], places: dict[str, int], base: int, strings_size: int
) -> bytes:
    rows = [
        *entries,
        (DT_HASH, places.get("hash", 0) + base),
        (DT_STRTAB, places.get("strings", 0) + base),
        (DT_SYMTAB, places.get("symbols", 0) + base),
        (DT_STRSZ, strings_size),
        (DT_SYMENT, 24 if layout.machine.bits == 64 else 16),
        (DT_NULL, 0),
    ]
    return b"".join(layout.pack("PP", tag, value) for tag, value in rows)


def _place(start: int, chunks: dict[str, bytes]) -> tuple[dict[str, int], int]:
    """The offset of each chunk, eight-byte aligned, and the end of the last."""
    places: dict[str, int] = {}
    at = start
    for kind, data in chunks.items():
        at = -(-at // 8) * 8
        places[kind] = at
        at += len(data)
    return places, at
