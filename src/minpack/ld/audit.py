"""The libraries that audit a program (rtld-audit(7)): glibc alone has them, each in a namespace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import UnloadableLibraryError
from minpack.ld.symbol_cache import SymbolsOf, symbols_of
from minpack.paths import PATH_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Audit, Closure, Environment
    from minpack.ld.glibc import GlibcLoader

#: The loader ends if more are named: of its 16 namespaces it keeps 4 for others (sysdeps/.../dl-tls.c,
#: _dl_tls_static_surplus_init; the tunable glibc.rtld.nns).
MOST = 12
#: What such a library must define, or be needing a library that does.
ENTRY = b"la_version"


def audit_names(program: ElfInfo, environment: Environment) -> tuple[str, ...]:
    """What LD_AUDIT names, then what the program's DT_AUDIT and DT_DEPAUDIT do (elf/rtld.c, audit_list_next)."""
    lists = (environment.audit, program.audit or "", program.dep_audit or "")
    return tuple(name for text in lists if text for name in text.split(":") if 0 < len(name) < PATH_MAX)


def with_audits(closure: Closure, names: tuple[str, ...], new: Callable[[], GlibcLoader]) -> Closure:
    """The closure with the libraries of those names, and all they need.

    :param new: gives a loader that has loaded nothing.
    :raises UnloadableLibraryError: they are more than the loader takes.
    """
    if len(names) > MOST:
        reason = f"it is one of {len(names)} that are to audit the program, and the loader takes {MOST}"
        raise UnloadableLibraryError(names[MOST], closure.program.path, reason)
    audits, aliases, cached = [], [*closure.aliases], [*closure.cached]
    for name in names:
        loader = new()
        audit = loader.run_audit(name)
        audits.append(audit)
        if not audit.problem:
            aliases += loader.aliases
            cached += loader.cached
    return closure._replace(audits=tuple(audits), aliases=tuple(aliases), cached=tuple(dict.fromkeys(cached)))


def ignored(closure: Closure, symbols: SymbolsOf | None = symbols_of) -> tuple[str, ...]:
    """One sentence for each library that was to audit the program and does not, with what the loader says of it.

    :param symbols: gives the symbols of an object; with None those that lack symbols are not told.
    :raises MalformedElfError: a table of an object cannot be true.
    """
    found = []
    for audit in closure.audits:
        problem = audit.problem or (_unbound(closure, audit, symbols) if symbols is not None else "")
        if problem:
            found.append(f"the loader starts the program without {audit.name}, which was to audit it: {problem}")
    return tuple(found)


def _unbound(closure: Closure, audit: Audit, symbols: SymbolsOf) -> str:
    """Why the namespace does not load, or is not taken for one that audits; empty if it is."""
    from minpack.ld.bind import prove  # noqa: PLC0415 - few programs are audited
    from minpack.ld.verdict import reasons  # noqa: PLC0415

    first = audit.objects[0]
    alone = closure._replace(program=first, objects=audit.objects, edges=audit.edges, late=frozenset(), audits=())
    wrong = reasons(prove(alone, symbols))
    if wrong:
        return wrong[0]
    if any(ENTRY in symbols(loaded).names for loaded in audit.objects):
        return ""
    return f"nothing in it defines {ENTRY.decode()}"
