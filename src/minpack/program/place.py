"""Where the user's own files go: programs and additions, at physical paths in the base's tree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase, number_above
from minpack.base.walk import Walker
from minpack.content import FileContent
from minpack.errors import InputError, PathConflictError, reason_of
from minpack.paths import RootPath, ancestors
from minpack.program.additions import YOURS, Placed, PlaceKind, additions, normalize_mode
from minpack.rootfs.access import WRITE, is_executable, may, read_capability
from minpack.rootfs.entry import Entry, Kind, directory, file
from minpack.rootfs.modes import SHARED_MODE, standard_directories
from minpack.rootfs.tree import Claim, Precedence, Tree, with_hard_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from minpack.base.interface import Base
    from minpack.program.read import Program
    from minpack.rootfs.etc_files import User
    from minpack.spec.image import ImageSpec, RunConfig


def place(
    spec: ImageSpec, programs: tuple[Program, ...], walker: Walker, left_out: frozenset[str] = frozenset()
) -> tuple[Placed, ...]:
    """The entries of programs with what lies beside them, and of --add, --dir, --symlink, --volume and --workdir.

    They are at their physical paths.

    Links on the way to them, the base's and the user's own, are followed; those of the base are among the entries.

    :param walker: over the base they are placed in.
    :param left_out: what is not taken of directories that are added: paths of the host, absolute and without links.
    :raises InputError: a file to add cannot be read.
    :raises UsageError: a directory to add was given a mode that only a file can have, or an owner that is not there.
    :raises PathConflictError: a path leads through something that is not a directory.
    """
    if spec.additions or spec.directories:
        from minpack.program.owners import names_owners, with_owner_numbers  # noqa: PLC0415 - where something is added

        spec = with_owner_numbers(spec, walker) if names_owners(spec) else spec
    read = {(program.path, program.destination): program.content for program in programs}
    added = (_as_read(item, programs) for item in additions(spec, read, left_out))
    wanted = (*_programs(programs), *added, *_bundles(spec, programs))
    known: dict[RootPath, Entry] = {}
    links = {number: item for number, item in enumerate(wanted) if item.entry.kind is Kind.SYMLINK}
    placed, walker = _place_links(links, walker, known)
    found: list[Placed] = []
    for number, item in enumerate(wanted):
        found += placed[number] if number in placed else _at(walker, item, known)
    if spec.strip:
        from minpack.program.stripping import strip_added  # noqa: PLC0415 - for --strip alone

        found = list(strip_added(found))
    found = [_with_capability(item) for item in found]
    return _with_inodes(_with_wanted(spec, programs, found) if spec.capabilities else found, spec.run.user)


def _with_wanted(spec: ImageSpec, programs: tuple[Program, ...], found: list[Placed]) -> list[Placed]:
    """`found`, the first program with the capabilities that were asked for, whatever its file has on the host."""
    from minpack.spec.capability import capability_data  # noqa: PLC0415 - for --cap alone

    data, first = capability_data(spec.capabilities), programs[0].content
    return [
        item._replace(entry=item.entry._replace(capability=data)) if item.entry.content is first else item
        for item in found
    ]


def _as_read(item: Placed, programs: tuple[Program, ...]) -> Placed:
    """`item` as the program was read that it is: a link to it may have been named, and a directory added with it."""
    for program in programs:
        if item.entry.path == program.destination and item.entry.content is not None:
            same = bool(item.source) and _is_same(item.source, program.path)
            return item._replace(entry=item.entry._replace(content=program.content)) if same else item
    return item


def _is_same(source: str, program: str) -> bool:
    """Whether both are one file of this host.

    :raises InputError: one cannot be looked at any more.
    """
    try:
        return os.path.samefile(source, program)
    except OSError as error:
        raise InputError(source, reason_of(error)) from error


def _bundles(spec: ImageSpec, programs: tuple[Program, ...]) -> tuple[Placed, ...]:
    """The libraries that programs look for beside themselves, and that lie there on this host."""
    if not any("ORIGIN" in (one.info.rpath or "") or "ORIGIN" in (one.info.runpath or "") for one in programs):
        return ()
    from minpack.program.bundles import place_bundles  # noqa: PLC0415 - few programs look beside themselves

    return tuple(place_bundles(spec, programs))


def _with_capability(item: Placed) -> Placed:
    """`item` with the capabilities that its file has on the host: nothing gives it some by accident."""
    entry = item.entry
    if entry.content is None or not is_executable(entry.kind, entry.mode):
        return item
    capability = read_capability(entry.content.where)
    return item._replace(entry=entry._replace(capability=capability)) if capability else item


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


def with_placed(placed: Sequence[Placed], base: Base) -> Base:
    """The base with the user's files laid over it."""
    tree: Tree[None] = Tree(lambda _: None)
    for item in placed:
        if item.kind in YOURS:
            tree.add(item.entry, None, item.claim)
    return OverlayBase(base_of("files", [entry for entry, _ in tree if entry.path not in tree.implied]), base)


def standard_of(run: RunConfig, placed: Iterable[Placed]) -> dict[RootPath, Entry]:
    """The directories that keep their mode and owner whatever is put into them."""
    return standard_directories(run.user, any_user=run.any_user) | {
        item.entry.path: item.entry for item in placed if item.kind is PlaceKind.SHARED
    }


def own_entries(placed: tuple[Placed, ...], run: RunConfig) -> tuple[Entry, ...]:
    """The layer of the user's own files, as it is planned.

    :raises PathConflictError: two different things would be at one path.
    :raises ContradictoryOptionsError: two options say different things of one path.
    """
    tree: Tree[None] = Tree(lambda _: None, standard_of(run, placed))
    for item in placed:
        if item.kind in YOURS:
            tree.add(item.entry, None, item.claim)
    return with_hard_links(entry for entry, _ in tree)


def added_paths(placed: tuple[Placed, ...]) -> frozenset[RootPath]:
    """Where the user's files other than programs are."""
    return frozenset(item.entry.path for item in placed if item.kind is PlaceKind.ADDED)


def _programs(programs: tuple[Program, ...]) -> Iterator[Placed]:
    claim = Claim(mode=Precedence.PURPOSE)
    for program in programs:
        entry = file(program.destination, program.content, 0o755)
        why = "the program" if program is programs[0] else "a program"
        yield Placed(entry, PlaceKind.PROGRAM, why, claim, program.path, program.mode)


def _place_links(
    links: Mapping[int, Placed], walker: Walker, known: dict[RootPath, Entry]
) -> tuple[dict[int, tuple[Placed, ...]], Walker]:
    """The user's links at their places, which are put into `known`, and a walker over the base that follows them too.

    One that lies below another is placed when that is: so their order does not matter.
    """
    found: dict[int, tuple[Placed, ...]] = {}
    own: dict[RootPath, Entry] = {}
    base = walker.base
    while links:
        at = {number: walker.locate(item.entry.path).path for number, item in links.items()}
        taken = set(at.values())
        below = {}
        for number, item in links.items():
            path = at[number]
            if taken.isdisjoint(ancestors(path)):
                found[number] = tuple(_at(walker, item, known))
                own[path] = known[path] = item.entry._replace(path=path)
            else:
                below[number] = item
        walker = Walker(OverlayBase(base_of("links", own.values()), base), walker.known)
        links = below
    return found, walker


def _at(walker: Walker, item: Placed, known: dict[RootPath, Entry]) -> Iterator[Placed]:
    """What is at `item`'s place, which is where the links in its path lead, and what of the base is on the way there.

    :param known: the links, and directories of the base, that are placed already.
    :raises PathConflictError: it would be below something of the base's that is not a directory.
    """
    path = item.entry.path
    where = walker.locate_directory(path) if item.entry.kind is Kind.DIRECTORY else walker.locate(path)
    if where.blocked is not None and item.entry.kind is Kind.DIRECTORY:
        # What is at the path itself and is not a directory is the base's, and not in the image.
        where = walker.locate(path)
    if where.blocked is not None:
        first = f"a {where.blocked.kind} at {where.blocked.path!r} in {walker.base.name}"
        raise PathConflictError(path, first, item.claim.option or "it")
    for passed in (*where.links, *where.shared):
        if passed.path not in known:
            known[passed.path] = passed
            if passed.kind is Kind.SYMLINK:
                yield Placed(normalize_mode(passed), PlaceKind.LINK, f"leads to {where.path}")
            else:
                yield Placed(directory(passed.path, SHARED_MODE), PlaceKind.SHARED, f"holds {where.path}")
    yield item._replace(entry=item.entry._replace(path=where.path))
