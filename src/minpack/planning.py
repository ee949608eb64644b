"""From placed programs to the plan of an image: resolve, decide, provide, plan, prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.attributing import with_packages
from minpack.base.entries import base_of
from minpack.base.scratch import ScratchBase
from minpack.base.walk import Walker
from minpack.closing import close, programs_of, shell_closure, supply
from minpack.entrypoint import Start, check_start
from minpack.ld.closure import Libc
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import Wishes, decide
from minpack.needs.detect import find_needs
from minpack.needs.need import Need
from minpack.packages.source import WholePackage
from minpack.placing import added_paths, standard_of
from minpack.plan import build_plan
from minpack.platforms import labelled
from minpack.private import refuse_private
from minpack.provision.provide import lacking, provide
from minpack.request import Check, unexpanded
from minpack.resolving import audit_notes, environment_of, symbols_for, variants_of, with_placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.additions import Placed
    from minpack.base.open import OpenBase
    from minpack.ld.closure import Closure
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbolcache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.packages.source import Packages
    from minpack.paths import RootPath
    from minpack.placing import Program
    from minpack.plan import Plan
    from minpack.request import Request
    from minpack.target import Platform


class Sources(NamedTuple):
    """Programs that were read and placed, and what the rest is taken from, open.

    `lower` looks at the base alone, `hint` says which bases fit.
    """

    programs: tuple[Program, ...]
    platform: Platform
    placed: tuple[Placed, ...]
    base: OpenBase
    packages: Packages
    lower: Walker
    hint: str


class Planned(NamedTuple):
    """A plan, and what is to be told of it; see `pipeline.Packed`. `data` is minpack's own data that was looked at."""

    plan: Plan
    programs: tuple[Program, ...]
    data: ScratchBase
    notes: tuple[str, ...]
    late: tuple[LateLibrary, ...]
    variants: tuple[Variant, ...]
    demands: tuple[tuple[str, Demands], ...]


def make_plan(request: Request, sources: Sources) -> Planned:
    """The plan of the image, proved as far as the request wants.

    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs, platform, placed, base, packages, lower, hint = sources
    whole = tuple(WholePackage(package, packages.add(package)) for package in request.packages)
    programs += programs_of(whole, Walker(packages.over(base.base)))
    symbols = symbols_for(programs, request.check, shell=Need.SHELL in request.wanted)
    tree, found = close(request, programs, placed, base.base, packages, hint, symbols, lower.known)
    closures = tuple(one.closure for one in found)
    findings = find_needs(closures, symbols, why=request.why)
    decisions = decide(findings, wishes_of(request), glibc=any(closure.libc is Libc.GLIBC for closure in closures))
    supplied = supply(lacking(decisions, tree), packages)
    tree = Walker(with_placed(placed, packages.over(base.base)), lower.known)
    if any(decision.need is Need.SHELL and decision.packed for decision in decisions):
        closures = (*closures, shell_closure(request, tree))
    data = ScratchBase()
    provision = provide(request, decisions, findings, tree, Walker(data), added_paths(placed), closures)
    platform, told = labelled(platform, request.platform, sources.programs, closures)
    plan = build_plan(request, platform, programs, placed, closures, provision, findings)
    refuse_private(plan, base.base.name)
    files = Walker(packages.over(base.base))
    plan = with_packages(plan, packages, whole, files, standard_of(request.run.user, placed))
    variants = tuple(dict.fromkeys(one for closure in closures for one in variants_of(request, closure, tree)))
    proved, demanded = _checked(request, plan, programs[0].destination, base.base.name, hint, symbols)
    permitted = (*_permitted(request, sources, plan), *_package_notes(whole, files))
    late = tuple(dict.fromkeys(library for one in found for library in one.late))
    notes = (
        *base.notes,
        *unexpanded(request.run),
        *told,
        *(f"{program.path!r} is not stripped: {program.unstripped}" for program in programs if program.unstripped),
        *packages.notes,
        *findings.warnings,
        *_opened_notes(closures, request.libraries, findings.static_libc),
        *supplied,
        *provision.notes,
        *data.notes,
        *permitted,
        *proved,
        *_variants_notes(variants),
    )
    return Planned(plan, programs, data, notes, late, variants, demanded)


def wishes_of(request: Request) -> Wishes:
    """What the user said of needs."""
    return Wishes(request.wanted, request.unwanted, request.zone, request.locale, request.ca_file)


def _opened_notes(closures: Sequence[Closure], libraries: Sequence[str], libc: str) -> tuple[str, ...]:
    """What is to be told of libraries that were added for static programs."""
    if not libraries or any(closure.libc is not None for closure in closures):
        return ()
    path, names = closures[0].program.path, ", ".join(libraries)
    never = ", which does nothing in musl's static library" if libc == "musl" else ""
    return (f"{path!r} is static: it opens {names} only if it calls dlopen{never}",)


def _checked(
    request: Request, plan: Plan, program: RootPath, base: str, hint: str, symbols: SymbolsOf
) -> tuple[tuple[str, ...], tuple[tuple[str, Demands], ...]]:
    """Prove what the request wants proved; the notes of it, and what each program demands of the machine.

    :raises EntrypointError: a container of the image would not start.
    :raises UnboundSymbolError: a program would not start.
    :raises UnreadableFileError: the image's user may not read what it takes to start one.
    """
    tree = base_of("the packed tree", plan.all)
    proved = frozenset(closure.program.entry.path for closure in plan.closures)
    advice = f"the program lies at {program}; --add SRC:DST adds another file"
    start = Start(plan.config, Walker(tree), proved, environment_of(request), advice)
    if all(closure.libc is None for closure in plan.closures):
        check_start(start)
        return (), ()
    from minpack.checking import check_loads, check_loop  # noqa: PLC0415 - for dynamic programs alone
    from minpack.permissions import check_readable  # noqa: PLC0415

    check_readable(plan, request.run.user)
    check_loop(plan, tree, environment_of(request))
    check_start(start)
    if request.check is Check.NONE:
        return tuple(note for closure in plan.closures for note in audit_notes(closure, None)), ()
    names = [*request.programs, *(closure.program.path for closure in plan.closures[len(request.programs) :])]
    checked = check_loads(names, plan.closures, base, hint, symbols)
    paths = [closure.program.path for closure in plan.closures]
    return checked.notes, tuple(zip(paths, checked.demands, strict=True))


def _permitted(request: Request, sources: Sources, plan: Plan) -> tuple[str, ...]:
    """Prove that the image's user may do what it takes to start the programs; notes on the modes of added files.

    :raises UnreadableFileError: that user may not.
    """
    if not (request.additions or request.directories or any(program.sets_id for program in sources.programs)):
        return ()
    from minpack.permissions import check_readable, check_workdir, mode_notes  # noqa: PLC0415 - not for most programs

    check_readable(plan, request.run.user)
    check_workdir(plan, request.run)
    return mode_notes(request, sources.placed, plan)


def _package_notes(whole: Sequence[WholePackage], files: Walker) -> tuple[str, ...]:
    if not whole:
        return ()
    from minpack.permissions import package_notes  # noqa: PLC0415 - for whole packages alone

    return package_notes(whole, files)


def _variants_notes(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    if not variants:
        return ()
    from minpack.ld.variants import variants_note  # noqa: PLC0415 - for hardly any

    note = variants_note(variants)
    return (note,) if note is not None else ()
