"""Where the user's own files go: programs and additions, at physical paths in the base's tree."""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.base.overlay import number_above
from minpack.content import FileContent, reason_of
from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.read import read_elf
from minpack.elf.strip import Weight, stripped, weigh, why_not
from minpack.errors import InputError, NotProgramError, PathConflictError
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX, ROOT, RootPath, join, name, normal, parent
from minpack.rootfs.access import WRITE, may
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.rootfs.tree import Tree, with_hard_links

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.request import AddedDirectory, Addition, Request
    from minpack.rootfs.etcfiles import User


class Program(NamedTuple):
    """A program and where it goes in the image; `path` is the host's, or says which package it is from.

    `weight` is what symbol tables and debug sections have in the host's file; if `stripped`, `content` is without them.
    `unstripped` says why it could not be.
    """

    path: str
    content: Content
    info: ElfInfo
    destination: RootPath
    weight: Weight = Weight(0, 0)
    stripped: bool = False
    unstripped: str = ""


class PlaceKind(StrEnum):
    """What put an entry at its place."""

    PROGRAM = "program"
    ADDED = "added"
    LINK = "link"


class Placed(NamedTuple):
    """An entry of the user's, and why it is there."""

    entry: Entry
    kind: PlaceKind
    why: str


def read_program(path: str, destination: RootPath, *, strip: bool = False) -> Program:
    """The program at the host's `path`, checked to be one that can be packed.

    :param strip: without symbol tables and debug sections.
    :raises InputError: it cannot be read.
    :raises NotElfError: it is no ELF file.
    :raises MalformedElfError: it is damaged.
    :raises NotProgramError: it is a library, an object file, or packed.
    """
    content = host_file(path, "check the path, or build the program first")
    info = read_elf(content)
    if info.kind.is_program:
        program = Program(path, content, info, destination, weigh(content, info))
        return _stripped(program) if strip else program
    if info.kind is ElfKind.UPX:
        hint = "unpack it first with upx -d; its libraries and needs are hidden until then"
    elif info.kind is ElfKind.LIBRARY:
        hint = "name a program; a library goes in with --add SRC:DST"
    else:
        hint = "name a linked program"
    article = "an" if info.kind[0] in "aeioU" and info.kind is not ElfKind.UPX else "a"
    raise NotProgramError(path, f"{article} {info.kind}", hint)


def _stripped(program: Program) -> Program:
    if reason := why_not(program.content, program.info):
        return program._replace(unstripped=reason)
    content = stripped(program.content, program.info)
    if content is program.content:
        lacking = not any(program.weight)
        reason = "it has no symbol tables or debug sections" if lacking else "it would be no smaller"
        return program._replace(unstripped=reason)
    info = read_elf(content)
    assert info._replace(size=program.info.size) == program.info, "internal error: stripping changed what is loaded"
    return program._replace(content=content, info=info, stripped=True)


def program_destination(path: str, wanted: RootPath | None, below: RootPath) -> RootPath:
    """Where a program goes: at `wanted`, or under its own name in the directory `below`."""
    return wanted or normal(f"{below}/{path.rstrip('/').rpartition('/')[2]}")


def host_file(path: str, advice: str = "check the path") -> FileContent:
    """The regular file at the host's `path`.

    :param advice: what to do where there is no such file.
    :raises InputError: there is none, or it cannot be opened.
    """
    if not path:
        raise InputError(path, "the name is empty", hint="was a variable of the shell not set?")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(path, "it is a directory", hint="name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(path, "it is no regular file")
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        denied = "run minpack as a user who may read it" if isinstance(error, PermissionError) else None
        hint = advice if isinstance(error, FileNotFoundError) else denied
        raise InputError(path, reason_of(error), hint=hint) from error
    except ValueError as error:
        raise InputError(path, "the name holds a NUL") from error
    return FileContent(path, status.st_size, mtime=status.st_mtime_ns)


def place(
    request: Request, programs: tuple[Program, ...], walker: Walker, left_out: frozenset[str] = frozenset()
) -> tuple[Placed, ...]:
    """The entries of programs, --add, --dir and --symlink; links of the base on the way to them included.

    :param walker: over the base they are placed in.
    :param left_out: what is not taken of directories that are added: paths of the host, absolute and without links.
    :raises InputError: a file to add cannot be read.
    :raises PathConflictError: a path leads through something that is no directory.
    """
    found: list[Placed] = []
    for program in programs:
        entry = file(program.destination, program.content, 0o755)
        found += _at(walker, entry, PlaceKind.PROGRAM, "the program" if program is programs[0] else "a program")
    for addition in request.additions:
        for entry in _added(addition, left_out):
            found += _at(walker, entry, PlaceKind.ADDED, f"--add {addition.source}:{addition.destination}")
    for wanted in request.directories:
        found += _at(walker, _directory(wanted, request.run.user), PlaceKind.ADDED, f"--dir {wanted.path}")
    for link in request.links:
        entry = symlink(link.path, link.target)
        found += _at(walker, entry, PlaceKind.ADDED, f"--symlink {link.target}:{link.path}")
    return _with_inodes(found, request.run.user)


def _with_inodes(found: Sequence[Placed], user: User) -> tuple[Placed, ...]:
    """`found` with one inode for all names of one file of the host, where they are to be one file in the image too."""
    files = [number for number, item in enumerate(found) if item.entry.kind is Kind.FILE]
    if len(files) < 2:  # noqa: PLR2004 - one file has one name
        return tuple(found)
    groups: dict[tuple[object, ...], list[int]] = {}
    times: dict[tuple[object, ...], int] = {}
    for number in files:
        item = found[number]
        key = _identity(item.entry)
        if item.kind is not PlaceKind.PROGRAM and _is_writable(item.entry, user):
            # Names that are links of each other on the host stay that; each copy that was asked for is a file.
            path = (*key, os.path.realpath(_host_path(item.entry)))
            times[path] = nth = times.get(path, 0) + 1
            key = (*key, nth)
        groups.setdefault(key, []).append(number)
    made = list(found)
    for group in groups.values():
        if len({found[number].entry.path for number in group}) > 1:
            for number in group:
                entry = found[number].entry._replace(inode=number_above(group[0]))
                made[number] = found[number]._replace(entry=entry)
    return tuple(made)


def _host_path(entry: Entry) -> str:
    assert entry.content is not None, f"internal error: {entry.path} has no bytes"
    return entry.content.where


def _identity(entry: Entry) -> tuple[object, ...]:
    """Equal for names that can be one file: of one file of the host, with the same bytes, mode and owner."""
    path = _host_path(entry)
    try:
        status = os.stat(path)
    except OSError:
        # It is gone: reading it tells.
        return (path, entry.path)
    return (status.st_dev, status.st_ino, isinstance(entry.content, FileContent), *entry[2:5])


def _is_writable(entry: Entry, user: User) -> bool:
    """Whether the image's user may write to the file: what is written to one name is then to stay out of another.

    Whoever owns a file may give himself the right.
    """
    return entry.uid == user.uid or may(entry, user, WRITE)


def own_entries(placed: tuple[Placed, ...]) -> tuple[Entry, ...]:
    """The layer of the user's own files, as it is planned unless the base has something to say of their directories.

    :raises PathConflictError: two different things would be at one path.
    """
    tree: Tree[None] = Tree(lambda _: None)
    for item in placed:
        if item.kind is not PlaceKind.LINK:
            tree.add(item.entry, None)
    return with_hard_links(entry for entry, _ in tree)


def added_paths(placed: tuple[Placed, ...]) -> frozenset[RootPath]:
    """Where the user's files other than programs are."""
    return frozenset(item.entry.path for item in placed if item.kind is PlaceKind.ADDED)


def _at(walker: Walker, entry: Entry, kind: PlaceKind, why: str) -> Iterator[Placed]:
    """`entry` at its physical path, and the links of the base that lead there from the path the user wrote."""
    path, trail = physical(walker, entry.path)
    yield from (Placed(link, PlaceKind.LINK, f"leads to {path}") for link in trail)
    yield Placed(entry._replace(path=path), kind, why)


def physical(walker: Walker, path: RootPath) -> tuple[RootPath, tuple[Entry, ...]]:
    """Where `path` lies once the base's links in its directories are followed, and those links.

    :raises PathConflictError: one of its directories is something else in the base.
    """
    missing = [name(path)]
    above = parent(path)
    while True:
        walk = walker.walk(above)
        if walk.entry is not None:
            break
        if above == ROOT:
            return path, ()
        missing.append(name(above))
        above = parent(above)
    if walk.entry.kind is not Kind.DIRECTORY:
        raise PathConflictError(
            path, f"a {walk.entry.kind} at {above!r} in {walker.base.name}", "it would lie below it"
        )
    at = walk.entry.path
    for part in reversed(missing):
        at = join(at, part)
    return at, tuple(entry for entry in walk.trail if entry.kind is Kind.SYMLINK)


def _directory(wanted: AddedDirectory, user: User) -> Entry:
    owner = wanted.owner or user
    return directory(wanted.path, wanted.mode, owner.uid, owner.gid)


def _added(addition: Addition, left_out: frozenset[str]) -> Iterator[Entry]:
    """The entries of one --add: a file, or a directory with all that is in it."""
    if not os.path.isdir(addition.source):
        content = host_file(addition.source)
        yield file(addition.destination, content, 0o755 if os.stat(addition.source).st_mode & 0o100 else 0o644)
        return
    from minpack.base.directory import DirectoryBase  # noqa: PLC0415 - for added directories alone

    tree, real = DirectoryBase(addition.source), os.path.realpath(addition.source).rstrip("/")
    yield directory(addition.destination)
    todo = [ROOT]
    while todo:
        here = todo.pop()
        for part in tree.listdir(here):
            if left_out and f"{real}{join(here, part)}" in left_out:
                continue
            entry = tree.lstat(join(here, part))
            if entry is None or entry.kind is Kind.SPECIAL:
                raise InputError(f"{addition.source}{join(here, part)}", "it is no file, directory or symlink")
            if entry.kind is Kind.DIRECTORY:
                todo.append(entry.path)
            path = normal(addition.destination + entry.path)
            if len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
                place = f"{addition.source}{entry.path[:100]}…"
                raise InputError(place, f"its path in the image would be longer than {PATH_MAX - 1} bytes")
            yield plain(entry)._replace(path=path, inode=None)


def plain(entry: Entry) -> Entry:
    """`entry` as root's, readable by all, executable if its owner could execute it.

    So an image does not depend on who unpacked the base, under which umask, and any user of it can load its libraries.
    """
    executable = entry.kind is Kind.DIRECTORY or entry.mode & 0o100
    mode = 0o777 if entry.kind is Kind.SYMLINK else 0o755 if executable else 0o644
    return entry if entry[2:5] == (mode, 0, 0) else entry._replace(mode=mode, uid=0, gid=0)
