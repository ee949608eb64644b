"""What one ELF file says of itself, and what that means for packing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.ld.closure import Libc
from minpack.ld.resolve import libc_of
from minpack.needs.need import decide
from minpack.placing import host_file
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from minpack.elf.info import ElfInfo
    from minpack.needs.need import Decision, Need
    from minpack.target import Platform


class Inspected(NamedTuple):
    """The facts of the file at the host's `path`; `bases` are names that --base takes, the newest first."""

    path: str
    info: ElfInfo
    platform: Platform | None
    libc: Libc | None
    bases: tuple[str, ...]
    needs: tuple[Decision, ...]


def inspect(path: str, today: str) -> Inspected:
    """What the file at the host's `path` is.

    :param today: ``YYYY-MM-DD``; bases whose support has ended are not named.
    :raises InputError: it cannot be read.
    :raises ElfError: it is no ELF file, or damaged.
    """
    info = read_elf(host_file(path))
    libc = libc_of(info.interpreter) if info.interpreter is not None else None
    nothing: frozenset[Need] = frozenset()
    needs = decide(wanted=nothing, unwanted=nothing, zone=None, glibc=libc is Libc.GLIBC)
    return Inspected(path, info, info.target.platform, libc, _bases(info, libc, today), needs)


def _bases(info: ElfInfo, libc: Libc | None, today: str) -> tuple[str, ...]:
    platform = info.target.platform
    if info.kind in (ElfKind.STATIC, ElfKind.STATIC_PIE):
        return ("scratch",)
    if libc is Libc.GLIBC:
        from minpack.base.debiancatalog import fitting_releases  # noqa: PLC0415

        return fitting_releases(info.target.debian or "", today)
    if libc is not Libc.MUSL or platform is None:
        return ()
    from minpack.base.catalog import fitting_bases  # noqa: PLC0415

    arch = alpine_arch(platform)
    return fitting_bases(arch, today) if arch is not None else ()
