"""From placed programs to the closures of all that is in an image: what their loaders open, with nothing missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import WholePackage
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.resolve.closures import ProgramClosure, symbols_for
from minpack.resolve.with_packages import refuse_missing, resolve_with_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.ld.closure import Closure
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.plan.model import Taken
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.resolve.companions import Companion, CompanionClosure
    from minpack.resolve.with_packages import ResolvedPrograms
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec


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
