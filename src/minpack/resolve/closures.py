"""What a program's loader would open in a tree, from the start and later. No rules of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.ld.closure import Environment, LateName, Libc, Missing
from minpack.ld.fit import find_loaders
from minpack.ld.resolve import resolve_closure, resolve_opened
from minpack.namedtuple import NamedTuple
from minpack.spec.image import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.base.walk import Walker
    from minpack.elf.symbols import Symbols
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.program.read import Program
    from minpack.spec.image import ImageSpec, RunConfig

#: What is packed of what is opened later; the rest is told.
SURE = frozenset(("required", "recommended"))


def audit_notes(closure: Closure, symbols: SymbolsOf | None) -> tuple[str, ...]:
    """What is to be told of the libraries that were to audit the program; without `symbols` less."""
    if not closure.audits:
        return ()
    from minpack.ld.audit import ignored  # noqa: PLC0415 - few programs are audited

    return ignored(closure, symbols)


def variants_of(run: RunConfig, closure: Closure, tree: Walker) -> tuple[Variant, ...]:
    """The variants for better CPUs that the loader would prefer."""
    if closure.libc is not Libc.GLIBC:
        return ()
    from minpack.ld.variants import find_variants  # noqa: PLC0415 - for glibc alone

    return find_variants(closure, tree, run.workdir)


def symbols_for(
    programs: Sequence[Program], check: Check, known: SymbolsOf | None = None, *, shell: bool = False
) -> SymbolsOf:
    """What reads the symbols of the programs' objects, each file's once; static programs have none to be read.

    :param check: what will be proved by them.
    :param known: what it was before, for some of the same files.
    :param shell: a shell of the base comes with the programs.
    """
    if all(program.info.interpreter is None for program in programs) and not shell:
        return _unread
    if known is not None and known is not _unread:
        return known
    from minpack.ld.symbol_cache import SymbolCache  # noqa: PLC0415 - for dynamic programs alone

    return SymbolCache(imports_alone=check is Check.NONE)


def _unread(loaded: LoadedObject) -> Symbols:
    raise AssertionError(f"internal error: the symbols of {loaded.path} are wanted")


class ProgramClosure(NamedTuple):
    """The closure of a program, and what it may open later that is not in it; `names` are what it is known to open."""

    closure: Closure
    late: tuple[LateLibrary, ...]
    names: tuple[LateName, ...] = ()


def closure_with_late(
    spec: ImageSpec,
    program: str,
    tree: Walker,
    symbols: SymbolsOf,
    on_closure: Callable[[Closure], None] | None = None,
    known: Closure | None = None,
) -> ProgramClosure:
    """The closure with what --add-lib names, and with what its files say, or glibc is known, to open later.

    What is opened later may open more, so it is looked at again until nothing new comes.

    :param on_closure: is told each closure before its symbols are read.
    :param known: what the program loads at the start, if that is known already; `spec` names no library then.
    """
    environment = environment_of(spec.run)
    names = tuple(LateName((soname,), program, required=True) for soname in spec.libraries)
    while True:
        found = known if known is not None and not names else resolve_closure(tree, program, environment, names)
        closure = without_allowed(found, spec)
        if closure.libc is None:
            return ProgramClosure(_with_opened(closure, tree, environment, names), ())
        if closure.missing:
            return ProgramClosure(closure, (), names)
        if on_closure is not None:
            on_closure(closure)
        from minpack.ld.dlopen import find_sure, with_hints  # noqa: PLC0415 - for dynamic programs alone

        sure = find_sure(closure, symbols)
        late, new = sure.late, _late_names(sure.late)
        if set(new) <= set(names):
            late = with_hints(closure, sure, symbols)
            new = _late_names(late)
        if set(new) <= set(names):
            return ProgramClosure(closure, late, names)
        names += tuple(name for name in new if name not in names)


def without_allowed(closure: Closure, spec: ImageSpec) -> Closure:
    """The closure, in which nothing that may be missing is; its edges tell still."""
    if not spec.allowed_missing or not closure.missing:
        return closure
    from minpack.ld import allowed  # noqa: PLC0415 - for --allow-missing alone

    return allowed.without_allowed(closure, spec.allowed_missing)


def _late_names(late: Sequence[LateLibrary]) -> tuple[LateName, ...]:
    """What is packed of what is opened later, as names to search for."""
    packed = (library for library in late if library.sonames and library.level in SURE)
    return tuple(LateName(one.sonames, one.needed_by, one.level == "required") for one in packed)


def _with_opened(closure: Closure, tree: Walker, environment: Environment, names: tuple[LateName, ...]) -> Closure:
    """The closure of a static program with the libraries that --add-lib names.

    They are searched for as the loader of the base would, of one with both that of glibc: dlopen(3) of musl's static
    library opens nothing. Without a loader all are missing.
    """
    if not names:
        return closure
    loaders = [loader for loader in find_loaders(tree) if loader.target == closure.program.info.target]
    loader = min(loaders, key=lambda one: one.libc is not Libc.GLIBC, default=None)
    if loader is None:
        return closure._replace(missing=tuple(Missing(one.sonames[0], one.needed_by, ()) for one in names))
    return resolve_opened(tree, closure.program.path, loader.path, environment, names)


def environment_of(run: RunConfig) -> Environment:
    """What of the image's configuration its loader heeds."""
    env = dict(run.env)
    paths, preload, audit = (env.get(name, "") for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"))
    return Environment(paths, preload, run.workdir, audit)
