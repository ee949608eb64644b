"""The values of what needs bring, and taking files out of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.namedtuple import NamedTuple
from minpack.paths import join
from minpack.program.additions import normalize_mode
from minpack.rootfs.entry import Entry, Kind, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.needs.need import Decision, Need
    from minpack.paths import RootPath


class ProvidedFiles(NamedTuple):
    """An entry that a need brings; `source` is ``base`` or ``default``."""

    entry: Entry
    need: Need
    source: str
    text: str


class Provision(NamedTuple):
    """All entries that needs bring, and the variables that point to them.

    `decisions` are those that were asked for, but that what is nowhere to be had is not packed.
    """

    files: tuple[ProvidedFiles, ...]
    env: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    notes: tuple[str, ...] = ()


class SystemUsers(NamedTuple):
    """Lines for /etc/passwd and /etc/group, without passwords, homes and shells, and the names that the base lacks."""

    passwd: bytes = b""
    group: bytes = b""
    missing: tuple[str, ...] = ()


def taken(walker: Walker, path: str, need: Need, why: str, source: str = "base") -> tuple[ProvidedFiles, ...]:
    """The file at `path` and the links on the way to it; nothing if there is none."""
    walk = walker.walk(path)
    if walk.entry is None or walk.entry.kind is not Kind.FILE:
        return ()
    links = (entry for entry in walk.trail if entry.kind is Kind.SYMLINK)
    return tuple(ProvidedFiles(normalize_mode(entry), need, source, why) for entry in (*links, walk.entry))


def taken_tree(
    walker: Walker, top: RootPath, need: Need, why: str, source: str, *, without: tuple[str, ...] = ()
) -> Iterator[ProvidedFiles]:
    """All that lies below `top`, and the links on the way there; nothing if there is none.

    :param without: names in `top` that are left out.
    """
    walk = walker.walk(top)
    if walk.entry is None or walk.entry.kind is not Kind.DIRECTORY:
        return
    for passed in walk.trail:
        yield ProvidedFiles(normalize_mode(passed), need, source, why)
    first = walk.entry.path
    yield ProvidedFiles(normalize_mode(walk.entry), need, source, why)
    for _, entry in tree_below(walker.base, first, frozenset(join(first, part) for part in without)):
        if entry is not None and entry.kind is not Kind.SPECIAL:
            yield ProvidedFiles(normalize_mode(entry), need, source, why)


def link_to(walker: Walker, path: RootPath, target: RootPath, need: Need, why: str) -> tuple[ProvidedFiles, ...]:
    """What makes `path` lead to `target`: the base's own links if they do, else one of minpack's.

    Nothing, where the base has another file there.
    """
    walk = walker.walk(path)
    if walk.entry is not None:
        links = [entry for entry in walk.trail if entry.kind is Kind.SYMLINK] if walk.entry.path == target else []
        return tuple(ProvidedFiles(normalize_mode(entry), need, "base", why) for entry in links)
    where = walker.locate(path)
    if where.blocked is not None or walker.lstat(where.path) is not None:
        return ()
    passed = (ProvidedFiles(normalize_mode(entry), need, "base", why) for entry in where.links)
    return (*passed, ProvidedFiles(symlink(where.path, target), need, "default", why))
