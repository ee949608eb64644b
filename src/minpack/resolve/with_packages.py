"""The closures of all that is packed, with what the base lacks fetched from packages until nothing more is missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import (
    AmbiguousLibraryError,
    DownloadError,
    MissingLibraryError,
    NotInBaseError,
    OfflineError,
    UsageError,
)
from minpack.excerpt import listed
from minpack.ld.resolve import resolve_closure
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.paths import name as name_of
from minpack.resolve.closures import ProgramClosure, closure_with_late, environment_of, variants_of, without_allowed
from minpack.spec.image import SHELL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.base.packages import Packages
    from minpack.base.walk import Walker
    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.program.additions import Placed
    from minpack.program.read import Program
    from minpack.resolve.companions import Companion, CompanionClosure
    from minpack.sources.session import Session
    from minpack.spec.image import ImageSpec, RunConfig


def shell_closure(run: RunConfig, tree: Walker) -> Closure:
    """The closure of the shell that programs start, as system(3) does.

    :raises NotInBaseError: there is none.
    :raises MissingLibraryError: a library of it is missing.
    """
    if tree.find_file(SHELL) is None:
        hint = "choose a base that has one (alpine-3.22), or leave out --need shell"
        raise NotInBaseError(tree.base.name, SHELL, "the shell", hint)
    closure = resolve_closure(tree, SHELL, environment_of(run))
    if closure.missing:
        missing = tuple((m.name, m.needed_by, ()) for m in closure.missing)
        raise MissingLibraryError(SHELL, tree.base.name, missing, "choose a base that has it")
    return closure


def fetch_for_needs(needs: Iterable[str], packages: Packages) -> tuple[str, ...]:
    """Fetch the packages that have what needs are about; notes of those that cannot be had."""
    notes = []
    for need in needs:
        name = packages.for_need(need)
        try:
            if name:
                packages.add(name)
        except UsageError:
            continue  # nothing may be fetched, or no such package
        except DownloadError as error:
            notes.append(f"{need} comes from minpack: the package {name} cannot be had: {error.reason}")
    return tuple(notes)


class ResolvedPrograms(NamedTuple):
    """The closure of each program, and the tree they are in: the base with packages and the user's files."""

    tree: Walker
    found: tuple[ProgramClosure, ...]
    beside: tuple[CompanionClosure, ...] = ()


def resolve_with_packages(
    spec: ImageSpec,
    programs: Sequence[Program],
    placed: Sequence[Placed],
    session: Session,
    symbols: SymbolsOf | None,
    companions: Sequence[Companion] = (),
    known: ResolvedPrograms | None = None,
) -> ResolvedPrograms:
    """The closure of each program with what it opens later, and what the loader opens for the companions.

    What the base lacks is fetched from packages.

    What is fetched may need more, so it is resolved again until nothing new comes. What is nowhere to be had is missing
    in the closures.

    :param symbols: tell what is opened later; None to look at the start alone.
    :param known: what was found before for the first programs and for some companions, in the same tree.
    :raises PackageError: a package that has something cannot be used.
    :raises DownloadError: such a package, or an index, cannot be had.
    """
    sought: set[str] = set()
    while True:
        tree = known.tree if known is not None else session.tree(placed)
        _, before, beside = known if known is not None else ResolvedPrograms(tree, ())
        found = (*before, *(_closure(spec, one.destination, tree, symbols, session) for one in programs[len(before) :]))
        known = None
        # A program that is new may open some of them itself.
        beside = beside if len(before) == len(programs) else ()
        missing = [missing.name for one in found for missing in one.closure.missing]
        if _add_missing(session.packages, (*missing, *_not_preloaded(spec, found)), session.name):
            continue
        if missing or not companions or symbols is None:
            return ResolvedPrograms(tree, found)
        from minpack.resolve.companions import resolve_companions  # noqa: PLC0415 - most images have none

        beside = resolve_companions(spec, programs, found, companions, tree, symbols, beside)
        if not _add_for_companions(session, beside, sought):
            return ResolvedPrograms(tree, found, beside)


def _add_for_companions(session: Session, beside: Sequence[CompanionClosure], sought: set[str]) -> bool:
    """Whether packages came for what companions lack. What cannot be chosen is missing, and so told.

    :param sought: names that were sought already; it grows.
    """
    wanted = dict.fromkeys(name for one in beside for name in one.missing if name not in sought)
    sought.update(wanted)
    came = False
    for name in wanted:
        try:
            came = _add_missing(session.packages, [name], session.name) or came
        except AmbiguousLibraryError:
            continue
    return came


def _closure(
    spec: ImageSpec, program: str, tree: Walker, symbols: SymbolsOf | None, session: Session
) -> ProgramClosure:
    if symbols is None:
        closure = resolve_closure(tree, program, environment_of(spec.run))
        return ProgramClosure(without_allowed(closure, spec), ())
    return closure_with_late(spec, program, tree, symbols, session.on_closure)


def _not_preloaded(spec: ImageSpec, found: Sequence[ProgramClosure]) -> tuple[str, ...]:
    """The names of libraries that LD_PRELOAD names and no program has; the loader goes on without them."""
    preload = dict(spec.run.env).get("LD_PRELOAD", "")
    if not preload:
        return ()
    loaded = {name for one in found for each in one.closure.objects for name in (each.name, each.path)}
    wanted = (name for name in preload.replace(":", " ").split() if "$" not in name)
    return tuple(name_of(RootPath(name)) for name in wanted if name not in loaded | spec.allowed_missing)


def _add_missing(packages: Packages, missing: Sequence[str], base: str) -> bool:
    """Whether packages came for what is missing; the error of a download says what it was for."""
    # Names that auditwheel made: the hash is of a file that lies in one wheel alone.
    missing = [name for name in missing if not re.search(r"-[0-9a-f]{8}\.so(\.|$)", name)]
    try:
        return packages.add_libraries(missing)
    except OfflineError:
        raise
    except DownloadError as error:
        names = listed(dict.fromkeys(missing))
        hint = f"it has {names}, which {base} lacks (--no-packages fetches nothing); {error.hint}"
        raise DownloadError(error.url, error.reason, hint, status=error.status) from error


def refuse_missing(spec: ImageSpec, programs: Sequence[Program], resolved: ResolvedPrograms, session: Session) -> None:
    """Raise `MissingLibraryError` if a program, or what it opens later, lacks a library."""
    for program, (closure, _, _) in zip(programs, resolved.found, strict=True):
        if closure.missing:
            advice = _missing_hint(closure, variants_of(spec.run, closure, resolved.tree), session.hint())
            reasons = dict.fromkeys(session.packages.why_missing(missing.name) for missing in closure.missing)
            why = listed(filter(None, reasons), separator="; ")
            advice = f"{why}; {advice}" if why else advice
            raise MissingLibraryError(program.path, session.name, closure.missing, advice)


def _missing_hint(closure: Closure, variants: tuple[Variant, ...], hint: str) -> str:
    info = closure.program.info
    if closure.libc is None:
        return "choose a --base that has it, or leave out --add-lib: a static program loads libraries only with dlopen"
    lone = next((variant for variant in variants if not variant.instead_of), None)
    if lone is not None:
        return f"{lone.path} is only for newer CPUs: add one for every CPU with --add SRC:DST; {hint}"
    if "$ORIGIN" in (info.runpath or info.rpath or ""):
        return "the program looks next to itself ($ORIGIN): add the library with --add SRC:DST, or place it with --dest"
    return f"add it with --add SRC:DST, or choose a base that has it; {hint}"
