"""Which bases fit a program, and the one that is taken where none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import BaseNeededError
from minpack.ld.closure import Libc
from minpack.ld.resolve import libc_of
from minpack.spec.base_ref import SCRATCH_BASE
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.elf.info import ElfInfo
    from minpack.program.read import Program
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


def default_base(programs: Sequence[Program], platform: Platform, today: str) -> BaseRef:
    """The base to pack static programs from.

    :raises BaseNeededError: a program is not static.
    """
    for program in programs:
        if program.info.interpreter is not None:
            hint = fitting_hint(program.info, platform, today)
            raise BaseNeededError(program.path, program.info.interpreter, hint)
    return SCRATCH_BASE


def fitting_hint(info: ElfInfo, platform: Platform, today: str) -> str:
    """Which bases fit a program."""
    if info.interpreter is None:
        return "leave out --base: the program is static and needs none"
    if libc_of(info.interpreter) is not Libc.MUSL:
        from minpack.catalog.debian import fitting_releases  # noqa: PLC0415 - for hints alone

        names = fitting_releases(info.target.debian or "", today)
        also = "a directory or tarball of another glibc distribution, or / for this host's own"
        if not names:
            return f"it needs glibc for {info.target}: --base with {also}"
        return f"it needs glibc: --base {names[0]} (also {', '.join((*names[1:], also))})"
    from minpack.catalog.alpine import fitting_bases  # noqa: PLC0415 - for hints alone

    arch = alpine_arch(platform)
    names = fitting_bases(arch, today) if arch is not None else ()
    if not names:
        return f"it needs musl for {info.target}: --base with a directory or tarball of a musl distribution"
    return f"it needs musl: --base {names[0]}" + (f" (also {', '.join(names[1:])})" if names[1:] else "")
