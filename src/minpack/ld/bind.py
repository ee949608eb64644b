"""The load proof: every symbol the loader would look up, looked up in the same order by the same rules.

It is driven by relocations: only what one names is ever looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.closure import Libc
from minpack.ld.lookup import Proof, ScopeMember
from minpack.ld.symbol_cache import SymbolsOf, symbols_of

if TYPE_CHECKING:
    from minpack.ld.closure import Closure


def prove(closure: Closure, symbols: SymbolsOf = symbols_of, *, counts: bool = True) -> Proof:
    """What the loader would look up for the closure, and what it would not find.

    :param symbols: gives the symbols of an object.
    :param counts: count what is looked up.
    :raises MalformedElfError: a table of an object cannot be true.
    :raises InputError: there is more to look up than any real program has.
    """
    if closure.libc is None or closure.interpreter is None:
        return Proof((), (), (), 0)
    return _prove(closure, frozenset(), symbols, counts=counts)


def prove_plugin(closure: Closure, plugin: frozenset[str], symbols: SymbolsOf = symbols_of) -> Proof:
    """What the loader would not find for what dlopen(3) brings; what it binds lazily is not fatal. Nothing is counted.

    :param closure: of the program with the plugin.
    :param plugin: the paths of the objects that come with it.
    :raises MalformedElfError: as `prove`.
    :raises InputError: as `prove`.
    """
    return _prove(closure, plugin, symbols, counts=False)


def _prove(closure: Closure, plugin: frozenset[str], symbols: SymbolsOf, *, counts: bool) -> Proof:
    named = {edge.path for edge in closure.edges}
    scope = tuple(
        ScopeMember(loaded, symbols(loaded))
        for loaded in closure.objects
        if loaded is not closure.interpreter or loaded.path in named
    )
    if closure.libc is Libc.MUSL:
        from minpack.ld.bind_musl import prove_musl  # noqa: PLC0415 - for one C library, as below

        return prove_musl(scope, closure, plugin, counts=counts)
    from minpack.ld.bind_glibc import prove_glibc  # noqa: PLC0415

    return prove_glibc(scope, closure, plugin, counts=counts)
