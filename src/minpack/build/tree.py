"""What a program's loader would open on a base, and whether it would start there: the stages of `pack` up to there."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.program.place import place
from minpack.program.platforms import base_platform, platform_of
from minpack.program.read import read_programs
from minpack.progress import no_progress
from minpack.resolve.closures import audit_notes, symbols_for, variants_of
from minpack.resolve.with_packages import resolve_with_packages
from minpack.sources.fitting import fitting_hint
from minpack.sources.session import open_session
from minpack.spec.base_ref import HOST_BASE, SCRATCH_BASE
from minpack.spec.image import Check

if TYPE_CHECKING:
    from collections.abc import Collection

    from minpack.base.options import BaseOptions
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.lookup import Proof
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.sources.session import Session
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec


class ResolvedTree(NamedTuple):
    """A closure, and the base it was found in; `proof` and `demands` are None where nothing was to be proved.

    Nothing is proved either of a closure where something is missing. `variants` are for better CPUs.
    """

    closure: Closure
    base: str
    notes: tuple[str, ...]
    proof: Proof | None = None
    late: tuple[LateLibrary, ...] = ()
    variants: tuple[Variant, ...] = ()
    demands: Demands | None = None
    #: Where the base was fetched from, empty if it was not; and whether a package was.
    base_url: str = ""
    fetched_package: bool = False
    #: What may be missing.
    allowed: frozenset[str] = frozenset()

    @property
    def result(self) -> str:
        """``loads``, ``fails`` or ``unchecked``."""
        if self.closure.missing or (self.proof is not None and not self.proof.loads):
            return "fails"
        return "loads" if self.proof is not None else "unchecked"


def resolve_tree(spec: ImageSpec, options: BaseOptions, progress: Progress = no_progress) -> ResolvedTree:
    """The closure of the spec's one program on its base; missing libraries are listed in it, not raised.

    Without a base it is the closure on this host, with the program at its own path, as ldd(1) shows it.

    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    (program,) = read_programs(spec)
    platform = platform_of((program,), spec.platform)
    fetched_for = base_platform((program,), platform, spec.platform)
    ref, program = (spec.base, program) if spec.base is not None else _on_host(program, spec)
    hint = partial(fitting_hint, program.info, platform, options.today)
    with open_session(ref, fetched_for, options, progress, hint) as session:
        program, retargeted = _retargeted(program, spec, session)
        session.check_fit((program,))
        placed = place(spec, (program,), session.walker)
        symbols = symbols_for((program,), spec.check) if spec.check is not Check.NONE else None
        tree, ((closure, late, _),), _ = resolve_with_packages(spec, (program,), placed, session, symbols)
        variants = variants_of(spec.run, closure, tree)
        notes = (*retargeted, *idle_notes(closure, spec))
        found = _proved(closure, None if closure.missing else symbols, session, spec.allowed_missing)
        fetched = bool(session.packages.fetched)
        found = found._replace(notes=(*found.notes, *notes), late=late, variants=variants)
        return found._replace(base_url=session.opened.url, fetched_package=fetched, allowed=spec.allowed_missing)


def _retargeted(program: Program, spec: ImageSpec, session: Session) -> tuple[Program, tuple[str, ...]]:
    """The program as it would be packed, with a note of what was changed."""
    if not spec.retarget:
        return program, ()
    from minpack.build.retarget import retarget_programs  # noqa: PLC0415 - for --retarget alone

    (made,), notes = retarget_programs((program,), session)
    return made, notes


def idle_notes(closure: Closure, spec: ImageSpec) -> tuple[str, ...]:
    """A note of what may be missing and nothing lacks."""
    if not spec.allowed_missing:
        return ()
    from minpack.ld.allowed import unused_allowance  # noqa: PLC0415 - for --allow-missing alone

    return unused_allowance((closure,), spec.allowed_missing, dict(spec.run.env).get("LD_PRELOAD", ""))


def _on_host(program: Program, spec: ImageSpec) -> tuple[BaseRef, Program]:
    """The base where none is named: this host for what needs a loader, and then the program stays where it is."""
    if program.info.interpreter is None:
        return SCRATCH_BASE, program
    if spec.destination is not None:
        return HOST_BASE, program
    return HOST_BASE, program._replace(destination=RootPath(os.path.realpath(program.path)))


def _proved(closure: Closure, symbols: SymbolsOf | None, session: Session, allowed: Collection[str]) -> ResolvedTree:
    """The closure and, unless `symbols` is None, its load proof."""
    notes = (*session.opened.notes, *session.packages.notes, *audit_notes(closure, symbols))
    return proved_closure(closure, symbols, session.name, allowed)._replace(notes=notes)


def proved_closure(closure: Closure, symbols: SymbolsOf | None, name: str, allowed: Collection[str]) -> ResolvedTree:
    """The closure in the tree of that name and, unless `symbols` is None, its load proof."""
    if symbols is None:
        return ResolvedTree(closure, name, ())
    from minpack.ld.bind import prove  # noqa: PLC0415 - only when asked for
    from minpack.ld.demands import demands  # noqa: PLC0415

    proof, demanded = prove(closure, symbols), demands(closure, symbols)
    if allowed:
        from minpack.ld.allowed import excused  # noqa: PLC0415 - for --allow-missing alone

        proof = excused(proof, closure, allowed, symbols)
    proof = proof._replace(problems=(*proof.problems, *demanded.problems))
    return ResolvedTree(closure, name, (), proof, demands=demanded)


def chain_to(closure: Closure, name: str) -> tuple[LoadedObject, ...]:
    """The objects from the program to the one called `name`, each needing the next; empty if there is none."""
    by_path = {loaded.path: loaded for loaded in reversed(closure.opened)}
    at = next((o for o in closure.opened if name in (o.name, o.path, o.entry.path, o.info.soname)), None)
    chain: list[LoadedObject] = []
    while at is not None:
        chain.append(at)
        at = by_path.get(at.needed_by) if at.needed_by else None
    return tuple(reversed(chain))
