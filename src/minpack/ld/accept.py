"""What glibc's loader takes for a library, what it passes over, and what it stops at (glibc elf/dl-load.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.abi import EM_ARM, EM_MIPS, EM_PPC64, EM_RISCV, abi_of
from minpack.elf.format import (
    DF_1_PIE,
    EI_CLASS,
    EI_DATA,
    EI_OSABI,
    ET_DYN,
    ET_EXEC,
    MAGIC,
    PT_DYNAMIC,
    PT_LOAD,
    layout_of,
)
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.elf.info import ElfInfo
    from minpack.target import Target

#: The length of the longer of the two headers there are.
HEADER_SIZE = 64
#: Pages are as long as this or a multiple of it.
LEAST_PAGE = 4096
EI_VERSION, EI_ABIVERSION, EI_PAD, EI_NIDENT = 6, 8, 9, 16
ELFOSABI_NONE, ELFOSABI_GNU, ELFOSABI_ARM_AEABI = 0, 3, 64
EF_ARM_SOFT, EF_ARM_HARD, EF_PPC64_ABI = 0x200, 0x400, 3


class LoadVerdict(NamedTuple):
    """Whether a file fits; if not, `reason` says why the loader stops at it, and is empty where it is passed over."""

    fits: bool
    reason: str = ""


FITS, PASSED_OVER = LoadVerdict(True), LoadVerdict(False)


def judge_header(head: bytes, wanted: Target, *, debian: bool) -> LoadVerdict:
    """What the loader for `wanted` makes of a file that begins with `head` (open_verify).

    :param head: the first `HEADER_SIZE` bytes, or all there are.
    :param debian: whether the machine is looked at before the byte order, as Debian and Ubuntu have it
        (debian/patches/any/unsubmitted-ldso-machine-mismatch.diff): files of another byte order are passed over then.
    """
    layout = layout_of(wanted.bits, big_endian=wanted.big_endian)
    if len(head) < layout.header.size:
        return LoadVerdict(False, "file too short")
    if not head.startswith(MAGIC):
        return LoadVerdict(False, "invalid ELF header")
    if head[EI_CLASS] * 32 != wanted.bits:
        return PASSED_OVER
    type_, machine, version, _, _, _, flags, _, entry_size, _ = layout.header.unpack_from(head)
    same_machine = _is_own_machine(wanted, machine, flags)
    if debian and not same_machine:
        return PASSED_OVER
    reason = _refusal(head, wanted, version)
    if reason:
        return LoadVerdict(False, reason)
    if not same_machine:
        return PASSED_OVER
    if type_ not in (ET_DYN, ET_EXEC):
        return LoadVerdict(False, "only shared libraries can be loaded")
    if entry_size != layout.segment.size:
        return LoadVerdict(False, f"its program headers cannot have {entry_size} bytes")
    return FITS


def judge_library(info: ElfInfo) -> LoadVerdict:
    """What the loader makes of a file whose header fits (_dl_map_object_from_fd)."""
    if any(s.type == PT_LOAD and (s.vaddr - s.offset) % LEAST_PAGE for s in info.segments):
        return LoadVerdict(False, "a loaded segment is not page-aligned")
    if info.type == ET_EXEC or info.flags_1 & DF_1_PIE:
        return LoadVerdict(False, "it is a program and no library")
    if not any(s.type == PT_DYNAMIC and s.file_size for s in info.segments):
        return LoadVerdict(False, "it has no dynamic section")
    return FITS


def _refusal(head: bytes, wanted: Target, version: int) -> str:
    """Why the loader stops at a file of its own class before it looks at the machine; empty if it does not."""
    if head[EI_DATA] != 1 + wanted.big_endian:
        return f"its data are not {'big' if wanted.big_endian else 'little'}-endian"
    if head[EI_VERSION] != 1 or version != 1:
        return "its ELF version is not 1"
    own = (ELFOSABI_ARM_AEABI,) if wanted.machine == EM_ARM else ()
    if head[EI_OSABI] not in (ELFOSABI_NONE, ELFOSABI_GNU, *own):
        return f"its OS ABI is {head[EI_OSABI]}"
    # How many versions GNU's ABI has differs between versions of glibc (LIBC_ABI_MAX): those are not counted.
    if head[EI_ABIVERSION] and head[EI_OSABI] != ELFOSABI_GNU:
        return f"its ABI version is {head[EI_ABIVERSION]}"
    return "its ELF header has padding that is not zero" if any(head[EI_PAD:EI_NIDENT]) else ""


def _is_own_machine(wanted: Target, machine: int, flags: int) -> bool:
    """Whether such a file is for the loader's machine (sysdeps/*/dl-machine.h, elf_machine_matches_host).

    Flags count where the machine alone does not tell: the float ABI on RISC-V, and on ARM with Debian's
    patch (debian/patches/arm/unsubmitted-ldso-multilib.diff); the ABI on 64-bit PowerPC and on MIPS.
    """
    if machine != wanted.machine:
        return False
    if machine == EM_ARM:
        return not flags & (EF_ARM_HARD if wanted.abi == "soft" else EF_ARM_SOFT)
    if machine == EM_PPC64:
        return flags & EF_PPC64_ABI in (0, 2 if wanted.abi == "v2" else 1)
    if machine in (EM_RISCV, EM_MIPS):
        return abi_of(machine, wanted.bits, flags, big_endian=wanted.big_endian) == wanted.abi
    return True
