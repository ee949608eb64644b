"""The values that reading an ELF file gives."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.target import Target


class ElfKind(StrEnum):
    """What an ELF file is, as far as starting it goes."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    STATIC_PIE = "static-pie"
    LIBRARY = "shared library"
    RELOCATABLE = "object file"
    CORE = "core dump"
    #: What ``objcopy --only-keep-debug`` leaves: it has the headers of a program or library, not the contents.
    DEBUG = "detached debug file"
    #: Packed by UPX: its true needs are hidden until it is unpacked.
    UPX = "UPX-packed program"

    @property
    def is_program(self) -> bool:
        """Whether the kernel can start it and its needs can be seen."""
        return self in (ElfKind.DYNAMIC, ElfKind.STATIC, ElfKind.STATIC_PIE)


class Segment(NamedTuple):
    """One program header (elf(5), "Program header"); offsets and sizes in bytes."""

    type: int
    flags: int
    offset: int
    vaddr: int
    file_size: int
    memory_size: int
    align: int


class ElfInfo(NamedTuple):
    """What an ELF file says about itself.

    Strings are as in the file, bytes that are not UTF-8 as surrogate escapes; they may be empty.
    `type` is `e_type`, `entry` an address, `size` the file's in bytes. `needed` is in the
    file's order, duplicates kept; `rpath` and `runpath` are both there if the file has both.
    `filters` and `auxiliaries` are DT_FILTER and DT_AUXILIARY, and if there are any, `mixed`
    has them and `needed` in the file's order, each with its tag. `audit` and `dep_audit` are
    DT_AUDIT and DT_DEPAUDIT, `flags` and `flags_1` DT_FLAGS and DT_FLAGS_1 (0 if absent).
    Object files and core dumps have no `segments` here.
    """

    kind: ElfKind
    target: Target
    type: int
    entry: int
    size: int
    segments: tuple[Segment, ...]
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    flags: int = 0
    flags_1: int = 0
    filters: tuple[str, ...] = ()
    auxiliaries: tuple[str, ...] = ()
    mixed: tuple[tuple[int, str], ...] = ()
    audit: str | None = None
    dep_audit: str | None = None

    @property
    def end(self) -> int:
        """The offset behind the last segment; bytes from there on are not part of the loaded program."""
        return max((s.offset + s.file_size for s in self.segments), default=0)
