"""Reading an ELF file with `struct`, from its program headers alone.

Section headers are never needed: `sstrip` removes them, and no loader looks
at them. Every offset and count is checked before it is used, and errors name
the offset of the bytes that say what cannot be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.abi import abi_of
from minpack.elf.dynamic import Dynamic
from minpack.elf.format import (
    DT_AUDIT,
    DT_AUXILIARY,
    DT_DEPAUDIT,
    DT_FILTER,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    E_TYPE,
    ET_CORE,
    ET_DYN,
    ET_EXEC,
    ET_REL,
    MAGIC,
    PT_DYNAMIC,
    PT_INTERP,
)
from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.kind import is_debug_file, is_upx, kind_of
from minpack.elf.segments import check_loaded, read_header, read_segments
from minpack.elf.system import foreign_system
from minpack.elf.window import Window
from minpack.errors import NotElfError, NotProgramError
from minpack.target import Target

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.elf.info import Segment
    from minpack.elf.segments import Header

#: The kernel takes no interpreter path longer than PATH_MAX (fs/binfmt_elf.c).
MAX_INTERPRETER = 4096
FILTERS = frozenset((DT_FILTER, DT_AUXILIARY))


def read_elf(content: Content, name: str | None = None) -> ElfInfo:
    """What the file says about itself.

    Of object files, core dumps, detached debug files and packed programs only the header and,
    but for the first two, the segments are read.

    :param name: what to call it in errors; by default where its bytes come from.
    :raises NotElfError: it does not start as an ELF file.
    :raises MalformedElfError: an offset, count or size in it cannot be true.
    :raises NotProgramError: it is for another system than Linux.
    """
    with content.open() as reader:
        return _read(Window(reader, content.size, name or content.where))


def _read(window: Window) -> ElfInfo:
    if not window.head.startswith(MAGIC):
        raise _not_elf(window)
    header = read_header(window)
    layout = header.layout
    target = Target(
        header.machine,
        layout.bits,
        layout.big_endian,
        abi_of(header.machine, layout.bits, header.flags, big_endian=layout.big_endian),
    )
    if header.type in (ET_REL, ET_CORE):
        kind = ElfKind.RELOCATABLE if header.type == ET_REL else ElfKind.CORE
        return ElfInfo(kind, target, header.type, header.entry, window.size, ())
    if header.type not in (ET_EXEC, ET_DYN):
        raise window.error(E_TYPE, f"type {header.type} is neither program nor library")
    segments = read_segments(window, header)
    bare = ElfInfo(ElfKind.DEBUG, target, header.type, header.entry, window.size, segments)
    if is_debug_file(header, segments):
        return bare
    check_loaded(window, header, segments)
    info = _linked(window, header, bare)
    if info.kind.is_program:
        system = foreign_system(window, header, segments, info.interpreter)
        if system is not None:
            raise NotProgramError(window.name, f"a program for {system}", "build it for Linux, as with GOOS=linux")
    return info


def _linked(window: Window, header: Header, bare: ElfInfo) -> ElfInfo:
    """`bare` with its true kind and what the interpreter and the dynamic section say."""
    segments = bare.segments
    interpreter = _interpreter(window, header, segments)
    if interpreter is None and is_upx(window, header, segments) and not any(s.type == PT_DYNAMIC for s in segments):
        return bare._replace(kind=ElfKind.UPX)
    dynamic = Dynamic(window, header, segments)
    kind = kind_of(header, segments, interpreter, dynamic)
    if not dynamic.tags:
        return bare._replace(kind=kind, interpreter=interpreter)
    return ElfInfo(
        kind,
        *bare[1:6],
        interpreter=interpreter,
        soname=dynamic.string(DT_SONAME),
        needed=dynamic.strings(DT_NEEDED),
        rpath=dynamic.string(DT_RPATH),
        runpath=dynamic.string(DT_RUNPATH),
        flags=dynamic.last.get(DT_FLAGS, 0),
        flags_1=dynamic.last.get(DT_FLAGS_1, 0),
        filters=dynamic.strings(DT_FILTER),
        auxiliaries=dynamic.strings(DT_AUXILIARY),
        mixed=dynamic.mixed(DT_NEEDED, DT_FILTER, DT_AUXILIARY) if dynamic.last.keys() & FILTERS else (),
        audit=dynamic.string(DT_AUDIT),
        dep_audit=dynamic.string(DT_DEPAUDIT),
    )


def _interpreter(window: Window, header: Header, segments: tuple[Segment, ...]) -> str | None:
    """What the first PT_INTERP names, by the kernel's rules (fs/binfmt_elf.c, `load_elf_binary`)."""
    index = next((n for n, s in enumerate(segments) if s.type == PT_INTERP), None)
    if index is None:
        return None
    segment, said_at = segments[index], header.at_segment(index)
    if not 2 <= segment.file_size <= MAX_INTERPRETER:  # noqa: PLR2004 - one byte and its NUL
        raise window.error(said_at, f"an interpreter path cannot have {segment.file_size} bytes")
    data = window.read(segment.offset, segment.file_size, "the interpreter path", said_at)
    if data[-1] != 0:
        raise window.error(segment.offset + len(data) - 1, "the interpreter path does not end with a NUL")
    return data[: data.index(0)].decode("utf-8", "surrogateescape")


def _not_elf(window: Window) -> NotElfError:
    from minpack.elf.other import what_else  # noqa: PLC0415 - most files are what they should be

    return NotElfError(window.name, *what_else(window.head))
