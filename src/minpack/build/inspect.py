"""What one ELF file says of itself, what it needs, and what that means for packing it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.base.options import SCRATCH
from minpack.elf.info import ElfKind
from minpack.elf.notes import read_notes
from minpack.elf.read import read_elf
from minpack.errors import BaseError
from minpack.ld.closure import Libc
from minpack.ld.resolve import libc_of
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import read_program, with_why_warning
from minpack.needs.findings import Findings
from minpack.needs.need import Need
from minpack.program.additions import host_file
from minpack.program.platforms import platform_of_file
from minpack.sources.fitting import fitting_bases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.content import Content
    from minpack.elf.full import Details
    from minpack.elf.info import ElfInfo
    from minpack.needs.need import Decision
    from minpack.target import Platform


class Inspected(NamedTuple):
    """The facts of the file at the host's `path`; `bases` are names that --base takes, the newest first.

    `needs` are those of the file by itself, empty for what is not a program or library; `costs` has the bytes that
    minpack's own data for a need would add. `details` is None unless asked for.
    `kernel` is the oldest Linux that its ABI tag names, None if it has none.
    """

    path: str
    info: ElfInfo
    platform: Platform | None
    libc: Libc | None
    bases: tuple[str, ...]
    findings: Findings
    needs: tuple[Decision, ...]
    costs: Mapping[Need, int]
    details: Details | None = None
    kernel: tuple[int, int, int] | None = None


def inspect(path: str, today: str, *, why: bool = False, full: bool = False) -> Inspected:
    """What the file at the host's `path` is and needs.

    :param today: ``YYYY-MM-DD``; bases whose support has ended are not named.
    :param why: look for the callers of what speaks for a need.
    :param full: read segments, the dynamic section, versions and notes too.
    :raises InputError: it cannot be read.
    :raises ElfError: it is not an ELF file, or damaged.
    """
    return inspect_file(path, host_file(path), today, why=why, full=full)


def inspect_file(path: str, content: Content, today: str, *, why: bool = False, full: bool = False) -> Inspected:
    """As `inspect`, of the file `content`, which is called `path`."""
    info = read_elf(content)
    libc = libc_of(info.interpreter) if info.interpreter is not None else None
    findings = _findings(content, info, path, libc, why=why)
    needs = decide(findings, NeedOptions(), glibc=libc is Libc.GLIBC) if _has_needs(info) else ()
    bases = _bases(info, libc, today)
    details = None
    if full:
        from minpack.elf.full import read_details  # noqa: PLC0415 - imports pyelftools

        details = read_details(content)
    costs, kernel = _costs(needs, findings), read_notes(content, info).kernel
    return Inspected(path, info, platform_of_file(content, info), libc, bases, findings, needs, costs, details, kernel)


def _has_needs(info: ElfInfo) -> bool:
    return info.kind.is_program or info.kind is ElfKind.LIBRARY


def _findings(content: Content, info: ElfInfo, path: str, libc: Libc | None, *, why: bool) -> Findings:
    if not _has_needs(info):
        return Findings()
    imports: frozenset[str] = frozenset()
    if info.needed:
        from minpack.elf.symbols import read_symbols  # noqa: PLC0415 - not for static programs
        from minpack.needs.native import telling_imports  # noqa: PLC0415

        imports = telling_imports(read_symbols(content, imports_alone=True))
    findings = read_program(content, info, path, imports, glibc=libc is Libc.GLIBC, why=why)
    return with_why_warning(findings, path) if why else findings


def _costs(needs: tuple[Decision, ...], findings: Findings) -> dict[Need, int]:
    """What minpack's own data would cost: the CA bundle, and the zones that are named or all."""
    if not needs:
        return {}
    from minpack.base.walk import Walker  # noqa: PLC0415
    from minpack.embedded.base import CA_BUNDLE, EmbeddedBase  # noqa: PLC0415 - not for other files
    from minpack.provision.zones import all_zones, named_zones  # noqa: PLC0415

    default = Walker(EmbeddedBase())
    bundle = None
    # One that was changed is told by the run that would pack it.
    with suppress(BaseError):
        bundle = default.find_file(CA_BUNDLE)
    zones = (
        named_zones(findings.zones, None, default, default, "") if findings.zones else all_zones(default, default, "")
    )
    costs = {Need.CERTS: bundle.size} if bundle is not None else {}
    return {**costs, Need.TZ: sum(zone.entry.size for zone in zones)}


def _bases(info: ElfInfo, libc: Libc | None, today: str) -> tuple[str, ...]:
    if info.kind in (ElfKind.STATIC, ElfKind.STATIC_PIE):
        return (SCRATCH,)
    return fitting_bases(info, info.target.platform, today) if libc is not None else ()
