"""Modes and owners in a plan: what they let the image's user do, and what of the host's they leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.errors import UnreadableFileError
from minpack.excerpt import listed
from minpack.paths import ancestors
from minpack.program.additions import PlaceKind, normalize_mode
from minpack.rootfs.access import EXECUTE, READ, WRITE, may
from minpack.rootfs.entry import Kind, directory
from minpack.rootfs.modes import SET_ID_BITS, is_meant
from minpack.rootfs.tree import Precedence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from minpack.base.packages import WholePackage
    from minpack.base.walk import Walk
    from minpack.ld.closure import Closure
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.program.additions import Placed
    from minpack.rootfs.entry import Entry
    from minpack.rootfs.etc_files import User
    from minpack.spec.image import ImageSpec, RunConfig

#: The most files that are named; the others are counted.
MOST = 3
_HINT = "change the mode or owner given with --dir or --add, or choose another --user"


def check_readable(plan: Plan, user: User) -> None:
    """Raise `UnreadableFileError` if `user` may not run the programs or their interpreters, or not read a library."""
    entries = {entry.path: entry for entry in plan.all}
    for path, what in unreadable(entries.get, plan.closures, user):
        raise UnreadableFileError(path, str(user), f"it {what.removesuffix(' it')}", _HINT)


def unreadable(
    lookup: Callable[[RootPath], Entry | None], closures: Sequence[Closure], user: User
) -> Iterator[tuple[RootPath, str]]:
    """The files of closures that `user` may not read or run, each with what may not be done, as ``may not read it``.

    Of what is behind a directory that may not be entered, it is that directory.

    :param lookup: gives what is at a path of the image.
    """
    found: dict[RootPath, str] = {}
    for closure in closures:
        # What the kernel starts need not be readable (execve(2)); what the interpreter opens need not be executable.
        started = (closure.program, closure.interpreter)
        for loaded in closure.opened:
            access = EXECUTE if loaded in started else READ
            path, what = _obstacle(lookup, loaded.entry.path, user, access)
            if what and path not in found:
                found[path] = what
                yield path, what


def may_reach(walk: Walk, user: User, access: int) -> bool:
    """Whether the user may pass all directories on the way, and has the access in the end."""
    passed = (one for one in walk.trail if one.kind is Kind.DIRECTORY)
    return walk.entry is not None and may(walk.entry, user, access) and all(may(one, user, EXECUTE) for one in passed)


def is_writable(tree: Walker, path: str, user: User) -> bool:
    """Whether the user may make files in the directory at `path`."""
    walk = tree.walk(path)
    if walk.entry is None or walk.entry.kind is not Kind.DIRECTORY:
        return False
    return may_reach(walk, user, WRITE) and may_reach(walk, user, EXECUTE)


def check_workdir(plan: Plan, run: RunConfig) -> None:
    """Raise `UnreadableFileError` if the image's user may not enter the working directory, where the program starts."""
    walk = Walker(base_of("the packed tree", plan.all)).walk(run.workdir)
    for entry in (*walk.trail, *((walk.entry,) if walk.entry is not None else ())):
        if entry.kind is Kind.DIRECTORY and not may(entry, run.user, EXECUTE):
            raise UnreadableFileError(entry.path, str(run.user), "it may not enter", _HINT)


def mode_notes(spec: ImageSpec, placed: Sequence[Placed], plan: Plan) -> tuple[str, ...]:
    """Notes on the modes of added files: those of the host that are lost, and those that keep the image's user out."""
    entries = {entry.path: entry for entry in plan.all}
    return (
        *_lost_notes(spec, placed, entries),
        *_unreadable_notes(spec.run.user, placed, entries),
        *_volume_notes(spec.run, plan),
    )


def package_notes(whole: Sequence[WholePackage], files: Walker) -> tuple[str, ...]:
    """What the user should know of programs of packages that run as their owner where the package is installed.

    :param files: over the tree in which the packages' files are.
    """
    notes = []
    for package in whole:
        for path in package.paths:
            entry = files.lstat(path)
            if entry is not None and entry.kind is Kind.FILE and entry.mode & SET_ID_BITS:
                modes = f"mode {entry.mode:04o} there and {normalize_mode(entry).mode:04o} in the image"
                notes.append(f"{path!r} of package {package.name} has {modes}: it runs as the image's user")
    return tuple(_some(notes, "programs of packages run as the image's user and not as their owner"))


def capability_notes(plan: Plan) -> tuple[str, ...]:
    """Which programs have file capabilities, and what a container must be given so that they start."""
    found = [entry for entry in plan.all if entry.capability and entry.kind is Kind.FILE]
    if not found:
        return ()
    from minpack.rootfs.capability import shown, unusual  # noqa: PLC0415 - few programs have some

    wanted = dict.fromkeys(name for entry in found for name in unusual(entry.capability))
    given = f": containers need {' '.join(f'--cap-add={name}' for name in wanted)} to start them" if wanted else ""
    names = listed((f"{entry.path} ({shown(entry.capability)})" for entry in found), MOST)
    return (f"packed with file capabilities: {names}{given}",)


def _lost_notes(spec: ImageSpec, placed: Sequence[Placed], entries: Mapping[RootPath, Entry]) -> list[str]:
    stated = {item.entry.path for item in placed if item.claim.mode >= Precedence.TREE}
    notes = {}
    for item in placed:
        mode, path, is_directory = item.host_mode, item.entry.path, item.entry.kind is Kind.DIRECTORY
        if mode is None or path in stated or entries[path].mode == mode:
            continue
        # A program is for all to run: of its mode this alone can be meant.
        is_program = item.kind is PlaceKind.PROGRAM
        if mode & SET_ID_BITS if is_program else is_meant(mode, spec.umask, enters=is_directory):
            option = _option(item, mode, None if mode & SET_ID_BITS and not is_directory else spec.run.user)
            has = f"has mode {mode:04o} on this host and {entries[path].mode:04o} in the image"
            notes[path] = f"{item.source!r} {has}; to keep its mode: {option}"
    return _some(list(notes.values()), "some added files have other modes in the image than on this host")


def _unreadable_notes(user: User, placed: Sequence[Placed], entries: Mapping[RootPath, Entry]) -> list[str]:
    notes = {}
    who = f"the image's user, {user}, cannot"
    for item in placed:
        path, entry = item.entry.path, entries.get(item.entry.path)
        if item.kind is not PlaceKind.ADDED or entry is None or entry.content is None:
            continue
        above = _closed_directory(entries.get, path, user)
        if above is not None:
            notes[path] = f"{who} enter {above!r}, which holds {path!r}"
        elif not (may(entry, user, READ) or may(entry, user, EXECUTE)):
            notes[path] = f"{who} read {path!r}; to make that user its owner: {_option(item, entry.mode, user)}"
    return _some(list(notes.values()), f"added files cannot be read by {user}")


def _volume_notes(run: RunConfig, plan: Plan) -> list[str]:
    notes = []
    tree = Walker(base_of("the packed tree", plan.all))
    for path in plan.config.volumes:
        entry = tree.walk(path).entry
        if entry is not None and not may(entry, run.user, WRITE):
            rights = f"{entry.mode:04o} {entry.uid}:{entry.gid}"
            notes.append(f"the image's user, {run.user}, cannot write to the volume {path!r} ({rights})")
    return _some(notes, f"volumes cannot be written to by {run.user}")


def _some(notes: list[str], what: str) -> list[str]:
    more = len(notes) - MOST
    return notes if more <= 0 else [*notes[:MOST], f"{more} more {what}"]


def _option(item: Placed, mode: int, owner: User | None) -> str:
    """The option that gives what is placed this mode; and this owner, unless it is root, who needs no right to read."""
    import shlex  # noqa: PLC0415 - for hardly any

    rights = f"{item.entry.path}:{mode:04o}{f':{owner}' if owner is not None and owner.uid else ''}"
    if item.entry.kind is Kind.DIRECTORY:
        return f"--dir {shlex.quote(rights)}"
    return f"--add {shlex.quote(f'{item.source}:{rights}')}"


def _closed_directory(lookup: Callable[[RootPath], Entry | None], path: RootPath, user: User) -> RootPath | None:
    """The first directory above `path` that `user` may not enter."""
    return next((one for one in ancestors(path) if not may(lookup(one) or directory(one), user, EXECUTE)), None)


def _obstacle(
    lookup: Callable[[RootPath], Entry | None], path: RootPath, user: User, access: int
) -> tuple[RootPath, str]:
    """The path that keeps `user` from a file, and what may not be done; an empty text if nothing does."""
    above = _closed_directory(lookup, path, user)
    if above is not None:
        return above, "may not enter it"
    entry = lookup(path)
    if entry is not None and not may(entry, user, access):
        return path, "may not read it" if access == READ else "may not run it"
    return path, ""
