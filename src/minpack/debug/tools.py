"""The layer of tools: a shell, what packages are added, and what all of it needs, below `DEBUG_ROOT` alone."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.alpine.dependencies import add_with_dependencies
from minpack.alpine.packages import AlpinePackages
from minpack.base.entries import base_of
from minpack.base.options import BaseKind
from minpack.base.walk import Walker, tree_below
from minpack.catalog.alpine import fitting_bases
from minpack.content import BytesContent, read_all
from minpack.debug.describe import installed_database, sbom_file
from minpack.debug.places import BIN, LIB, LOADER, places_of
from minpack.debug.relocate import relocate
from minpack.errors import (
    BaseError,
    LibcMismatchError,
    MissingLibraryError,
    NotInBaseError,
    NotProgramError,
    UnknownBaseError,
    UsageError,
    WrongTargetError,
)
from minpack.ld.closure import Libc
from minpack.ld.constants import MAX_LOADER, musl_constants
from minpack.ld.resolve import resolve_closure
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, join, sort_key
from minpack.program.platforms import platform_of_file
from minpack.resolve.companions import elf_info
from minpack.rootfs.entry import Kind, file, symlink
from minpack.sources.session import open_session
from minpack.spec.base_ref import BaseRef
from minpack.spec.debug import DEBUG_ROOT
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from minpack.base.options import BaseOptions
    from minpack.base.packages import PackageId
    from minpack.ld.closure import Closure
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.sources.session import Session
    from minpack.spec.debug import ToolsSpec
    from minpack.target import Platform

BUSYBOX = RootPath("/bin/busybox")
#: Where a distribution has commands, busybox's links among them.
_COMMANDS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
_HINT = "name an Alpine base: --tools-base alpine-3.22"
#: What tells scanners and users which distribution the tools are of.
_OS_RELEASE = "/etc/os-release"


class Tools(NamedTuple):
    """The tools for one platform, open with the base that they are from: `entries` are a layer's, in its order.

    `base` is what the base is called, and `url` where it was fetched from; `packages` are those that were fetched.
    """

    entries: tuple[Entry, ...]
    base: str
    url: str
    packages: tuple[PackageId, ...]
    notes: tuple[str, ...]


@contextmanager
def open_tools(spec: ToolsSpec, platform: Platform, options: BaseOptions, progress: Progress) -> Generator[Tools]:
    """The tools that `spec` names, which can be read until the block is left.

    :raises NotInBaseError: the base has no busybox.
    :raises BaseError: it is for another C library than musl.
    :raises UsageError: there is no package of a name.
    :raises MissingLibraryError: a tool needs a library that is nowhere.
    :raises MinpackError: as `open_session`.
    """
    ref = spec.base or newest_alpine(platform, options.today)
    with open_session(ref, platform, options, progress) as session:
        yield _tools(spec, session, platform)


def newest_alpine(platform: Platform, today: str) -> BaseRef:
    """The newest release of Alpine that is supported on the day `today`, and is for the platform.

    :raises UnknownBaseError: there is none.
    """
    names = fitting_bases(alpine_arch(platform) or "", today)
    if not names:
        raise UnknownBaseError("alpine", f"it has no release for {platform}", "name a base with --tools-base")
    return BaseRef(BaseKind.RELEASE, names[0], names[0])


def _tools(spec: ToolsSpec, session: Session, platform: Platform) -> Tools:
    shell = _busybox(session, platform)
    paths, notes = _package_paths(spec, session)
    tree = session.tree()
    added = [entry for path in paths if (entry := tree.lstat(path)) is not None]
    closures = [_shell_closure(tree), *_closures(tree, added)]
    loader = next((one.interpreter.entry.path for one in closures if one.interpreter is not None), None)
    loaded = (entry for one in closures for each in one.objects for entry in (each.entry, *each.trail))
    # Links of busybox come last: a package's program takes their place.
    entries = list({entry.path: entry for entry in (shell, *added, *loaded, *_applets(session.walker, shell))}.values())
    places = places_of(tree, entries, loader)
    made = relocate(entries, places, loader)
    found = {entry.path: entry for entry in (*_loader_files(tree, loader, made.searched), *made.entries)}
    sh = join(BIN, "sh")
    found.setdefault(sh, symlink(sh, "busybox"))
    _check_loads(found.values(), session.name)
    found.update((one.path, one) for one in _about(session, places.found, made.changed, entries))
    whole = _with_directories(found.values())
    sbom = sbom_file(whole, platform)
    notes = (*session.opened.notes, *session.packages.notes, *notes, *made.notes)
    told, url, fetched = tuple(dict.fromkeys(notes)), session.opened.url, session.packages.fetched
    return Tools(_with_directories([*whole, sbom]), session.name, url, fetched, told)


def _busybox(session: Session, platform: Platform) -> Entry:
    """The shell, which is for the platform.

    :raises NotInBaseError: there is none.
    :raises WrongTargetError: it is for another one.
    """
    entry = session.walker.find_file(BUSYBOX)
    info = elf_info(entry)
    if entry is None or entry.content is None or info is None:
        raise NotInBaseError(session.name, BUSYBOX, "which has the shell", _HINT)
    found = platform_of_file(entry.content, info)
    if found is None or found[:2] != platform[:2]:
        hint = f"name an Alpine base for {platform} with --tools-base"
        raise WrongTargetError(session.name, str(platform), str(found or info.target), hint)
    return entry


def _package_paths(spec: ToolsSpec, session: Session) -> tuple[tuple[RootPath, ...], tuple[str, ...]]:
    """Where the files of all packages are that are wanted, and notes."""
    if not spec.packages:
        return (), ()
    if not isinstance(session.packages, AlpinePackages):
        raise UsageError("--tools", ",".join(spec.packages), f"{session.name} has no package repositories", _HINT)
    found = add_with_dependencies(session.packages, spec.packages, "--tools")
    return found.paths, found.missing


def _programs(entries: Iterable[Entry]) -> Iterator[RootPath]:
    """The programs among them."""
    for entry in entries:
        info = elf_info(entry) if entry.kind is Kind.FILE else None
        if info is not None and info.kind.is_program:
            yield entry.path


def _shell_closure(tree: Walker) -> Closure:
    """What the loader, which is musl's, opens for the shell.

    :raises BaseError: it is glibc's.
    """
    closure = resolve_closure(tree, BUSYBOX)
    if closure.libc is Libc.GLIBC:
        raise BaseError(tree.base.name, f"its {BUSYBOX} needs glibc, and tools are relocated with musl's loader", _HINT)
    return _complete(closure, tree)


def _closures(tree: Walker, added: Iterable[Entry]) -> Iterator[Closure]:
    """Those of the programs of packages, but for any that need a loader which is not there: they will be left out.

    :raises MissingLibraryError: a library is missing.
    """
    for program in _programs(added):
        with suppress(NotInBaseError, LibcMismatchError, NotProgramError):
            closure = resolve_closure(tree, program)
            if closure.libc is not Libc.GLIBC:
                yield _complete(closure, tree)


def _complete(closure: Closure, tree: Walker) -> Closure:
    if closure.missing:
        raise MissingLibraryError(closure.program.path, tree.base.name, closure.missing, "choose another --tools-base")
    return closure


def _applets(base: Walker, shell: Entry) -> Iterator[Entry]:
    """The commands that are busybox by other names, as links."""
    for directory in _COMMANDS:
        where = base.walk(directory).entry
        if where is None:
            continue
        for path in (join(where.path, part) for part in base.base.listdir(where.path)):
            entry, leads = base.lstat(path), base.walk(path).entry
            if entry is None or leads is None or path == shell.path:
                continue
            if leads.path == shell.path or (leads.inode is not None and leads.inode == shell.inode):
                yield entry if entry.kind is Kind.SYMLINK else symlink(path, shell.path)


def _loader_files(tree: Walker, loader: RootPath | None, searched: Iterable[RootPath]) -> Iterator[Entry]:
    """The file that says where the loader searches: musl's reads it beside itself, and then nothing else."""
    entry = tree.lstat(loader) if loader is not None else None
    if entry is None or entry.content is None:
        return
    arch = musl_constants(read_all(entry.content, MAX_LOADER), LOADER).arch
    directories = (LIB, f"{DEBUG_ROOT}/local/lib", *searched)
    path = RootPath(f"{DEBUG_ROOT}/etc/ld-musl-{arch}.path")
    yield file(path, BytesContent(":".join(dict.fromkeys(directories)).encode("utf-8", "surrogateescape")))


def _check_loads(entries: Iterable[Entry], base: str) -> None:
    """Raise `MissingLibraryError` if a tool would lack a library at its new place."""
    tree = Walker(base_of(base, entries))
    for program in _programs(one for _, one in tree_below(tree.base, ROOT) if one is not None):
        closure = resolve_closure(tree, program)
        if closure.missing:
            raise MissingLibraryError(program, base, closure.missing, "leave the package out of --tools")


def _about(
    session: Session, places: Mapping[RootPath, RootPath], changed: frozenset[RootPath], entries: Iterable[Entry]
) -> Iterator[Entry]:
    """What says which packages and which distribution the tools are of."""
    release = session.walker.find_file(_OS_RELEASE)
    if release is not None and release.content is not None:
        yield file(RootPath(f"{DEBUG_ROOT}{_OS_RELEASE}"), release.content)
    yield from installed_database(session.packages, [one for one in entries if one.path in places], places, changed)


def _with_directories(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries with the directories that they are in, in the order of a layer."""
    base = base_of("tools", entries)
    found = (entry for _, entry in tree_below(base, ROOT) if entry is not None)
    return tuple(sorted(found, key=lambda one: sort_key(one.path)))
