"""The stages in order: read, place, resolve, decide, plan, deliver. No rules of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.attributing import with_packages
from minpack.base.open import file_sum, open_base
from minpack.base.scratch import ScratchBase
from minpack.base.walk import Walker
from minpack.closing import close, programs_of, shell_closure, supply
from minpack.content import sum_of
from minpack.deliver import Work, deliver
from minpack.layers.ahead import Ahead
from minpack.layers.kept import How
from minpack.ld.closure import Libc
from minpack.ld.fit import check_fit
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import Wishes, decide
from minpack.needs.detect import find_needs
from minpack.needs.need import Need
from minpack.packages.open import open_packages
from minpack.packages.source import WholePackage
from minpack.placing import added_paths, own_entries, place
from minpack.plan import build_plan
from minpack.private import refuse_private
from minpack.progress import no_progress
from minpack.provision.provide import lacking, provide
from minpack.request import Check
from minpack.resolving import (
    audit_notes,
    base_name,
    default_base,
    environment_of,
    fitting_hint,
    platform_of,
    read_programs,
    symbols_for,
    variants_of,
    with_placed,
)
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.open import BaseOptions, OpenBase
    from minpack.deliver import Delivered, Delivery
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbolcache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.locking import Locking
    from minpack.packages.source import Packages
    from minpack.paths import RootPath
    from minpack.placing import Program
    from minpack.plan import Plan
    from minpack.progress import Progress
    from minpack.request import Request
    from minpack.rootfs.entry import Entry


#: What the layer of the user's own files is called.
_PROGRAM = "program"


class Input(NamedTuple):
    """Something an image was made from; `sha256` is empty where nothing has one sum."""

    kind: str
    name: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    version: str = ""


class Packed(NamedTuple):
    """What packing gave. `delivered` is None when nothing was to be written.

    `late` is what the programs may open later and is not packed, `variants` what is for better CPUs and is not either,
    `demands` what each program demands of the machine, by its path, if that was checked. `sums` has the SHA-256 of each
    file, in hexadecimal, if they were asked for; without, `inputs` has the base alone, and no sum of a local tarball.
    `locked` says that it was made of what a lock names alone.
    """

    plan: Plan
    delivered: Delivered | None
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    sums: Mapping[RootPath, str]
    late: tuple[LateLibrary, ...] = ()
    variants: tuple[Variant, ...] = ()
    demands: tuple[tuple[str, Demands], ...] = ()
    programs: tuple[Program, ...] = ()
    locked: bool = False


def pack(
    request: Request,
    base: str | None,
    options: BaseOptions,
    delivery: Delivery | None,
    progress: Progress = no_progress,
    *,
    sums: bool = False,
    locking: Locking | None = None,
) -> Packed:
    """Make an image of the request's programs.

    :param base: what --base names; None for the default.
    :param delivery: where the image goes; None for a plan alone.
    :param sums: compute the sums of the files and of the inputs, which reads them once more.
    :param locking: what a lock has to say of it.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs = read_programs(request)
    platform = platform_of(programs, request.platform)
    if locking is not None:
        base, options = locking.begin(platform, base, options)
    name = base_name(base) if base is not None else default_base(programs, platform, options.today)
    with (
        Ahead(options.store) as ahead,
        open_base(name, platform, options, progress) as opened,
        open_packages(opened.base, alpine_arch(platform), options, progress) as packages,
    ):
        hint = fitting_hint(programs[0].info, platform, options.today)
        lower = Walker(opened.base)
        for program in programs:
            check_fit(program.path, program.info, lower, hint)
        placed = place(request, programs, lower)
        if delivery is not None and delivery.format.has_layers and not request.single_layer:
            ahead.begin(own_entries(placed), _how(request, progress), _PROGRAM)
        whole = tuple(WholePackage(package, packages.add(package)) for package in request.packages)
        programs += programs_of(whole, Walker(packages.over(opened.base)))
        symbols = symbols_for(programs, request.check, shell=Need.SHELL in request.wanted)
        tree, found = close(request, programs, placed, opened.base, packages, hint, symbols, lower.known)
        closures = tuple(one.closure for one in found)
        glibc = any(closure.libc is Libc.GLIBC for closure in closures)
        findings = find_needs(closures, symbols, why=request.why)
        decisions = decide(findings, wishes_of(request), glibc=glibc)
        supplied = supply(lacking(decisions, tree), packages)
        tree = Walker(with_placed(placed, packages.over(opened.base)), lower.known)
        if any(decision.need is Need.SHELL and decision.packed for decision in decisions):
            closures = (*closures, shell_closure(request, tree))
        default = ScratchBase()
        added = added_paths(placed)
        provision = provide(request, decisions, findings, tree, Walker(default), added, closures)
        plan = build_plan(request, platform, programs, placed, closures, provision, findings)
        refuse_private(plan, opened.base.name)
        plan = with_packages(plan, packages, whole, tree)
        variants = tuple(dict.fromkeys(one for closure in closures for one in variants_of(request, closure, tree)))
        proved, demanded = _checked(request, plan, opened.base.name, hint, symbols)
        if locking is not None:
            from minpack.locking import Made  # noqa: PLC0415 - where there is a lock

            locking.end(
                Made(request, name, opened, options, packages, default, programs[: len(request.programs)], plan)
            )
        late = tuple(dict.fromkeys(library for one in found for library in one.late))
        delivered = (
            None if delivery is None else deliver(_work(plan, request, progress, options.store, ahead), delivery)
        )
        notes = (
            *opened.notes,
            *(f"{program.path!r} is not stripped: {program.unstripped}" for program in programs if program.unstripped),
            *packages.notes,
            *findings.warnings,
            *supplied,
            *provision.notes,
            *default.notes,
            *proved,
            *_variants_notes(variants),
            *(delivered.notes if delivered else ()),
        )
        inputs = (base_input(name, opened, sums=sums), *_package_inputs(plan, packages))
        inputs += _data_inputs(default) if sums else ()
        made = _sums(plan) if sums else {}
        locked = options.locked is not None
        return Packed(plan, delivered, inputs, notes, made, late, variants, demanded, programs, locked)


def _package_inputs(plan: Plan, packages: Packages) -> tuple[Input, ...]:
    """The packages that were fetched and that files of the plan are from."""
    used = {planned.package for planned in plan.entries}
    return tuple(Input("package", p.name, p.sha256, p.size, p.url, p.version) for p in packages.fetched if p in used)


def wishes_of(request: Request) -> Wishes:
    """What the user said of needs."""
    return Wishes(request.wanted, request.unwanted, request.zone, request.locale, request.ca_file)


def _checked(
    request: Request, plan: Plan, base: str, hint: str, symbols: SymbolsOf
) -> tuple[tuple[str, ...], tuple[tuple[str, Demands], ...]]:
    """Prove what the request wants proved; the notes of it, and what each program demands of the machine.

    :raises UnboundSymbolError: a program would not start.
    :raises UnreadableFileError: the image's user may not read what it takes to start one.
    """
    if all(closure.libc is None for closure in plan.closures):
        return (), ()
    from minpack.checking import check_loads, check_loop, check_readable  # noqa: PLC0415 - for dynamic programs alone

    check_readable(plan, request.run.user)
    check_loop(plan, environment_of(request))
    if request.check is Check.NONE:
        return tuple(note for closure in plan.closures for note in audit_notes(closure, None)), ()
    names = [*request.programs, *(closure.program.path for closure in plan.closures[len(request.programs) :])]
    checked = check_loads(names, plan.closures, base, hint, symbols)
    paths = [closure.program.path for closure in plan.closures]
    return checked.notes, tuple(zip(paths, checked.demands, strict=True))


def _variants_notes(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    if not variants:
        return ()
    from minpack.ld.variants import variants_note  # noqa: PLC0415 - for hardly any

    note = variants_note(variants)
    return (note,) if note is not None else ()


def _how(request: Request, progress: Progress) -> How:
    return How(request.created, request.compression, request.threads, progress)


def _work(plan: Plan, request: Request, progress: Progress, store: str | None, ahead: Ahead) -> Work:
    if request.single_layer:
        layers: tuple[tuple[str, tuple[Entry, ...]], ...] = (("root file system", plan.all),)
    else:
        layers = (("libraries and data", plan.lower), (_PROGRAM, plan.upper))
    kept = tuple((comment, entries) for comment, entries in layers if entries)
    return Work(kept, plan.all, plan.config, request.compression, request.threads, progress, store, ahead)


def _sums(plan: Plan) -> dict[RootPath, str]:
    files = (planned.entry for planned in plan.entries)
    return {entry.path: sum_of(entry.content) for entry in files if entry.content is not None}


def base_input(name: str, opened: OpenBase, *, sums: bool) -> Input:
    """The base as an input; the sum of a local tarball is computed here, if `sums` says so."""
    if sums and opened.kind == "tarball" and not opened.sha256:
        return Input("base", opened.base.name, file_sum(name, "sha256"), opened.size)
    return Input("base", opened.base.name, opened.sha256, opened.size, opened.url)


def _data_inputs(default: ScratchBase) -> tuple[Input, ...]:
    """The embedded data that was used, with the version it is of."""
    return tuple(Input("data", *row) for row in default.versions())
