"""What is proved of a planned image before a byte is written: that it loads, and that its user may start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.namedtuple import NamedTuple
from minpack.paths import ancestors
from minpack.resolve.closures import audit_notes, environment_of
from minpack.rootfs.entry import Kind
from minpack.spec.image import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.interface import Base
    from minpack.base.packages import WholePackage
    from minpack.build.plan import PlannedImage
    from minpack.build.resolve import ResolvedImage
    from minpack.ld.closure import Environment
    from minpack.ld.demands import Demands
    from minpack.ld.variants import Variant
    from minpack.paths import RootPath
    from minpack.plan.entrypoint import Start
    from minpack.plan.model import Plan
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec


class ProvedPlan(NamedTuple):
    """What was proved of a plan: notes of it, and what each program, by its path, demands of the machine."""

    notes: tuple[str, ...] = ()
    demands: tuple[tuple[str, Demands], ...] = ()


def prove_plan(spec: ImageSpec, planned: PlannedImage, placed: tuple[Placed, ...], session: Session) -> ProvedPlan:
    """Prove what the spec wants proved, and that the image's user may do what it takes.

    :raises EntrypointError: a container of the image would not start.
    :raises UnboundSymbolError: a program would not start.
    :raises UnreadableFileError: the image's user may not read what it takes to start one.
    """
    plan, resolved = planned.plan, planned.resolved
    started = _prove_start(spec, plan, session, resolved)
    notes = (
        *_permitted(spec, resolved.programs, placed, plan),
        *_package_notes(resolved.whole, session),
        *_capability_notes(spec, plan),
        *_health_notes(plan),
        *_any_user_notes(spec, plan, session),
        *_variable_notes(spec, plan, session.name),
        *started.notes,
        *_variants_notes(planned.variants),
    )
    return ProvedPlan(notes, started.demands)


def _prove_start(spec: ImageSpec, plan: Plan, session: Session, resolved: ResolvedImage) -> ProvedPlan:
    """Prove that the programs and plugins load, and that a container of the image starts."""
    program = resolved.programs[0].destination
    if all(closure.libc is None for closure in plan.closures):
        _check_start(spec, plan, program, session)
        return ProvedPlan()
    from minpack.plan.permissions import check_readable  # noqa: PLC0415
    from minpack.plan.verify import check_loads, check_loop  # noqa: PLC0415 - for dynamic programs alone

    check_readable(plan, spec.run.user)
    # The shell's closure is behind those of the programs.
    closures = (*(one.closure for one in resolved.started), *plan.closures[len(resolved.started) :])
    check_loop(plan, closures, environment_of(spec.run))
    _check_plugins(plan, resolved, environment_of(spec.run))
    _check_start(spec, plan, program, session)
    if spec.check is Check.NONE:
        return ProvedPlan(tuple(note for closure in closures for note in audit_notes(closure, None)))
    names = [*spec.programs, *(closure.program.path for closure in closures[len(spec.programs) :])]
    checked = check_loads(names, closures, session.name, session.hint, resolved.symbols, spec.allowed_missing)
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


def _check_start(spec: ImageSpec, plan: Plan, program: RootPath, session: Session) -> None:
    """Raise `EntrypointError` if a container of the image would not start, `HealthCheckError` if its health check.

    :param program: where the first program is.
    """
    started = plan.config.entrypoint[:1] == (program,) and _all_may_run(plan, program)
    if started and plan.config.health is None:
        return
    from minpack.plan.entrypoint import check_start  # noqa: PLC0415 - most images start the program itself

    start = _start(spec, plan, program, session)
    if not started:
        check_start(start)
    if plan.config.health is not None:
        from minpack.plan.health import check_health  # noqa: PLC0415 - for --health alone

        check_health(start)


def _start(spec: ImageSpec, plan: Plan, program: RootPath, session: Session) -> Start:
    """What it takes to see whether something starts in the image."""
    from minpack.base.entries import base_of  # noqa: PLC0415 - as above
    from minpack.plan.entrypoint import Start  # noqa: PLC0415 - as above

    proved = frozenset(closure.program.entry.path for closure in plan.closures)
    advice = f"the program is at {program}; --add SRC:DST adds another file"
    packed: Base = base_of("the packed tree", plan.all)
    if session.on is not None:
        from minpack.base.overlay import OverlayBase  # noqa: PLC0415 - for --on alone

        packed = OverlayBase(packed, session.on.base, packed.name)
    symbols = None
    if spec.check is not Check.NONE:
        from minpack.ld.symbol_cache import SymbolCache  # noqa: PLC0415 - as above

        symbols = SymbolCache()
    return Start(plan.config, Walker(packed), proved, environment_of(spec.run), advice, symbols)


def _all_may_run(plan: Plan, path: RootPath) -> bool:
    """Whether there is a file at the path itself that every user may run."""
    modes = {
        planned.entry.path: planned.entry.mode for planned in plan.entries if planned.entry.kind is not Kind.SYMLINK
    }
    return all(modes.get(one, 0) & 0o111 == 0o111 for one in (*ancestors(path), path))  # noqa: PLR2004 - all may


def _permitted(spec: ImageSpec, programs: Sequence[Program], placed: tuple[Placed, ...], plan: Plan) -> tuple[str, ...]:
    """Prove that the image's user may do what it takes to start the programs; notes on the modes of added files.

    :raises UnreadableFileError: that user may not.
    """
    if not (spec.additions or spec.directories or any(program.sets_id for program in programs)):
        return ()
    from minpack.plan.permissions import check_readable, check_workdir, mode_notes  # noqa: PLC0415 - not for most programs

    check_readable(plan, spec.run.user)
    check_workdir(plan, spec.run)
    return mode_notes(spec, placed, plan)


def _package_notes(whole: Sequence[WholePackage], session: Session) -> tuple[str, ...]:
    if not whole:
        return ()
    from minpack.plan.permissions import package_notes  # noqa: PLC0415 - for whole packages alone

    return package_notes(whole, session.tree())


def _capability_notes(spec: ImageSpec, plan: Plan) -> tuple[str, ...]:
    """Which programs have file capabilities, and what follows.

    :raises EntrypointError: the loader of one would not find its libraries.
    """
    if not any(planned.entry.capability for planned in plan.entries):
        return ()
    from minpack.plan.permissions import capability_notes  # noqa: PLC0415 - few programs have some
    from minpack.plan.secure import check_secure, escalation_note  # noqa: PLC0415 - as above

    if spec.check is not Check.NONE:
        check_secure(plan.closures, spec.run.user)
    return (*capability_notes(plan), *((escalation_note(spec),) if spec.capabilities else ()))


def _health_notes(plan: Plan) -> tuple[str, ...]:
    """Who runs the health check, where one is asked for, and who does not."""
    if plan.config.health is None or plan.config.health.test == ("NONE",):
        return ()
    from minpack.plan.health import NOTE  # noqa: PLC0415 - for --health alone

    return (NOTE,)


def _any_user_notes(spec: ImageSpec, plan: Plan, session: Session) -> tuple[str, ...]:
    """Prove that a user that a platform chooses may do what it takes to start the programs; notes on what it may not.

    :raises UnreadableFileError: that user may not.
    """
    if not spec.run.any_user:
        return ()
    from minpack.base.entries import base_of  # noqa: PLC0415 - for images that are packed for any user
    from minpack.plan.any_user import ANY_USER, any_user_notes  # noqa: PLC0415 - as above
    from minpack.plan.permissions import check_readable, check_workdir  # noqa: PLC0415 - as above

    check_readable(plan, ANY_USER)
    check_workdir(plan, spec.run._replace(user=ANY_USER))
    packed: Base = base_of("the packed tree", plan.all)
    if session.on is not None:
        from minpack.base.overlay import OverlayBase  # noqa: PLC0415 - for --on alone

        packed = OverlayBase(packed, session.on.base, packed.name)
    return tuple(any_user_notes(plan, Walker(packed), spec.run.user))


def _variable_notes(spec: ImageSpec, plan: Plan, base: str) -> tuple[str, ...]:
    """Notes of variables that name what is not there.

    :raises UsageError: LD_PRELOAD does.
    """
    if not spec.run.env:
        return ()
    from minpack.plan.variables import NAMED, certificate_notes, check_preloaded  # noqa: PLC0415 - if some are set

    env = dict(spec.run.env)
    if NAMED.isdisjoint(env):
        return ()
    check_preloaded(env, plan.closures, base, spec.allowed_missing)
    return tuple(certificate_notes(env, plan))


def _variants_notes(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    if not variants:
        return ()
    from minpack.ld.variants import variants_note  # noqa: PLC0415 - for hardly any

    note = variants_note(variants)
    return (note,) if note is not None else ()
