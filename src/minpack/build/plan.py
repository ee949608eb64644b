"""From placed programs to the plan of an image: resolve, decide, provide, plan, prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import WholePackage
from minpack.base.walk import Walker
from minpack.embedded.base import EmbeddedBase
from minpack.ld.closure import Libc
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import find_needs
from minpack.needs.need import Need
from minpack.paths import ancestors
from minpack.plan.assemble import build_plan
from minpack.plan.owners import with_packages
from minpack.plan.secrets import refuse_private
from minpack.program.place import added_paths, standard_of
from minpack.provision.provide import lacking, provide
from minpack.resolve.closures import audit_notes, environment_of, symbols_for, variants_of, with_placed
from minpack.resolve.with_packages import fetch_for_needs, programs_of, resolve_with_packages, shell_closure
from minpack.rootfs.entry import Kind
from minpack.spec.image import Check, unexpanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import OpenBase
    from minpack.base.packages import Packages
    from minpack.ld.closure import Closure
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


class PlanInputs(NamedTuple):
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


class PlannedImage(NamedTuple):
    """A plan, and what is to be told of it; see `pipeline.Packed`. `data` is minpack's own data that was looked at."""

    plan: Plan
    programs: tuple[Program, ...]
    data: EmbeddedBase
    notes: tuple[str, ...]
    late: tuple[LateLibrary, ...]
    variants: tuple[Variant, ...]
    demands: tuple[tuple[str, Demands], ...]


def make_plan(request: ImageSpec, sources: PlanInputs) -> PlannedImage:
    """The plan of the image, proved as far as the request wants.

    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs, platform, placed, base, packages, lower, hint = sources
    whole = tuple(WholePackage(package, packages.add(package)) for package in request.packages)
    programs += programs_of(whole, Walker(packages.over(base.base)))
    symbols = symbols_for(programs, request.check, shell=Need.SHELL in request.wanted)
    tree, found = resolve_with_packages(request, programs, placed, base.base, packages, hint, symbols, lower.known)
    closures = tuple(one.closure for one in found)
    findings = find_needs(closures, symbols, why=request.why)
    decisions = decide(findings, wishes_of(request), glibc=any(closure.libc is Libc.GLIBC for closure in closures))
    supplied = fetch_for_needs(lacking(decisions, tree), packages)
    tree = Walker(with_placed(placed, packages.over(base.base)), lower.known)
    if any(decision.need is Need.SHELL and decision.packed for decision in decisions):
        closures = (*closures, shell_closure(request, tree))
    data = EmbeddedBase()
    provision = provide(request, decisions, findings, tree, Walker(data), added_paths(placed), closures)
    platform, told = _labelled(request, sources, closures)
    plan = build_plan(request, platform, programs, placed, closures, provision, findings)
    refuse_private(plan, base.base.name)
    # Below an empty overlay, as below the user's files: so each file has one inode in the whole plan.
    files = Walker(with_placed((), packages.over(base.base)))
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
        *_capability_notes(plan),
        *proved,
        *_variants_notes(variants),
    )
    return PlannedImage(plan, programs, data, notes, late, variants, demanded)


def _labelled(request: ImageSpec, sources: PlanInputs, closures: Sequence[Closure]) -> tuple[Platform, tuple[str, ...]]:
    """The platform with the variant that all which is loaded runs on, and what is to be told of it."""
    platform = sources.platform
    if not platform.tells_variant:
        return platform, ()
    from minpack.program.platforms import labelled  # noqa: PLC0415 - for ARM, and where a variant is wanted

    return labelled(platform, request.platform, sources.programs, closures)


def wishes_of(request: ImageSpec) -> NeedOptions:
    """What the user said of needs."""
    return NeedOptions(request.wanted, request.unwanted, request.zone, request.locale, request.ca_file)


def _opened_notes(closures: Sequence[Closure], libraries: Sequence[str], libc: str) -> tuple[str, ...]:
    """What is to be told of libraries that were added for static programs."""
    if not libraries or any(closure.libc is not None for closure in closures):
        return ()
    path, names = closures[0].program.path, ", ".join(libraries)
    never = ", which does nothing in musl's static library" if libc == "musl" else ""
    return (f"{path!r} is static: it opens {names} only if it calls dlopen{never}",)


def _checked(
    request: ImageSpec, plan: Plan, program: RootPath, base: str, hint: str, symbols: SymbolsOf
) -> tuple[tuple[str, ...], tuple[tuple[str, Demands], ...]]:
    """Prove what the request wants proved; the notes of it, and what each program demands of the machine.

    :raises EntrypointError: a container of the image would not start.
    :raises UnboundSymbolError: a program would not start.
    :raises UnreadableFileError: the image's user may not read what it takes to start one.
    """
    if all(closure.libc is None for closure in plan.closures):
        _check_start(request, plan, program)
        return (), ()
    from minpack.plan.permissions import check_readable  # noqa: PLC0415
    from minpack.plan.verify import check_loads, check_loop  # noqa: PLC0415 - for dynamic programs alone

    check_readable(plan, request.run.user)
    check_loop(plan, environment_of(request))
    _check_start(request, plan, program)
    if request.check is Check.NONE:
        return tuple(note for closure in plan.closures for note in audit_notes(closure, None)), ()
    names = [*request.programs, *(closure.program.path for closure in plan.closures[len(request.programs) :])]
    checked = check_loads(names, plan.closures, base, hint, symbols)
    paths = [closure.program.path for closure in plan.closures]
    return checked.notes, tuple(zip(paths, checked.demands, strict=True))


def _capability_notes(plan: Plan) -> tuple[str, ...]:
    if not any(planned.entry.capability for planned in plan.entries):
        return ()
    from minpack.plan.permissions import capability_notes  # noqa: PLC0415 - few programs have some

    return capability_notes(plan)


def _check_start(request: ImageSpec, plan: Plan, program: RootPath) -> None:
    """Raise `EntrypointError` if a container of the image would not start.

    :param program: where the first program is.
    """
    if plan.config.entrypoint[:1] == (program,) and _all_may_run(plan, program):
        return
    from minpack.base.entries import base_of  # noqa: PLC0415 - most images start the program itself
    from minpack.plan.entrypoint import Start, check_start  # noqa: PLC0415

    proved = frozenset(closure.program.entry.path for closure in plan.closures)
    advice = f"the program lies at {program}; --add SRC:DST adds another file"
    tree = Walker(base_of("the packed tree", plan.all))
    check_start(Start(plan.config, tree, proved, environment_of(request), advice))


def _all_may_run(plan: Plan, path: RootPath) -> bool:
    """Whether there is a file at the path itself that every user may run."""
    modes = {
        planned.entry.path: planned.entry.mode for planned in plan.entries if planned.entry.kind is not Kind.SYMLINK
    }
    return all(modes.get(one, 0) & 0o111 == 0o111 for one in (*ancestors(path), path))  # noqa: PLR2004 - all may


def _permitted(request: ImageSpec, sources: PlanInputs, plan: Plan) -> tuple[str, ...]:
    """Prove that the image's user may do what it takes to start the programs; notes on the modes of added files.

    :raises UnreadableFileError: that user may not.
    """
    if not (request.additions or request.directories or any(program.sets_id for program in sources.programs)):
        return ()
    from minpack.plan.permissions import check_readable, check_workdir, mode_notes  # noqa: PLC0415 - not for most programs

    check_readable(plan, request.run.user)
    check_workdir(plan, request.run)
    return mode_notes(request, sources.placed, plan)


def _package_notes(whole: Sequence[WholePackage], files: Walker) -> tuple[str, ...]:
    if not whole:
        return ()
    from minpack.plan.permissions import package_notes  # noqa: PLC0415 - for whole packages alone

    return package_notes(whole, files)


def _variants_notes(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    if not variants:
        return ()
    from minpack.ld.variants import variants_note  # noqa: PLC0415 - for hardly any

    note = variants_note(variants)
    return (note,) if note is not None else ()
