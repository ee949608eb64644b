"""Reading an ELF file with `struct`, from its program headers alone.

Section headers are never needed: `sstrip` removes them, and no loader looks
at them. Every offset and count is checked before it is used. The formats are
those of elf(5) and the System V gABI, chapters 4 and 5.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from minpack.elf.info import ElfInfo, ElfKind, Segment
from minpack.errors import MalformedElfError, NotElfError
from minpack.target import Target

if TYPE_CHECKING:
    from minpack.content import Content, Reader

MAGIC = b"\x7fELF"
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PN_XNUM = 0xFFFF
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH, DT_FLAGS = 0, 1, 5, 10, 14, 15, 29, 30
DT_FLAGS_1, DT_AUXILIARY, DT_FILTER = 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF
DF_1_PIE = 0x08000000
EM_MIPS, EM_PPC64, EM_ARM, EM_X86_64, EM_RISCV, EM_LOONGARCH = 8, 21, 40, 62, 243, 258

#: More of either is no real file: the largest seen have a few hundred.
MAX_SEGMENTS = 4096
MAX_TAGS = 65536
#: The kernel takes no interpreter path longer than PATH_MAX (fs/binfmt_elf.c).
MAX_STRING = 4096
#: One read of this many bytes has the header, the program headers and the interpreter of nearly every file.
HEAD = 4096


class _Layout(NamedTuple):
    """The struct formats of one class and byte order."""

    header: struct.Struct
    segment: struct.Struct
    tag: struct.Struct
    order: str


def _layout(bits: int, *, big_endian: bool) -> _Layout:
    order = ">" if big_endian else "<"
    word = "Q" if bits == 64 else "I"  # noqa: PLR2004 - the two classes there are
    segment = "IIQQQQQQ" if word == "Q" else "IIIIIIII"
    return _Layout(
        struct.Struct(f"{order}16xHHI{word}{word}{word}I6H"),
        struct.Struct(order + segment),
        struct.Struct(order + word * 2),
        order,
    )


def read_elf(content: Content, name: str | None = None) -> ElfInfo:
    """What the file says about itself.

    :param name: what to call it in errors; by default where its bytes come from.
    :raises NotElfError: it does not start as an ELF file.
    :raises MalformedElfError: an offset, count or size in it cannot be true.
    """
    with content.open() as reader:
        return _File(reader, content.size, name or content.where).info()


class _File:
    """One file while it is read."""

    def __init__(self, reader: Reader, size: int, name: str) -> None:
        self.reader = reader
        self.size = size
        self.name = name
        self.head = reader.read_at(0, HEAD)

    def info(self) -> ElfInfo:
        if not self.head.startswith(MAGIC):
            raise NotElfError(self.name, *_what_else(self.head))
        bits, big_endian = self._class()
        layout = _layout(bits, big_endian=big_endian)
        header = self._unpack(layout.header, 0, "ELF header")
        type_, machine, _, entry, phoff, shoff, e_flags, _, phentsize, phnum = header[:10]
        if phnum == PN_XNUM:
            phnum = self._extended_count(layout, bits, shoff)
        segments = self._segments(layout, bits, phoff, phentsize, phnum)
        target = Target(machine, bits, big_endian, _abi(machine, bits, e_flags, big_endian=big_endian))
        dynamic = _Dynamic(self, layout, segments)
        interpreter = self._interpreter(segments)
        info = ElfInfo(
            ElfKind.STATIC,
            target,
            type_,
            entry,
            self.size,
            segments,
            interpreter,
            soname=dynamic.string(DT_SONAME),
            needed=dynamic.strings(DT_NEEDED),
            rpath=dynamic.string(DT_RPATH),
            runpath=dynamic.string(DT_RUNPATH),
            flags=dynamic.last(DT_FLAGS) or 0,
            flags_1=dynamic.last(DT_FLAGS_1) or 0,
            filters=dynamic.strings(DT_FILTER),
            auxiliaries=dynamic.strings(DT_AUXILIARY),
        )
        return info._replace(kind=self._kind(info))

    def error(self, offset: int, reason: str) -> MalformedElfError:
        return MalformedElfError(self.name, offset, reason)

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes."""
        if offset + size > self.size:
            raise self.error(offset, f"the {what} lies beyond the end of the file")
        data = (
            self.head[offset : offset + size] if offset + size <= len(self.head) else self.reader.read_at(offset, size)
        )
        if len(data) != size:
            raise self.error(offset, f"the {what} could not be read whole")
        return data

    def _unpack(self, form: struct.Struct, offset: int, what: str) -> tuple[int, ...]:
        return form.unpack(self.read(offset, form.size, what))

    def _class(self) -> tuple[int, bool]:
        if len(self.head) < 6:  # noqa: PLR2004 - e_ident up to EI_DATA
            raise self.error(4, "the file ends inside its header")
        bits, order = {1: 32, 2: 64}.get(self.head[4]), self.head[5]
        if bits is None:
            raise self.error(4, f"class {self.head[4]} is neither 32 nor 64 bit")
        if order not in (1, 2):
            raise self.error(5, f"byte order {order} is neither little nor big endian")
        return bits, order == 2  # noqa: PLR2004 - ELFDATA2MSB

    def _extended_count(self, layout: _Layout, bits: int, shoff: int) -> int:
        """With PN_XNUM the count is `sh_info` of section header 0 (elf(5), "e_phnum")."""
        at = shoff + (44 if bits == 64 else 28)  # noqa: PLR2004
        if shoff == 0:
            raise self.error(0, "the number of program headers is in a section header that is not there")
        return int(struct.unpack(layout.order + "I", self.read(at, 4, "first section header"))[0])

    def _segments(self, layout: _Layout, bits: int, phoff: int, phentsize: int, phnum: int) -> tuple[Segment, ...]:
        if phnum == 0:
            return ()
        if phnum > MAX_SEGMENTS:
            raise self.error(phoff, f"{phnum} program headers are more than any program has")
        if phentsize < layout.segment.size:
            raise self.error(phoff, f"program headers of {phentsize} bytes are too small")
        table = self.read(phoff, phentsize * phnum, "program header table")
        rows = (layout.segment.unpack_from(table, phentsize * n) for n in range(phnum))
        if bits == 64:  # noqa: PLR2004
            return tuple(Segment(t, f, o, v, fs, ms, a) for t, f, o, v, _, fs, ms, a in rows)
        return tuple(Segment(t, f, o, v, fs, ms, a) for t, o, v, _, fs, ms, f, a in rows)

    def _interpreter(self, segments: tuple[Segment, ...]) -> str | None:
        segment = next((s for s in segments if s.type == PT_INTERP), None)
        if segment is None:
            return None
        if not 2 <= segment.file_size <= MAX_STRING:  # noqa: PLR2004 - one byte and its NUL
            raise self.error(segment.offset, f"an interpreter path of {segment.file_size} bytes")
        data = self.read(segment.offset, segment.file_size, "interpreter path")
        if data[-1] != 0:
            raise self.error(segment.offset, "the interpreter path does not end with a NUL")
        return data[: data.index(0)].decode("utf-8", "surrogateescape")

    def _kind(self, info: ElfInfo) -> ElfKind:
        """The kind by type, interpreter and dynamic section; the rules are in `docs/elf.md`."""
        if info.type == ET_REL:
            return ElfKind.RELOCATABLE
        if info.type == ET_CORE:
            return ElfKind.CORE
        if info.type not in (ET_EXEC, ET_DYN):
            raise self.error(16, f"type {info.type} is neither program nor library")
        dynamic = any(s.type == PT_DYNAMIC for s in info.segments)
        if not dynamic and info.interpreter is None and self._is_upx(info):
            return ElfKind.UPX
        if not any(s.type == PT_LOAD for s in info.segments):
            raise self.error(0, "no segment is loaded")
        if info.interpreter is not None:
            return ElfKind.DYNAMIC if info.soname is None else self._runnable_library(info)
        if info.type == ET_EXEC:
            return ElfKind.STATIC
        is_program = info.flags_1 & DF_1_PIE or (info.entry and not info.needed and info.soname is None)
        return ElfKind.STATIC_PIE if is_program else ElfKind.LIBRARY

    def _runnable_library(self, info: ElfInfo) -> ElfKind:
        """libc.so.6 has an interpreter and a soname; a position-independent program says DF_1_PIE."""
        return ElfKind.DYNAMIC if info.flags_1 & DF_1_PIE or info.type == ET_EXEC else ElfKind.LIBRARY

    def _is_upx(self, info: ElfInfo) -> bool:
        """UPX writes ``UPX!`` behind the program headers and again into the file's last 36 bytes (upx, p_unix.cpp)."""
        if b"UPX!" in self.head:
            return True
        tail = self.reader.read_at(max(0, info.size - 64), 64)
        return b"UPX!" in tail


class _Dynamic:
    """The dynamic section of one file; empty if it has none."""

    def __init__(self, file: _File, layout: _Layout, segments: tuple[Segment, ...]) -> None:
        self._file = file
        self._tags: list[tuple[int, int]] = []
        self._strings = (0, 0)
        segment = next((s for s in segments if s.type == PT_DYNAMIC and s.file_size), None)
        if segment is not None:
            self._tags = self._read(layout, segment, segments)
            self._strings = self._string_table(segments)

    def _read(self, layout: _Layout, segment: Segment, segments: tuple[Segment, ...]) -> list[tuple[int, int]]:
        size = layout.tag.size
        count = min(segment.file_size // size, MAX_TAGS)
        offset = _offset_of(segment.vaddr, segments)
        start = segment.offset if offset is None else offset
        count = min(count, max(0, self._file.size - start) // size)
        if count == 0:
            raise self._file.error(start, "the dynamic section lies beyond the end of the file")
        data = self._file.read(start, count * size, "dynamic section")
        tags: list[tuple[int, int]] = []
        for tag, value in layout.tag.iter_unpack(data):
            if tag == DT_NULL:
                break
            tags.append((tag & 0xFFFFFFFF, value))
        return tags

    def _string_table(self, segments: tuple[Segment, ...]) -> tuple[int, int]:
        """Offset and size of the string table."""
        address, size = self.last(DT_STRTAB), self.last(DT_STRSZ)
        if address is None:
            return 0, 0
        offset = _offset_of(address, segments)
        if offset is None or offset >= self._file.size:
            raise self._file.error(0, f"the string table at address {address:#x} is in no segment")
        room = self._file.size - offset
        return offset, room if size is None else min(size, room)

    def last(self, wanted: int) -> int | None:
        """The value of the last such tag: loaders let it win (glibc `elf/get-dynamic-info.h`, musl `decode_vec`)."""
        return next((value for tag, value in reversed(self._tags) if tag == wanted), None)

    def string(self, wanted: int) -> str | None:
        """The string the last such tag names, or None."""
        at = self.last(wanted)
        return None if at is None else self._string(at)

    def strings(self, wanted: int) -> tuple[str, ...]:
        """The strings all such tags name, in order."""
        return tuple(self._string(value) for tag, value in self._tags if tag == wanted)

    def _string(self, at: int) -> str:
        offset, size = self._strings
        if at >= size:
            raise self._file.error(offset, f"a name at {at} lies beyond the string table of {size} bytes")
        data = self._file.read(offset + at, min(MAX_STRING, size - at), "string table")
        end = data.find(b"\0")
        if end < 0:
            raise self._file.error(offset + at, f"a name has no end within {len(data)} bytes")
        return data[:end].decode("utf-8", "surrogateescape")


def _offset_of(address: int, segments: tuple[Segment, ...]) -> int | None:
    """The file offset that `address` is loaded from."""
    for s in segments:
        if s.type == PT_LOAD and s.vaddr <= address < s.vaddr + s.file_size:
            return s.offset + address - s.vaddr
    return None


def _abi(machine: int, bits: int, flags: int, *, big_endian: bool) -> str:
    """What `Target.abi` has for a file's machine, class and e_flags (the processor supplements)."""
    if machine == EM_ARM:
        # Go sets neither EF_ARM_ABI_FLOAT_SOFT nor _HARD: its programs run on both.
        return "soft" if flags & 0x200 else "hard"
    if machine == EM_X86_64:
        return "x32" if bits == 32 else ""  # noqa: PLR2004
    if machine == EM_MIPS:
        return "n32" if flags & 0x20 else ""  # EF_MIPS_ABI2
    if machine == EM_PPC64:
        # EF_PPC64_ABI; 0 means unspecified, and little-endian systems are all v2.
        return "v2" if flags & 3 == 2 or not big_endian else "v1"  # noqa: PLR2004
    if machine == EM_RISCV:
        return ("soft", "single", "double", "quad")[flags >> 1 & 3]  # EF_RISCV_FLOAT_ABI
    if machine == EM_LOONGARCH:
        return {1: "soft", 2: "single", 3: "double"}.get(flags & 7, "")  # EF_LOONGARCH_ABI_MODIFIER_MASK
    return ""


def _what_else(head: bytes) -> tuple[str, str | None]:
    """What a file that is no ELF file is, and what to do about it."""
    if not head:
        return "an empty file", "build the program first"
    if head.startswith(b"#!"):
        line = head[2:128].split(b"\n")[0].decode("utf-8", "replace").strip()
        return f"a script (#!{line})", "name the program it starts; minpack packs ELF programs"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what, "minpack packs ELF programs for Linux; build for Linux (GOOS=linux, --target …-linux-musl)"
    if b"\0" not in head:
        return "a text file", "name the compiled program, not its source"
    return "no ELF file (it does not start with \\x7fELF)", "name a program built for Linux"


_OTHERS = (
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a macOS universal program or a Java class"),
    (b"\0asm", "a WebAssembly module"),
    (b"!<arch>\n", "a static library"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a zip file"),
)
