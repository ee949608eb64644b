"""From placed programs to the plan of an image: resolve, decide, provide, plan, prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import WholePackage
from minpack.base.walk import Walker
from minpack.embedded.base import EmbeddedBase
from minpack.ld.allowed import unused_allowance
from minpack.ld.closure import Libc
from minpack.namedtuple import NamedTuple
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import find_needs
from minpack.needs.need import Need
from minpack.paths import ancestors
from minpack.plan.assemble import build_plan
from minpack.plan.model import NOTHING_TAKEN
from minpack.plan.owners import with_packages
from minpack.plan.secrets import refuse_private
from minpack.program.place import added_paths, standard_of
from minpack.program.platforms import labelled
from minpack.provision.provide import host_notes, lacking, provide
from minpack.resolve.closures import ProgramClosure, audit_notes, environment_of, symbols_for, variants_of
from minpack.resolve.with_packages import (
    fetch_for_needs,
    refuse_missing,
    resolve_with_packages,
    shell_closure,
)
from minpack.rootfs.entry import Kind
from minpack.spec.image import Check, unexpanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minpack.ld.closure import Closure, Environment
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.paths import RootPath
    from minpack.plan.model import Plan, Taken, TakenFiles
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.resolve.companions import Companion, CompanionClosure
    from minpack.resolve.with_packages import ResolvedPrograms
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


class ResolvedImage(NamedTuple):
    """All programs of an image, those that were not named last, and the closure of each, with nothing missing.

    Plugins are late objects in them; `started` are the closures without. `late` is what they may open later and is not
    packed; `symbols` reads the symbols of their objects.
    """

    programs: tuple[Program, ...]
    closures: tuple[Closure, ...]
    started: tuple[ProgramClosure, ...]
    beside: tuple[CompanionClosure, ...]
    late: tuple[LateLibrary, ...]
    whole: tuple[WholePackage, ...]
    symbols: SymbolsOf


class ImageNeeds(NamedTuple):
    """What an image needs besides libraries: what was found, what of it is packed, and the tree to take it from.

    The closure of the shell is behind those of the programs, if there is to be one.
    """

    findings: Findings
    decisions: tuple[Decision, ...]
    closures: tuple[Closure, ...]
    tree: Walker
    notes: tuple[str, ...]


class ProvedPlan(NamedTuple):
    """What was proved of a plan: notes of it, and what each program, by its path, demands of the machine."""

    notes: tuple[str, ...] = ()
    demands: tuple[tuple[str, Demands], ...] = ()


class PlannedImage(NamedTuple):
    """A plan, proved, with what to report of it; `data` is the embedded data that was looked at.

    `late` and `variants` are not packed: what may be opened later, and what is for better CPUs.
    """

    plan: Plan
    programs: tuple[Program, ...]
    data: EmbeddedBase
    notes: tuple[str, ...]
    late: tuple[LateLibrary, ...]
    variants: tuple[Variant, ...]
    demands: tuple[tuple[str, Demands], ...]


def make_plan(
    request: ImageSpec,
    platform: Platform,
    programs: tuple[Program, ...],
    placed: tuple[Placed, ...],
    session: Session,
    *,
    before_proof: Callable[[Plan], None],
) -> PlannedImage:
    """The plan of the image, proved as far as the request wants.

    :param platform: of the programs.
    :param before_proof: is given the plan before it is proved.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    taken = _take(request, session)
    resolved = resolve_image(request, programs, placed, session, taken.files)
    needs = find_image_needs(request, resolved, placed, session)
    data = EmbeddedBase()
    provision = provide(
        request,
        needs.decisions,
        needs.findings,
        needs.tree,
        Walker(data),
        added_paths(placed).union(one.entry.path for one in taken.files),
        needs.closures,
    )
    label = labelled(platform, request.platform, programs, needs.closures)
    plan = build_plan(
        request,
        label.platform,
        resolved.programs,
        placed,
        needs.closures,
        provision,
        needs.findings,
        taken.files,
    )
    refuse_private(plan, session.name)
    # Below an empty overlay, as below the user's files: so each file has one inode in the whole plan.
    files = session.tree()
    plan = with_packages(plan, session.packages, resolved.whole, files, standard_of(request.run.user, placed))
    before_proof(plan)
    variants = tuple(
        dict.fromkeys(one for closure in needs.closures for one in variants_of(request, closure, needs.tree))
    )
    proved = prove_plan(request, plan, programs[0].destination, session, resolved)
    permitted = (*_permitted(request, programs, placed, plan), *_package_notes(resolved.whole, files))
    notes = (
        *session.opened.notes,
        *unexpanded(request.run),
        *label.notes,
        *_unstripped_notes(resolved.programs),
        *session.packages.notes,
        *_unheeded_notes(request, needs.findings),
        *unused_allowance(needs.closures, request.allowed_missing),
        *_companion_notes(resolved.beside),
        *taken.notes,
        *_dangling_notes(request, plan, placed, taken.files),
        *_opened_notes(needs.closures, request.libraries, needs.findings.static_libc),
        *needs.notes,
        *provision.notes,
        *(host_notes(provision.files) if session.ref.is_host else ()),
        *data.notes,
        *permitted,
        *_capability_notes(plan),
        *_variable_notes(request, plan, session.name),
        *proved.notes,
        *_variants_notes(variants),
    )
    late = _not_packed(resolved.late, plan)
    return PlannedImage(plan, resolved.programs, data, notes, late, variants, proved.demands)


def _not_packed(late: tuple[LateLibrary, ...], plan: Plan) -> tuple[LateLibrary, ...]:
    """What is opened later, without the files and directories that are packed for another reason."""
    if not late:
        return ()
    paths = {planned.entry.path for planned in plan.entries}
    names = {path.rpartition("/")[2] for path in paths}
    left = []
    for library in late:
        places = tuple(path for path in library.paths if path not in paths)
        if names.isdisjoint(library.sonames) and (places or not library.paths):
            left.append(library._replace(paths=places))
    return tuple(left)


def _take(request: ImageSpec, session: Session) -> TakenFiles:
    """What is taken of the base, with the packages that were asked for."""
    if not request.taken:
        return NOTHING_TAKEN
    from minpack.plan.take import take  # noqa: PLC0415 - for --take alone

    for package in request.packages:
        session.packages.add(package)
    return take(request.taken, session.tree())


def resolve_image(
    request: ImageSpec,
    programs: tuple[Program, ...],
    placed: Sequence[Placed],
    session: Session,
    taken: Sequence[Taken] = (),
) -> ResolvedImage:
    """The closures of the programs, of those in whole packages and of those taken, fetched with what they lack.

    :raises MissingLibraryError: a library is nowhere to be had.
    :raises MinpackError: a package cannot be had.
    """
    packages = session.packages
    whole = tuple(WholePackage(package, packages.add(package)) for package in request.packages)
    companions: tuple[Companion, ...] = ()
    if request.additions or whole or taken:
        from minpack.resolve.companions import find_companions, separate  # noqa: PLC0415 - most images have none

        files = ((one.entry, one.named) for one in taken)
        found = find_companions(request, placed, whole, files, session.tree())
        own, companions = separate(programs, found)
        places = {item.entry.path for item in placed}
        for one in own:
            if one.destination in places:
                hint = f"minpack inspect {one.path} names the bases that fit it"
                session._replace(hint=hint).check_fit((one,))
        programs += own
    symbols = symbols_for(programs, request.check, shell=Need.SHELL in request.wanted or bool(companions))
    resolved = resolve_with_packages(request, programs, placed, session, symbols, companions)
    refuse_missing(request, programs, resolved, session)
    if companions:
        return _with_companions(request, programs, resolved, session, whole, symbols)
    late = tuple(dict.fromkeys(library for one in resolved.found for library in one.late))
    closures = tuple(one.closure for one in resolved.found)
    return ResolvedImage(programs, closures, resolved.found, (), late, whole, symbols)


def _with_companions(
    request: ImageSpec,
    programs: tuple[Program, ...],
    resolved: ResolvedPrograms,
    session: Session,
    whole: tuple[WholePackage, ...],
    symbols: SymbolsOf,
) -> ResolvedImage:
    """The programs with those that were added and would start, and their closures with the plugins."""
    from minpack.ld.dlopen import find_late  # noqa: PLC0415 - as above
    from minpack.resolve.companions import companion_program, merged, refuse_unloadable  # noqa: PLC0415

    refuse_unloadable(request, resolved.beside, session.name, session.packages.why_missing)
    started = resolved.found
    for one in resolved.beside:
        if not one.companion.is_plugin and one.closure is not None and not one.problem:
            programs += (companion_program(one.companion),)
            started += (ProgramClosure(one.closure, ()),)
    closures = merged(started, resolved.beside)
    late = tuple(
        dict.fromkeys(
            library
            for closure, one in zip(closures, started, strict=True)
            for library in (one.late if closure is one.closure and one.late else find_late(closure, symbols))
        )
    )
    return ResolvedImage(programs, closures, started, resolved.beside, late, whole, symbols)


def find_image_needs(
    request: ImageSpec, resolved: ResolvedImage, placed: Sequence[Placed], session: Session
) -> ImageNeeds:
    """What the programs need, decided as the request wants it; packages are fetched for what the base has nothing of.

    :raises NotInBaseError: there is to be a shell, and there is none.
    :raises MissingLibraryError: the shell lacks a library.
    """
    closures = resolved.closures
    findings = find_needs(closures, resolved.symbols, why=request.why)
    decisions = decide(findings, need_options(request), glibc=any(closure.libc is Libc.GLIBC for closure in closures))
    notes = fetch_for_needs(lacking(decisions, session.tree(placed)), session.packages)
    tree = session.tree(placed)
    if any(decision.need is Need.SHELL and decision.packed for decision in decisions):
        closures = (*closures, shell_closure(request, tree))
    return ImageNeeds(findings, decisions, closures, tree, notes)


def _unheeded_notes(request: ImageSpec, findings: Findings) -> tuple[str, ...]:
    """The warnings about the programs, without those whose advice was followed."""
    if not findings.advice:
        return findings.warnings
    from minpack.needs.environment import locale_of  # noqa: PLC0415 - for programs of few languages

    given = {
        "--add": bool(request.additions),
        "--add-lib": bool(request.libraries),
        "--locale": request.locale is not None or locale_of(dict(request.run.env)) is not None,
    }
    return findings.unheeded([option for option, is_given in given.items() if is_given])


def _variable_notes(request: ImageSpec, plan: Plan, base: str) -> tuple[str, ...]:
    """Notes of variables that name what is not there.

    :raises UsageError: LD_PRELOAD does.
    """
    if not request.run.env:
        return ()
    from minpack.plan.variables import NAMED, certificate_notes, check_preloaded  # noqa: PLC0415 - if some are set

    env = dict(request.run.env)
    if NAMED.isdisjoint(env):
        return ()
    check_preloaded(env, plan.closures, base)
    return tuple(certificate_notes(env, plan))


def need_options(request: ImageSpec) -> NeedOptions:
    """What the user said of needs."""
    return NeedOptions(request.wanted, request.unwanted, request.zone, request.locale, request.ca_file, request.run.env)


def _opened_notes(closures: Sequence[Closure], libraries: Sequence[str], libc: str) -> tuple[str, ...]:
    """Notes of libraries that were added for static programs."""
    if not libraries or any(closure.libc is not None for closure in closures):
        return ()
    path, names = closures[0].program.path, ", ".join(libraries)
    never = ", which does nothing in musl's static library" if libc == "musl" else ""
    return (f"{path!r} is static: it opens {names} only if it calls dlopen{never}",)


def _unstripped_notes(programs: Sequence[Program]) -> Iterator[str]:
    for program in programs:
        if program.unstripped:
            yield f"{program.path!r} is not stripped: {program.unstripped}"


def prove_plan(
    request: ImageSpec, plan: Plan, program: RootPath, session: Session, resolved: ResolvedImage
) -> ProvedPlan:
    """Prove what the request wants proved.

    :param program: where the first program is.
    :raises EntrypointError: a container of the image would not start.
    :raises UnboundSymbolError: a program would not start.
    :raises UnreadableFileError: the image's user may not read what it takes to start one.
    """
    if all(closure.libc is None for closure in plan.closures):
        _check_start(request, plan, program)
        return ProvedPlan()
    from minpack.plan.permissions import check_readable  # noqa: PLC0415
    from minpack.plan.verify import check_loads, check_loop  # noqa: PLC0415 - for dynamic programs alone

    check_readable(plan, request.run.user)
    # The shell's closure is behind those of the programs.
    closures = (*(one.closure for one in resolved.started), *plan.closures[len(resolved.started) :])
    check_loop(plan, closures, environment_of(request))
    _check_plugins(plan, resolved, environment_of(request))
    _check_start(request, plan, program)
    if request.check is Check.NONE:
        return ProvedPlan(tuple(note for closure in closures for note in audit_notes(closure, None)))
    names = [*request.programs, *(closure.program.path for closure in closures[len(request.programs) :])]
    checked = check_loads(names, closures, session.name, session.hint, resolved.symbols, request.allowed_missing)
    paths = [closure.program.path for closure in closures]
    return ProvedPlan(checked.notes, tuple(zip(paths, checked.demands, strict=True)))


def _check_plugins(plan: Plan, resolved: ResolvedImage, environment: Environment) -> None:
    """Prove that the packed tree has what it takes to open each plugin."""
    from minpack.plan.verify import PluginClosure, check_plugins  # noqa: PLC0415 - as above

    for closure, _, names in resolved.started:
        plugins = [
            PluginClosure(one.closure, one.names)
            for one in resolved.beside
            if one.names and not one.problem and one.closure is not None
            if one.closure.program.path == closure.program.path
        ]
        if plugins:
            check_plugins(plan, closure.program.path, names, plugins, environment)


def _companion_notes(beside: Sequence[CompanionClosure]) -> tuple[str, ...]:
    if not any(one.problem for one in beside):
        return ()
    from minpack.resolve.companions import companion_notes  # noqa: PLC0415 - few images have some

    return companion_notes(beside)


def _dangling_notes(
    request: ImageSpec, plan: Plan, placed: Sequence[Placed], taken: Sequence[Taken]
) -> tuple[str, ...]:
    """A note of links in added directories that lead nowhere in the image.

    :raises DanglingLinkError: there are some, and --strict was given.
    """
    if not taken and not any(item.entry.kind is Kind.SYMLINK and item.source for item in placed):
        return ()
    from minpack.plan.links import dangling_notes  # noqa: PLC0415 - few images have added links

    return dangling_notes(plan, placed, taken, strict=request.strict)


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
    advice = f"the program is at {program}; --add SRC:DST adds another file"
    tree = Walker(base_of("the packed tree", plan.all))
    check_start(Start(plan.config, tree, proved, environment_of(request), advice))


def _all_may_run(plan: Plan, path: RootPath) -> bool:
    """Whether there is a file at the path itself that every user may run."""
    modes = {
        planned.entry.path: planned.entry.mode for planned in plan.entries if planned.entry.kind is not Kind.SYMLINK
    }
    return all(modes.get(one, 0) & 0o111 == 0o111 for one in (*ancestors(path), path))  # noqa: PLR2004 - all may


def _permitted(
    request: ImageSpec, programs: Sequence[Program], placed: tuple[Placed, ...], plan: Plan
) -> tuple[str, ...]:
    """Prove that the image's user may do what it takes to start the programs; notes on the modes of added files.

    :raises UnreadableFileError: that user may not.
    """
    if not (request.additions or request.directories or any(program.sets_id for program in programs)):
        return ()
    from minpack.plan.permissions import check_readable, check_workdir, mode_notes  # noqa: PLC0415 - not for most programs

    check_readable(plan, request.run.user)
    check_workdir(plan, request.run)
    return mode_notes(request, placed, plan)


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
