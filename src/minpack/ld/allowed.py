"""Libraries that may be missing, because the host's container runtime brings them: a driver's libcuda or libGL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from minpack.ld.closure import Closure
    from minpack.ld.lookup import Proof
    from minpack.ld.symbol_cache import SymbolsOf


def without_allowed(closure: Closure, allowed: Collection[str]) -> Closure:
    """The closure, in which nothing that may be missing is; its edges tell still."""
    if not allowed or not closure.missing:
        return closure
    return closure._replace(missing=tuple(one for one in closure.missing if one.name not in allowed))


def excused(proof: Proof, closure: Closure, allowed: Collection[str], symbols: SymbolsOf) -> Proof:
    """The proof without the symbols that a library may define which is missing, and may be.

    With versions it is known which library is to define a symbol; without, any that is missing may.
    """
    gone = {edge.name for edge in closure.edges if not edge.path and edge.name in allowed}
    if not gone:
        return proof
    versions = {
        (loaded.path, need.version)
        for loaded in closure.objects
        for need in symbols(loaded).versions.needs
        if need.file in gone
    }
    left = tuple(one for one in proof.unbound if one.version and (one.needed_by, one.version) not in versions)
    return proof._replace(unbound=left)


def unused_allowance(closures: Iterable[Closure], allowed: Collection[str], preload: str) -> tuple[str, ...]:
    """A note of what may be missing and nothing lacks.

    :param preload: LD_PRELOAD; the loader passes over what it names and is not there.
    """
    lacking = {edge.name for closure in closures for edge in closure.edges if not edge.path}
    lacking.update(preload.replace(":", " ").split())
    idle = " ".join(f"--allow-missing {name}" for name in sorted(set(allowed) - lacking))
    return (f"{idle} had no effect: nothing lacks it",) if idle else ()
