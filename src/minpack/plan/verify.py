"""What is proved of a plan before it is written: that it loads, and that it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.errors import MinpackError, UnboundSymbolError
from minpack.ld.allowed import excused
from minpack.ld.audit import ignored
from minpack.ld.bind import prove
from minpack.ld.closure import LateName
from minpack.ld.demands import LEVELS, demands
from minpack.ld.resolve import resolve_closure, resolve_plugins
from minpack.ld.verdict import latent_note, reasons
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.errors import ElfError
    from minpack.ld.closure import Closure, Environment
    from minpack.ld.demands import Demands
    from minpack.ld.lookup import Proof
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.plan.model import Plan


class PluginClosure(NamedTuple):
    """The closure of a program with one plugin, and the names that it opens for that."""

    closure: Closure
    names: tuple[LateName, ...]


class Checked(NamedTuple):
    """What was proved of the closures, in their order, what each demands, and what the user should know of it."""

    proofs: tuple[Proof, ...]
    notes: tuple[str, ...]
    demands: tuple[Demands, ...]


def check_loads(
    programs: Sequence[str],
    closures: Sequence[Closure],
    base: str,
    hint: Callable[[], str],
    symbols: SymbolsOf,
    allowed: Collection[str] = (),
) -> Checked:
    """The load proof of each closure, and what it demands of the machine.

    :param programs: what to call each in errors.
    :param hint: says, for errors, which bases fit.
    :param allowed: libraries that may be missing.
    :raises UnboundSymbolError: a program would not start.
    :raises MalformedElfError: a table of an object cannot be true.
    """
    proofs, demanded_by = [], []
    notes: list[str | None] = []
    for program, closure in zip(programs, closures, strict=True):
        proof = excused(prove(closure, symbols, counts=False), closure, allowed, symbols)
        demanded = demands(closure, symbols)
        proof = proof._replace(problems=(*proof.problems, *demanded.problems))
        if not proof.loads:
            raise UnboundSymbolError(program, base, reasons(proof), _advice(proof, hint()))
        proofs.append(proof)
        demanded_by.append(demanded)
        notes += [latent_note(proof), _machine_note(demanded), *ignored(closure, symbols)]
    told = tuple(dict.fromkeys(note for note in notes if note is not None))
    return Checked(tuple(proofs), told, tuple(demanded_by))


def _machine_note(demanded: Demands) -> str | None:
    if demanded.isa in ("", LEVELS[0]):
        return None
    return f"it starts only on CPUs with {demanded.isa}, according to {demanded.isa_by}"


def _advice(proof: Proof, hint: str) -> str:
    if proof.versions:
        return "build the program on a system as old as the base, or choose a newer base; --check none packs it anyway"
    return f"{hint}; --check none packs it anyway"


def check_loop(plan: Plan, closures: Sequence[Closure], environment: Environment) -> None:
    """Resolve again on the packed tree alone: the closures must be the same.

    A difference is a fault of minpack's own, and shows as one.
    """
    objects = (loaded for closure in plan.closures for loaded in closure.objects)
    known: dict[Content, ElfInfo | ElfError] = {o.entry.content: o.info for o in objects if o.entry.content is not None}
    walker = Walker(base_of("the packed tree", plan.all), known)
    for closure in closures:
        again = resolve_closure(walker, closure.program.path, environment, _late_names(closure))
        planned, packed = _outline(closure), _outline(again)
        assert planned == packed, f"internal error: the packed tree resolves differently\n{planned}\n{packed}"


def check_plugins(
    plan: Plan, program: str, before: tuple[LateName, ...], plugins: Sequence[PluginClosure], environment: Environment
) -> None:
    """As `check_loop`, for the plugins that `program` opens, each after what it opens `before`."""
    walker = Walker(base_of("the packed tree", plan.all))
    again = resolve_plugins(walker, program, environment, before, [plugin.names for plugin in plugins])
    for plugin, found in zip(plugins, again, strict=True):
        assert not isinstance(found, MinpackError), f"internal error: the packed tree lacks something: {found.message}"
        planned, packed = _outline(plugin.closure), _outline(found)
        assert planned == packed, f"internal error: the packed tree resolves differently\n{planned}\n{packed}"


def _late_names(closure: Closure) -> tuple[LateName, ...]:
    """What was opened later, so that it is again, in the same order: the objects that their first user does not need.

    Another object that was opened later may need one of them too.
    """
    needed = {loaded.path: loaded.info.needed for loaded in closure.objects}
    return tuple(
        LateName((loaded.name,), loaded.needed_by, required=False)
        for loaded in closure.objects
        if loaded.path in closure.late and loaded.name not in needed.get(loaded.needed_by, ())
    )


def _outline(closure: Closure) -> list[tuple[str, str, str]]:
    """The objects of all namespaces in load order: name, path, and the file it leads to; then what is missing."""
    objects = [(loaded.name, loaded.path, str(loaded.entry.path)) for loaded in closure.opened]
    return objects + [("missing", edge.name, edge.needed_by) for edge in closure.edges if not edge.path]
