"""From programs and a base to what their loaders would open. No rules of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.options import SCRATCH
from minpack.base.overlay import OverlayBase
from minpack.base.walk import Walker
from minpack.errors import (
    DownloadError,
    OfflineError,
    WrongTargetError,
)
from minpack.excerpt import listed
from minpack.ld.closure import Environment, LateName, Libc, Missing
from minpack.ld.fit import check_fit, find_loaders
from minpack.ld.resolve import resolve_closure, resolve_opened
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.program.additions import YOURS
from minpack.program.place import place
from minpack.program.read import Program, program_destination, read_program
from minpack.rootfs.tree import Tree
from minpack.sources.fitting import HOST, base_name, fitting_hint
from minpack.sources.open import open_base
from minpack.sources.packages import open_packages
from minpack.spec.image import Check
from minpack.target import ARM, alpine_arch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.base.packages import Packages
    from minpack.elf.symbols import Symbols
    from minpack.ld.bind import Proof
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.program.additions import Placed
    from minpack.progress import Progress
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform

#: What is packed of what is opened later; the rest is told.
SURE = frozenset(("required", "recommended"))


class Resolved(NamedTuple):
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
    #: Whether the base is one that is fetched, and whether a package was.
    fetched_base: bool = False
    fetched_package: bool = False

    @property
    def result(self) -> str:
        """``loads``, ``fails`` or ``unchecked``."""
        if self.closure.missing or (self.proof is not None and not self.proof.loads):
            return "fails"
        return "loads" if self.proof is not None else "unchecked"


def resolve(request: ImageSpec, base: str | None, options: BaseOptions, progress: Progress) -> Resolved:
    """The closure of the request's one program on a base; what is missing is in it, not raised.

    On the host's own tree the program stays where it is, as for ldd(1).

    :param base: None for the host's tree, or nothing for a static program.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    (read,) = read_programs(request)
    platform = platform_of((read,), request.platform)
    fetched_for = base_platform((read,), platform, request.platform)
    name = base_name(base) if base is not None else SCRATCH if read.info.interpreter is None else HOST
    if name == HOST and request.destination is None:
        read = read._replace(destination=RootPath(os.path.realpath(read.path)))
    with (
        open_base(name, fetched_for, options, progress) as opened,
        open_packages(opened.base, alpine_arch(fetched_for), options, progress) as packages,
    ):
        walker = Walker(opened.base)
        check_fit(read.path, read.info, walker, fitting_hint(read.info, platform, options.today))
        placed = place(request, (read,), walker)
        while True:
            tree = Walker(with_placed(placed, packages.over(opened.base)), walker.known)
            closure = resolve_closure(tree, read.destination, environment_of(request))
            if not add_missing(packages, [missing.name for missing in closure.missing], opened.base.name):
                break
        notes = (*opened.notes, *packages.notes)
        if request.check is Check.NONE:
            variants = variants_of(request, closure, tree)
            found = Resolved(closure, opened.base.name, (*notes, *audit_notes(closure, None)), variants=variants)
        else:
            found = _proved(request, read, tree, opened.base.name, notes)
        return found._replace(fetched_base=bool(opened.url), fetched_package=bool(packages.fetched))


def _proved(request: ImageSpec, program: Program, tree: Walker, base: str, notes: tuple[str, ...]) -> Resolved:
    """The closure with what is opened later, and its load proof."""
    from minpack.ld.bind import prove  # noqa: PLC0415 - only when asked for
    from minpack.ld.demands import demands  # noqa: PLC0415

    symbols = symbols_for((program,), request.check)
    closure, late = closure_with_late(request, program.destination, tree, symbols)
    variants = variants_of(request, closure, tree)
    if closure.missing:
        return Resolved(closure, base, (*notes, *audit_notes(closure, None)), None, late, variants)
    proof, demanded = prove(closure, symbols), demands(closure, symbols)
    proof = proof._replace(problems=(*proof.problems, *demanded.problems))
    notes = (*notes, *audit_notes(closure, symbols))
    return Resolved(closure, base, notes, proof, late, variants, demanded)


def audit_notes(closure: Closure, symbols: SymbolsOf | None) -> tuple[str, ...]:
    """What is to be told of the libraries that were to audit the program; without `symbols` less."""
    if not closure.audits:
        return ()
    from minpack.ld.audit import ignored  # noqa: PLC0415 - few programs are audited

    return ignored(closure, symbols)


def variants_of(request: ImageSpec, closure: Closure, tree: Walker) -> tuple[Variant, ...]:
    """The variants for better CPUs that the loader would prefer."""
    if closure.libc is not Libc.GLIBC:
        return ()
    from minpack.ld.variants import find_variants  # noqa: PLC0415 - for glibc alone

    return find_variants(closure, tree, request.run.workdir)


def chain_to(closure: Closure, name: str) -> tuple[LoadedObject, ...]:
    """The objects from the program to the one called `name`, each needing the next; empty if there is none."""
    by_path = {loaded.path: loaded for loaded in reversed(closure.opened)}
    at = next((o for o in closure.opened if name in (o.name, o.path, o.entry.path, o.info.soname)), None)
    chain: list[LoadedObject] = []
    while at is not None:
        chain.append(at)
        at = by_path.get(at.needed_by) if at.needed_by else None
    return tuple(reversed(chain))


def read_programs(request: ImageSpec) -> tuple[Program, ...]:
    """The programs of the request, each with its place.

    :raises InputError: one cannot be read.
    :raises ElfError: one is no program that can be packed.
    """
    single = request.destination if len(request.programs) == 1 else None
    return tuple(
        read_program(path, program_destination(path, single, request.directory), strip=request.strip)
        for path in request.programs
    )


def platform_of(programs: Sequence[Program], wanted: Platform | None) -> Platform:
    """The platform of all the programs.

    :param wanted: chooses a variant, but none that a program needs more than.
    :raises WrongTargetError: they are not all for one, or not for the one wanted.
    """
    first = programs[0]
    for program in programs[1:]:
        if program.info.target != first.info.target:
            raise WrongTargetError(
                program.path, str(first.info.target), str(program.info.target), "pack each architecture by itself"
            )
    platform = first.info.target.platform
    if platform is None:
        raise WrongTargetError(first.path, "an architecture that OCI images know", str(first.info.target))
    if wanted is not None and (wanted.os, wanted.architecture) != (platform.os, platform.architecture):
        hint = f"build it for {wanted} first (GOARCH={wanted.architecture}); the platform comes from the program"
        raise WrongTargetError(first.path, str(wanted), str(platform), hint)
    if not (wanted or platform).tells_variant:
        return platform
    from minpack.program.platforms import with_variant  # noqa: PLC0415 - for ARM, and where a variant is wanted

    return with_variant(programs, platform, wanted)


def base_platform(programs: Sequence[Program], platform: Platform, wanted: Platform | None) -> Platform:
    """The platform to fetch a base for: the image's, unless that is one for which distributions have less.

    Of ARM they have the usual variant. What a static program takes of it is data; whatever else is, the label tells.
    """
    own = programs[0].info.target.platform
    static = all(program.info.interpreter is None for program in programs)
    return own if own is not None and static and wanted is None and platform.architecture == ARM else platform


def symbols_for(programs: Sequence[Program], check: Check, *, shell: bool = False) -> SymbolsOf:
    """What reads the symbols of the programs' objects, each file's once; static programs have none to be read.

    :param check: what will be proved by them.
    :param shell: a shell of the base comes with the programs.
    """
    if all(program.info.interpreter is None for program in programs) and not shell:
        return _unread
    from minpack.ld.symbol_cache import SymbolCache  # noqa: PLC0415 - for dynamic programs alone

    return SymbolCache(imports_alone=check is Check.NONE)


def _unread(loaded: LoadedObject) -> Symbols:
    raise AssertionError(f"internal error: the symbols of {loaded.path} are wanted")


def add_missing(packages: Packages, missing: Sequence[str], base: str) -> bool:
    """Whether packages came for what is missing; the error of a download says what it was for."""
    try:
        return packages.add_libraries(missing)
    except OfflineError:
        raise
    except DownloadError as error:
        names = listed(dict.fromkeys(missing))
        hint = f"it was to have {names}, which {base} lacks (--no-packages asks none); {error.hint}"
        raise DownloadError(error.url, error.reason, hint, status=error.status) from error


class ProgramClosure(NamedTuple):
    """The closure of a program, and what it may open later that is not in it."""

    closure: Closure
    late: tuple[LateLibrary, ...]


def closure_with_late(request: ImageSpec, program: str, tree: Walker, symbols: SymbolsOf) -> ProgramClosure:
    """The closure with what --add-lib names, and with what its files say, or glibc is known, to open later.

    What is opened later may open more, so it is looked at again until nothing new comes.
    """
    environment = environment_of(request)
    names = tuple(LateName((soname,), program, required=True) for soname in request.libraries)
    while True:
        closure = resolve_closure(tree, program, environment, names)
        if closure.libc is None:
            return ProgramClosure(_with_opened(closure, tree, environment, names), ())
        if closure.missing:
            return ProgramClosure(closure, ())
        from minpack.ld.dlopen import find_sure, with_hints  # noqa: PLC0415 - for dynamic programs alone
        from minpack.ld.late import Level  # noqa: PLC0415

        sure = find_sure(closure, symbols)
        packed = (library for library in sure.late if library.sonames and library.level in SURE)
        new = tuple(LateName(one.sonames, one.needed_by, one.level is Level.REQUIRED) for one in packed)
        if set(new) <= set(names):
            return ProgramClosure(closure, with_hints(closure, sure, symbols))
        names += tuple(name for name in new if name not in names)


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


def with_placed(placed: Sequence[Placed], base: Base) -> Base:
    """The base with the user's files laid over it."""
    tree: Tree[None] = Tree(lambda _: None)
    for item in placed:
        if item.kind in YOURS:
            tree.add(item.entry, None, item.claim)
    return OverlayBase(base_of("files", [entry for entry, _ in tree if entry.path not in tree.implied]), base)


def environment_of(request: ImageSpec) -> Environment:
    """What of the image's configuration its loader heeds."""
    env = dict(request.run.env)
    paths, preload, audit = (env.get(name, "") for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"))
    return Environment(paths, preload, request.run.workdir, audit)
