"""The values of what needs bring, and taking files out of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, ancestors, join, name, parent
from minpack.program.additions import normalize_mode
from minpack.rootfs.entry import Entry, Kind, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.needs.need import Decision, Need


class Provided(NamedTuple):
    """An entry that a need brings; `source` is ``base`` or ``default``."""

    entry: Entry
    need: Need
    source: str
    text: str


class Provision(NamedTuple):
    """All entries that needs bring, and the variables that point to them.

    `decisions` are those that were asked for, but that what is nowhere to be had is not packed.
    """

    files: tuple[Provided, ...]
    env: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    notes: tuple[str, ...] = ()


def taken(walker: Walker, path: str, need: Need, why: str, source: str = "base") -> tuple[Provided, ...]:
    """The file at `path` and the links on the way to it; nothing if there is none."""
    walk = walker.walk(path)
    if walk.entry is None or walk.entry.kind is not Kind.FILE:
        return ()
    links = (entry for entry in walk.trail if entry.kind is Kind.SYMLINK)
    return tuple(Provided(normalize_mode(entry), need, source, why) for entry in (*links, walk.entry))


def taken_tree(
    walker: Walker, top: RootPath, need: Need, why: str, source: str, *, without: tuple[str, ...] = ()
) -> Iterator[Provided]:
    """All that lies below `top`, and the links on the way there; nothing if there is none.

    :param without: names in `top` that are left out.
    """
    walk = walker.walk(top)
    if walk.entry is None or walk.entry.kind is not Kind.DIRECTORY:
        return
    for passed in walk.trail:
        yield Provided(normalize_mode(passed), need, source, why)
    first = walk.entry.path
    yield Provided(normalize_mode(walk.entry), need, source, why)
    todo = [first]
    while todo:
        here = todo.pop()
        for part in walker.base.listdir(here):
            entry = walker.lstat(join(here, part))
            if entry is None or entry.kind is Kind.SPECIAL or (here == first and part in without):
                continue
            if entry.kind is Kind.DIRECTORY:
                todo.append(entry.path)
            yield Provided(normalize_mode(entry), need, source, why)


def link_to(walker: Walker, path: RootPath, target: RootPath, need: Need, why: str) -> tuple[Provided, ...]:
    """What makes `path` lead to `target`: the base's own links if they do, else one of minpack's.

    Nothing, where the base has another file there.
    """
    walk = walker.walk(path)
    if walk.entry is not None:
        links = [entry for entry in walk.trail if entry.kind is Kind.SYMLINK] if walk.entry.path == target else []
        return tuple(Provided(normalize_mode(entry), need, "base", why) for entry in links)
    if walker.lstat(path) is not None:
        return ()
    above = (*ancestors(path),)
    there = next((one for one in reversed(above) if walker.walk(one).entry is not None), None)
    found = walker.walk(there) if there is not None else None
    if found is None or found.entry is None:
        return (Provided(symlink(path, target), need, "default", why),)
    if found.entry.kind is not Kind.DIRECTORY:
        return ()
    physical = RootPath(found.entry.path.rstrip("/") + path[len(there or "") :])
    links = [entry for entry in found.trail if entry.kind is Kind.SYMLINK]
    made = symlink(join(parent(physical), name(physical)), target)
    return (
        *(Provided(normalize_mode(entry), need, "base", why) for entry in links),
        Provided(made, need, "default", why),
    )
