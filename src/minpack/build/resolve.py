"""From placed programs to the closures of all that is in an image: what their loaders open, with nothing missing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.packages import WholePackage
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.paths import normal
from minpack.plan.model import NOTHING_TAKEN
from minpack.resolve.closures import ProgramClosure, symbols_for
from minpack.resolve.with_packages import ResolvedPrograms, refuse_missing, resolve_with_packages
from minpack.spec.values import STRONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.walk import Walker
    from minpack.build.data import DataFinder
    from minpack.ld.closure import Closure
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.plan.model import Taken, TakenFiles
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.resolve.companions import Companion, CompanionClosure
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec


#: How often what was taken is looked at for more: programs start programs, but not for long.
MAX_ROUNDS = 4


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
    tree: Walker
    finder: DataFinder | None = None


def resolve_with_data(
    spec: ImageSpec, programs: tuple[Program, ...], placed: Sequence[Placed], session: Session
) -> tuple[TakenFiles, ResolvedImage]:
    """What is taken of the base, by option and by rule, and the closures with that.

    What is taken may need more, so it is looked at again until nothing new comes.
    """
    taken = _take(spec, programs, session)
    resolved = resolve_image(spec, programs, placed, session, taken.files)
    if session.opened.kind is BaseKind.SCRATCH:
        return taken, _with_late(resolved)
    from minpack.build.data import DataFinder  # noqa: PLC0415 - without a base there is nothing to find
    from minpack.resolve.companions import elf_info  # noqa: PLC0415 - as above

    finder = DataFinder(session, resolved.symbols, spec.run.env, programs)
    for _ in range(MAX_ROUNDS):
        packed = {item.entry.path for item in placed} | {one.entry.path for one in taken.files}
        found = finder.known(resolved.closures)
        if STRONG in spec.taken:
            loaded = (one.entry.path for closure in resolved.closures for one in closure.objects)
            found += finder.strong(resolved.closures, packed.union(loaded))
        new = tuple(one for one in found if one.entry.path not in packed)
        if not new:
            break
        taken = taken._replace(files=taken.files + new)
        if not any(elf_info(one.entry) for one in new):
            break  # what is no program and no library needs nothing
        resolved = resolve_image(spec, programs, placed, session, taken.files, resolved)
    return taken, _with_late(resolved)._replace(finder=finder)


def _take(spec: ImageSpec, programs: Sequence[Program], session: Session) -> TakenFiles:
    """What is taken of the base, with the packages that were asked for, and those that the programs are from."""
    patterns = [one for one in spec.taken if one != STRONG]
    if not patterns:
        return NOTHING_TAKEN
    from minpack.plan.take import take  # noqa: PLC0415 - for --take alone

    for package in spec.packages:
        session.packages.add(package)
    if session.opened.kind is BaseKind.PACKAGES:
        from minpack.build.data import add_owners, places_of  # noqa: PLC0415 - for such bases alone

        for places in (*(places_of(program.path) for program in programs), *((normal(one),) for one in patterns)):
            session.packages.add_program(places)
        taken = take(patterns, session.tree())
        add_owners(taken.files, session.packages)
        return taken
    return take(patterns, session.tree())


def resolve_image(
    spec: ImageSpec,
    programs: tuple[Program, ...],
    placed: Sequence[Placed],
    session: Session,
    taken: Sequence[Taken] = (),
    before: ResolvedImage | None = None,
) -> ResolvedImage:
    """The closures of the programs, of those in whole packages and of those taken, fetched with what they lack.

    With companions, `late` is not known yet.

    :param before: what was found for the programs, and for less that is taken.
    :raises MissingLibraryError: a library is nowhere to be had.
    :raises MinpackError: a package cannot be had.
    """
    packages, known = session.packages, None
    if before is not None:
        known = ResolvedPrograms(before.tree, before.started[: len(programs)], before.beside)
    whole = tuple(WholePackage(package, packages.add(package)) for package in spec.packages)
    companions: tuple[Companion, ...] = ()
    if spec.additions or whole or taken:
        from minpack.resolve.companions import find_companions, separate  # noqa: PLC0415 - most images have none

        files = ((one.entry, one.named) for one in taken)
        found = find_companions(spec, placed, whole, files, session.tree())
        own, companions = separate(programs, found)
        places = {item.entry.path for item in placed}
        for one in own:
            if one.destination in places:
                hint = f"minpack inspect {one.path} names the bases that fit it"
                session._replace(hint=partial(str, hint)).check_fit((one,))
        programs += own
    known_symbols = before.symbols if before is not None else None
    shell = Need.SHELL in spec.wanted or bool(companions)
    symbols = symbols_for(programs, spec.check, known_symbols, shell=shell)
    resolved = resolve_with_packages(spec, programs, placed, session, symbols, companions, known)
    refuse_missing(spec, programs, resolved, session)
    if companions:
        return _with_companions(spec, programs, resolved, session, whole, symbols)
    late = tuple(dict.fromkeys(library for one in resolved.found for library in one.late))
    closures = tuple(one.closure for one in resolved.found)
    return ResolvedImage(programs, closures, resolved.found, (), late, whole, symbols, resolved.tree)


def _with_companions(
    spec: ImageSpec,
    programs: tuple[Program, ...],
    resolved: ResolvedPrograms,
    session: Session,
    whole: tuple[WholePackage, ...],
    symbols: SymbolsOf,
) -> ResolvedImage:
    """The programs with those that were added and would start, and their closures with the plugins."""
    from minpack.resolve.companions import companion_program, merged, refuse_unloadable  # noqa: PLC0415 - as above

    refuse_unloadable(spec, resolved.beside, session.name, session.packages.why_missing)
    started = resolved.found
    for one in resolved.beside:
        if not one.companion.is_plugin and one.closure is not None and not one.problem:
            programs += (companion_program(one.companion),)
            started += (ProgramClosure(one.closure, ()),)
    closures = merged(started, resolved.beside)
    return ResolvedImage(programs, closures, started, resolved.beside, (), whole, symbols, resolved.tree)


def _with_late(resolved: ResolvedImage) -> ResolvedImage:
    """The same with what may be opened later, of the plugins too, which takes as long as resolving some."""
    if not resolved.beside:
        return resolved
    from minpack.ld.dlopen import find_late  # noqa: PLC0415 - few images have companions

    late = tuple(
        dict.fromkeys(
            library
            for closure, one in zip(resolved.closures, resolved.started, strict=True)
            for library in (one.late if closure is one.closure and one.late else find_late(closure, resolved.symbols))
        )
    )
    return resolved._replace(late=late)
