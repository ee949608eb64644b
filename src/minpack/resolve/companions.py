"""ELF files that are packed beside the programs that were named: plugins, and programs that those start.

Nothing names a plugin as needed, so each is resolved as if the program opened it with dlopen(3), and it alone: the
program and its libraries come first, then the plugin with what it needs by its own runpath at its place in the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import (
    BaseError,
    ElfError,
    MinpackError,
    ResolveError,
    UnloadableFileError,
    UnloadableLibraryError,
)
from minpack.excerpt import listed, shorten
from minpack.ld.allowed import excused, without_allowed
from minpack.ld.closure import LateName, Libc
from minpack.ld.resolve import resolve_plugins
from minpack.namedtuple import NamedTuple
from minpack.paths import name as name_of
from minpack.program.additions import PlaceKind
from minpack.program.read import Program
from minpack.resolve.closures import SURE, ProgramClosure, closure_with_late, environment_of
from minpack.spec.image import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from minpack.base.packages import WholePackage
    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.paths import RootPath
    from minpack.program.additions import Placed
    from minpack.rootfs.entry import Entry
    from minpack.spec.image import ImageSpec
    from minpack.target import Target

ELF_MAGIC = b"\x7fELF"
#: Programs that a plugin is tried with, the first ones: suites have one main program, and helpers that open nothing.
MOST_HOSTS = 8
#: More that would not load are counted.
MOST_NAMED = 5


class Companion(NamedTuple):
    """An ELF file at `path` of the image that is not a program the user named.

    `source` is what to call it in errors: the host's path of it, or where it is from. A `required` one was named
    itself.
    """

    path: RootPath
    content: Content
    info: ElfInfo
    source: str
    required: bool

    @property
    def is_plugin(self) -> bool:
        """Whether it is a library, which a program opens; else it is a program."""
        return self.info.kind is ElfKind.LIBRARY


class CompanionClosure(NamedTuple):
    """What the loader opens for a companion: its own closure, or that of the program that opens it.

    `own` has the paths of the objects that come with it, and `names` is what is opened for it, itself first. `problem`
    says why it would not load or start; else it is empty. Without a closure there is nothing that could open it, or
    `error` is why.
    """

    companion: Companion
    closure: Closure | None = None
    own: frozenset[str] = frozenset()
    problem: str = ""
    error: MinpackError | None = None
    names: tuple[LateName, ...] = ()

    @property
    def tried(self) -> bool:
        """Whether it is for this image at all: not what is for another architecture, or where nothing opens it."""
        return self.error is not None or self.closure is not None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of libraries that it lacks."""
        return tuple(missing.name for missing in self.closure.missing) if self.closure is not None else ()


def find_companions(
    spec: ImageSpec,
    placed: Iterable[Placed],
    whole: Iterable[WholePackage],
    taken: Iterable[tuple[Entry, bool]],
    files: Walker,
) -> tuple[Companion, ...]:
    """The libraries, and the programs that can be executed, among the user's files and those of packages and the base.

    :param taken: what is taken from the base, and whether it was named itself.
    :param files: over the tree in which the packages' files are.
    :raises InputError: a file cannot be read.
    """
    found: dict[RootPath, Companion] = {}
    for package in whole:
        for path in package.paths:
            entry = files.lstat(path)
            info = elf_info(entry)
            if entry is not None and entry.content is not None and info is not None:
                source = f"{path} of package {package.name}"
                found[path] = Companion(path, entry.content, info, source, required=info.kind is not ElfKind.LIBRARY)
    for entry, is_named in taken:
        info = elf_info(entry)
        if entry.content is not None and info is not None:
            source = f"{entry.path} of {files.base.name}"
            found[entry.path] = Companion(entry.path, entry.content, info, source, required=is_named)
    named = {addition.source for addition in spec.additions}
    for item in placed:
        info = elf_info(item.entry) if item.kind is PlaceKind.ADDED else None
        if item.entry.content is not None and info is not None:
            path = item.entry.path
            found[path] = Companion(path, item.entry.content, info, item.source, required=item.source in named)
    return tuple(found.values())


def elf_info(entry: Entry | None) -> ElfInfo | None:
    """What is known of the library or executable program that `entry` is; None if it is neither, or for no CPU."""
    if entry is None or entry.content is None or entry.content.size < len(ELF_MAGIC):
        return None
    with entry.content.open() as reader:
        if reader.read_at(0, len(ELF_MAGIC)) != ELF_MAGIC:
            return None
    try:
        info = read_elf(entry.content, entry.path)
    except ElfError:
        return None
    # EM_NONE: no CPU runs it. Guile keeps compiled modules so, for its own machine.
    if info.target.machine == 0:
        return None
    is_wanted = info.kind is ElfKind.LIBRARY or (info.kind.is_program and bool(entry.mode & 0o111))
    return info if is_wanted else None


def separate(
    programs: Sequence[Program], found: Sequence[Companion]
) -> tuple[tuple[Program, ...], tuple[Companion, ...]]:
    """The programs that must start as those that were named must, and the companions that are left."""
    places, target = {program.destination for program in programs}, programs[0].info.target
    own, left = [], []
    for companion in found:
        if companion.path in places:
            continue
        if companion.required and not companion.is_plugin and companion.info.target == target:
            own.append(companion_program(companion))
        else:
            left.append(companion)
    return tuple(own), tuple(left)


def companion_program(companion: Companion) -> Program:
    """The companion as a program of the image."""
    return Program(companion.source, companion.content, companion.info, companion.path)


def resolve_companions(
    spec: ImageSpec,
    programs: Sequence[Program],
    found: Sequence[ProgramClosure],
    companions: Sequence[Companion],
    tree: Walker,
    symbols: SymbolsOf,
    known: Sequence[CompanionClosure] = (),
) -> tuple[CompanionClosure, ...]:
    """What the loader opens for each companion.

    :param found: the closures of the programs, which may open plugins.
    :param known: what was found before of some of them, in the same tree.
    :raises InputError: a file cannot be read.
    """
    target = programs[0].info.target
    # What had a problem may load with one that is new. The others load as they did.
    before = {} if any(one.problem for one in known) else {one.companion.path: one for one in known}
    resolved: list[CompanionClosure] = []
    plugins: list[Companion] = []
    for companion in companions:
        if companion.path in before:
            resolved.append(before[companion.path])
        elif companion.info.target != target and not _runs_too(companion.info, target):
            problem = f"it is for {companion.info.target}, and the image for {target}"
            resolved.append(CompanionClosure(companion, problem=problem))
        elif companion.is_plugin:
            plugins.append(companion)
        else:
            resolved.append(_resolve_program(spec, companion, tree, symbols))
    started = [one.closure for one in found]
    own = (one.closure for one in resolved if one.closure and not one.missing and not one.companion.is_plugin)
    hosts = [*found, *(ProgramClosure(closure, ()) for closure in own)]
    loaded = {each.entry.path for closure in started for each in closure.opened}
    wanted = [plugin for plugin in plugins if plugin.path not in loaded]
    resolved += _resolve_plugins(spec, hosts, wanted, tree, symbols, tuple(before.values()))
    return tuple(resolved)


def _runs_too(info: ElfInfo, target: Target) -> bool:
    """Whether it needs nothing of the image: a static program of i386, which kernels of x86-64 run as well."""
    return info.kind in (ElfKind.STATIC, ElfKind.STATIC_PIE) and (info.target.name, target.name) == ("x86", "x86_64")


def _resolve_program(spec: ImageSpec, companion: Companion, tree: Walker, symbols: SymbolsOf) -> CompanionClosure:
    try:
        closure = closure_with_late(spec._replace(libraries=()), companion.path, tree, symbols).closure
    except (BaseError, ElfError, ResolveError) as error:
        return CompanionClosure(companion, problem=_reason(error, companion), error=error)
    problem = _lacks(closure, tree) if closure.missing else _unproved(spec, closure, symbols)
    return CompanionClosure(companion, closure, problem=problem)


def _resolve_plugins(
    spec: ImageSpec,
    hosts: Sequence[ProgramClosure],
    plugins: Sequence[Companion],
    tree: Walker,
    symbols: SymbolsOf,
    known: Sequence[CompanionClosure],
) -> Iterator[CompanionClosure]:
    """Each plugin with the first of the programs that can open it, or else the first of all.

    :param known: others, of which it is known.
    """
    able = [host for host in hosts if host.closure.libc is not None][:MOST_HOSTS]
    left = list(plugins)
    failed: dict[RootPath, CompanionClosure] = {}
    for host in able:
        if not left:
            break
        tried = list(_with_host(spec, host, left, tree, symbols, known))
        yield from (one for one in tried if not one.problem)
        for one in tried:
            if one.problem:
                failed.setdefault(one.companion.path, one)
        left = [one.companion for one in tried if one.problem]
    for plugin in left:
        problem = "no program of the image can open libraries"
        yield failed.get(plugin.path) or CompanionClosure(plugin, problem=problem)


def _with_host(
    spec: ImageSpec,
    host: ProgramClosure,
    plugins: Sequence[Companion],
    tree: Walker,
    symbols: SymbolsOf,
    known: Sequence[CompanionClosure],
) -> Iterator[CompanionClosure]:
    """Each plugin as the program `host` opens it."""
    program, libc = host.closure.program.path, host.closure.libc
    fitting = [plugin for plugin in plugins if libc_of_library(plugin.info) in (None, libc)]
    for plugin in plugins:
        wanted = libc_of_library(plugin.info)
        if wanted not in (None, libc):
            yield CompanionClosure(plugin, problem=f"it is for {wanted}, and {program} for {libc}")
    started = frozenset(loaded.path for loaded in host.closure.objects)
    own = [LateName((plugin.path,), program, required=True) for plugin in fitting]
    # What a plugin needs may be one that the program opens before it: Java's libraries need libjvm.so.
    others = {
        one.companion.info.soname or name_of(one.companion.path): LateName(
            (one.companion.path,), program, required=True
        )
        for one in known
        if one.companion.is_plugin
    }
    others |= {plugin.info.soname or name_of(plugin.path): one for plugin, one in zip(fitting, own, strict=True)}
    names: list[tuple[LateName, ...]] = [(one,) for one in own]
    while True:
        opened = list(resolve_plugins(tree, program, environment_of(spec.run), host.names, names))
        # What a plugin opens later may open more.
        previous, names = (
            names,
            [
                _in_order(before, one, others, _opened_later(one, started, symbols))
                for before, one in zip(names, opened, strict=True)
            ],
        )
        if previous == names:
            break
    all_opened = [*opened, *(one.closure for one in known if one.closure is not None)]
    for plugin, one, own_names in zip(fitting, opened, names, strict=True):
        if isinstance(one, MinpackError):
            yield CompanionClosure(plugin, problem=_reason(one, plugin), error=one)
            continue
        closure = without_allowed(one, spec.allowed_missing)
        paths = frozenset(loaded.path for loaded in closure.objects) - started
        problem = _lacks(closure, tree) if closure.missing else _unbound(spec, closure, paths, symbols, all_opened)
        yield CompanionClosure(plugin, closure, paths, problem, names=own_names)


def _in_order(
    names: tuple[LateName, ...], one: Closure | MinpackError, others: Mapping[str, LateName], later: Sequence[LateName]
) -> tuple[LateName, ...]:
    """What is opened for a plugin: those of the others that it lacks, what was opened, and what that opens."""
    lacking = [] if isinstance(one, MinpackError) else [missing.name for missing in one.missing]
    first = [others[name] for name in dict.fromkeys(lacking) if name in others and others[name] not in names]
    return (*first, *names, *(late for late in later if late not in names))


def _opened_later(one: Closure | MinpackError, started: frozenset[str], symbols: SymbolsOf) -> list[LateName]:
    """What the objects that come with a plugin say that they open, or glibc is known to open for them."""
    if isinstance(one, MinpackError) or one.missing:
        return []
    from minpack.ld.dlopen import find_sure  # noqa: PLC0415 - few images have plugins

    # The C library tells what it opens; the rest of the program's objects has been asked before.
    objects = [
        each
        for number, each in enumerate(one.objects)
        if not number or each.path not in started or (each.info.soname or "").startswith("libc.so.")
    ]
    names = {name for each in one.objects for name in (each.name, each.info.soname, each.path)}
    return [
        LateName(late.sonames, late.needed_by, required=False)
        for late in find_sure(one._replace(objects=tuple(objects)), symbols).late
        if late.level in SURE and late.needed_by not in started and names.isdisjoint(late.sonames)
    ]


def libc_of_library(info: ElfInfo) -> Libc | None:
    """The C library that a library is for, by what it needs; None if that does not tell.

    musl's is called libc.so, and by Alpine libc.musl-ARCH.so.1.
    """
    for name in info.needed:
        if name.startswith(("libc.so.", "ld-linux")):
            return Libc.GLIBC
        if name == "libc.so" or name.startswith("libc.musl-"):
            return Libc.MUSL
    return None


def _unproved(spec: ImageSpec, closure: Closure, symbols: SymbolsOf) -> str:
    """Why a program would not start, as far as its symbols tell."""
    if spec.check is Check.NONE or closure.libc is None:
        return ""
    from minpack.ld.bind import prove  # noqa: PLC0415 - as below
    from minpack.ld.verdict import reasons  # noqa: PLC0415

    try:
        proof = excused(prove(closure, symbols, counts=False), closure, spec.allowed_missing, symbols)
    except ElfError as error:
        return error.message
    return next(iter(reasons(proof)), "")


def _unbound(
    spec: ImageSpec,
    closure: Closure,
    own: frozenset[str],
    symbols: SymbolsOf,
    opened: Sequence[Closure | MinpackError],
) -> str:
    """Why a plugin would not load, as far as its symbols tell.

    :param opened: all plugins; one that is opened before for everybody (RTLD_GLOBAL) may define what another lacks.
    """
    if spec.check is Check.NONE:
        return ""
    from minpack.ld.bind import prove_plugin  # noqa: PLC0415 - few images have plugins
    from minpack.ld.verdict import reasons  # noqa: PLC0415 - as above

    try:
        proof = excused(prove_plugin(closure, own, symbols), closure, spec.allowed_missing, symbols)
        fatal = [unbound for unbound in proof.unbound if unbound.fatal]
        if fatal:
            left = _undefined({unbound.symbol for unbound in fatal}, opened, symbols)
            proof = proof._replace(unbound=tuple(unbound for unbound in fatal if unbound.symbol in left))
    except ElfError as error:
        return error.message
    return next(iter(reasons(proof)), "")


def _undefined(wanted: set[str], opened: Sequence[Closure | MinpackError], symbols: SymbolsOf) -> set[str]:
    """Those of the symbols that no object of any plugin has."""
    names = {symbol.encode("utf-8", "surrogateescape"): symbol for symbol in wanted}
    for loaded in {
        each.path: each for one in opened if not isinstance(one, MinpackError) for each in one.objects
    }.values():
        for found in names.keys() & symbols(loaded).names.keys():
            del names[found]
    return set(names.values())


def _lacks(closure: Closure, tree: Walker) -> str:
    """That libraries are missing, and in what."""
    names = listed(dict.fromkeys(missing.name for missing in closure.missing))
    return f"it needs {names}, which {shorten(tree.base.name)} lacks"


def _reason(error: MinpackError, companion: Companion) -> str:
    """Why `companion` would not load, without saying again that it is about that file."""
    if isinstance(error, UnloadableLibraryError):
        return error.reason if error.path == companion.path else f"{error.path}: {error.reason}"
    return error.message.partition(": ")[2].splitlines()[0] or error.message


def merged(found: Sequence[ProgramClosure], beside: Sequence[CompanionClosure]) -> tuple[Closure, ...]:
    """The closures of the programs, each with what comes with the plugins it opens, as objects that are late."""
    closures = {one.closure.program.path: one.closure for one in found}
    for one in beside:
        if one.closure is None or one.problem or not one.own:
            continue
        path = one.closure.program.path
        closures[path] = _with_plugin(closures[path], one.closure)
    return tuple(closures.values())


def _with_plugin(closure: Closure, plugin: Closure) -> Closure:
    known = {loaded.path for loaded in closure.objects}
    new = tuple(loaded for loaded in plugin.objects if loaded.path not in known)
    return closure._replace(
        objects=closure.objects + new,
        edges=tuple(dict.fromkeys((*closure.edges, *plugin.edges))),
        aliases=tuple(dict.fromkeys((*closure.aliases, *plugin.aliases))),
        settings=closure.settings or plugin.settings,
        cached=tuple(dict.fromkeys((*closure.cached, *plugin.cached))),
        late=closure.late.union(loaded.path for loaded in new),
    )


def refuse_unloadable(
    spec: ImageSpec, beside: Sequence[CompanionClosure], base: str, why_missing: Callable[[str], str]
) -> None:
    """Raise `UnloadableFileError` if a library would not load that was named itself, or with --strict any companion.

    :param why_missing: says of a library why no package helped.
    """
    failing = [one for one in beside if one.problem and (spec.strict or (one.companion.required and one.tried))]
    if failing:
        reasons = dict.fromkeys(why_missing(name) for one in failing for name in one.missing)
        why = listed(filter(None, reasons), separator="; ")
        advice = "add what it lacks with --add, or name with --allow-missing what the container runtime brings"
        files = tuple((one.companion.source, one.problem) for one in failing)
        raise UnloadableFileError(files, base, f"{why}; {advice}" if why else advice)


def companion_notes(beside: Sequence[CompanionClosure]) -> tuple[str, ...]:
    """One note that lists what would not load or start, and why."""
    failing = [one for one in beside if one.problem]
    if not failing:
        return ()
    reasons = (f"{one.companion.path} ({shorten(one.problem)})" for one in failing)
    many = f"{len(failing)} of {len(beside)} plugins and programs" if len(beside) > 1 else "it"
    verb = "will not load" if len(beside) == 1 else "would not load"
    return (f"packed, but {many} {verb}: {listed(reasons, MOST_NAMED, '; ')}",)
