"""What `Target.abi` has for a file: from its machine, class and flags, by the processor supplements."""

from __future__ import annotations

EM_MIPS, EM_PPC64, EM_ARM, EM_X86_64, EM_RISCV, EM_LOONGARCH = 8, 21, 40, 62, 243, 258


def abi_of(machine: int, bits: int, flags: int, *, big_endian: bool) -> str:
    """The ABI that `e_flags` and the class name, or nothing where the machine has one only."""
    if machine == EM_X86_64:
        return "x32" if bits == 32 else ""  # noqa: PLR2004
    if machine == EM_ARM:
        # EF_ARM_ABI_FLOAT_SOFT. Go sets neither that nor _HARD: its programs run on both.
        return "soft" if flags & 0x200 else "hard"
    if machine == EM_RISCV:
        return ("soft", "single", "double", "quad")[flags >> 1 & 3]  # EF_RISCV_FLOAT_ABI
    if machine == EM_LOONGARCH:
        return {1: "soft", 2: "single", 3: "double"}.get(flags & 7, "")  # EF_LOONGARCH_ABI_MODIFIER_MASK
    if machine == EM_MIPS:
        return "n32" if bits == 32 and flags & 0x20 else ""  # noqa: PLR2004 - EF_MIPS_ABI2
    if machine == EM_PPC64:
        # EF_PPC64_ABI; 0 means unspecified, and little-endian systems are all v2.
        return "v2" if flags & 3 == 2 or not big_endian else "v1"  # noqa: PLR2004
    return ""
