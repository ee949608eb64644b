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


#: Who builds programs whose interpreter lies in a store of its own, by a part of its path.
_STORES = (
    ("/nix/store/", "Nix"),
    ("/gnu/store/", "Guix"),
    ("/.linuxbrew/", "Homebrew"),
    ("/spack/", "Spack"),
    ("conda", "conda"),
    ("/miniforge", "conda"),
)


def fitting_hint(info: ElfInfo, platform: Platform, today: str) -> str:
    """Which bases fit a program; of one that a store built, how it fits them."""
    hint, path = _libc_hint(info, platform, today), info.interpreter or ""
    store = next((name for part, name in _STORES if part in path), "")
    return f"{_retarget_hint(store)}; {hint}" if store else hint


def _retarget_hint(store: str) -> str:
    """How a program of a store is packed."""
    return f"{store} built it for its own store: --retarget packs a copy that uses the base's loader and libraries"


def _libc_hint(info: ElfInfo, platform: Platform, today: str) -> str:
    """Which bases have the C library of a program."""
    if info.interpreter is None:
        return "leave out --base: the program is static and needs none"
    libc, names = libc_of(info.interpreter), fitting_bases(info, platform, today)
    if libc is not Libc.MUSL:
        also = "a directory or tarball of another glibc distribution, or / for this host's own"
        if not names:
            return f"it needs glibc for {info.target}: --base with {also}"
        return f"it needs glibc: --base {names[0]} (also {', '.join((*names[1:], also))})"
    if not names:
        return f"it needs musl for {info.target}: --base with a directory or tarball of a musl distribution"
    return f"it needs musl: --base {names[0]}" + (f" (also {', '.join(names[1:])})" if names[1:] else "")


def fitting_bases(info: ElfInfo, platform: Platform | None, today: str) -> tuple[str, ...]:
    """The names of the catalogue's bases that fit a dynamic program, the newest first; of no C library glibc's.

    :param today: ``YYYY-MM-DD``; bases whose support has ended are not among them.
    """
    if libc_of(info.interpreter or "") is not Libc.MUSL:
        from minpack.catalog import debian  # noqa: PLC0415 - for hints alone

        return debian.fitting_releases(info.target.debian or "", today)
    from minpack.catalog import alpine  # noqa: PLC0415 - for hints alone

    arch = alpine_arch(platform) if platform is not None else None
    return alpine.fitting_bases(arch, today) if arch is not None else ()
