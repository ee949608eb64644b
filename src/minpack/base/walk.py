"""Following paths through a base as the kernel does in a root of its own.

The rules are those of path_resolution(7) and of glibc's `elf/chroot_canon.c`:
part by part; an absolute link starts again at the root of the base; ``..`` is
physical, and above the root is the root; at most 40 links (ELOOP).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.errors import BaseError
from minpack.namedtuple import NamedTuple
from minpack.paths import NAME_MAX, PATH_MAX, ROOT, RootPath, join, name, parent
from minpack.rootfs.entry import Kind
from minpack.rootfs.modes import is_shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from minpack.base.interface import Base
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.errors import ElfError
    from minpack.rootfs.entry import Entry

#: The kernel's limit of links in one lookup (path_resolution(7)).
MAX_LINKS = 40
#: The most parts of a path and of all links on its way together. A path alone has at most 2,048; forty links that
#: lead through one directory again and again would have 160,000, each time anew.
MAX_PARTS = 4096
#: What is remembered of paths, in characters, before all of it is forgotten. The largest programs known take a million.
MAX_REMEMBERED = 32 << 20
#: The most parts of all paths: that many take some ten seconds, and whole distributions a tenth of them.
MAX_STEPS = 10_000_000


class Failure(StrEnum):
    """Why a path leads nowhere, by errno's names."""

    MISSING = "ENOENT"
    NOT_DIRECTORY = "ENOTDIR"
    LOOP = "ELOOP"
    TOO_LONG = "ENAMETOOLONG"


class Walk(NamedTuple):
    """Where a path leads.

    `entry` is at its physical path, or None with the `failure`. `trail` has every
    symlink followed and every directory passed on the way, in order, each once
    (also those left again through ``..``), without the root and without `entry`.
    """

    entry: Entry | None
    trail: tuple[Entry, ...]
    failure: Failure | None = None


class Location(NamedTuple):
    """Where something lies, or would lie if it were there.

    `path` is physical. `links` are those followed on the way, `shared` the directories passed that all may write to,
    and `blocked` is what keeps anything from being there: a part of it that is not a directory, or one link too many.
    """

    path: RootPath
    links: tuple[Entry, ...] = ()
    shared: tuple[Entry, ...] = ()
    blocked: Entry | None = None


class Walker:
    """Follows paths through one base and remembers the directories it has been through.

    :param known: what is known of ELF files already, by their content; whoever reads one puts it in.
    """

    def __init__(self, base: Base, known: dict[Content, ElfInfo | ElfError] | None = None) -> None:
        self.base = base
        self.known = {} if known is None else known
        self._walks: dict[str, Walk] = {}
        self._lstats: dict[RootPath, Entry | None] = {}
        self._locations: dict[RootPath, Location] = {}
        self._room = MAX_REMEMBERED
        self._steps = MAX_STEPS

    def lstat(self, path: RootPath) -> Entry | None:
        """`Base.lstat`, asked once for each path."""
        try:
            return self._lstats[path]
        except KeyError:
            entry = self.base.lstat(path)
            self._spend(len(path))
            self._lstats[path] = entry
            return entry

    def walk(self, path: str) -> Walk:
        """Follow `path`, links at its end too. A relative path starts at the root.

        :raises BaseError: links have led through more directories than any real tree's.
        """
        found = self._walks.get(path)
        if found is None:
            found = self._follow(path)
            # A directory on the way is an entry of the trail, eight bytes each time.
            self._spend(len(path) + 8 * len(found.trail))
            self._walks[path] = found
        return found

    def locate(self, path: RootPath) -> Location:
        """Where `path` lies, the links in its directories followed; what is missing of these, as if it were there.

        The last part is not looked at.
        """
        above = self.locate_directory(parent(path))
        return above if path == ROOT or above.blocked else above._replace(path=join(above.path, name(path)))

    def locate_directory(self, path: RootPath) -> Location:
        """Where the directory `path` lies or would lie, a link in its place followed too."""
        found = self._locations.get(path)
        if found is None:
            above = self._locations.get(parent(path))
            found = self._locate(Location(ROOT), path) if above is None else self._locate(above, name(path))
            self._locations[path] = found
        return found

    def _spend(self, size: int) -> None:
        """Make room for so much more; a tree and a program that lie could fill any memory with paths."""
        self._room -= size
        if self._room < 0:
            self._walks.clear()
            self._lstats.clear()
            self._room = MAX_REMEMBERED

    def find_file(self, path: str) -> Entry | None:
        """The regular file that `path` leads to, or None."""
        entry = self.walk(path).entry
        return entry if entry is not None and entry.kind is Kind.FILE else None

    def _follow(self, path: str) -> Walk:
        if not path:
            return Walk(None, (), Failure.MISSING)
        if len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
            return Walk(None, (), Failure.TOO_LONG)
        trail: dict[RootPath, Entry] = {}
        todo = path.split("/")[::-1]
        here, links, parts = ROOT, 0, len(todo)
        self._step(parts)
        entry = self.lstat(ROOT)
        while todo:
            part = todo.pop()
            if entry is None or entry.kind is not Kind.DIRECTORY:
                return Walk(None, tuple(trail.values()), Failure.NOT_DIRECTORY)
            if part in ("", "."):
                continue
            if here != ROOT:
                trail[here] = entry
            if part == "..":
                here = parent(here)
                entry = self.lstat(here)
                continue
            if len(part.encode("utf-8", "surrogateescape")) > NAME_MAX:
                return Walk(None, tuple(trail.values()), Failure.TOO_LONG)
            found = self.lstat(join(here, part))
            if found is None:
                return Walk(None, tuple(trail.values()), Failure.MISSING)
            if found.kind is not Kind.SYMLINK:
                here, entry = found.path, found
                continue
            trail[found.path] = found
            into = found.link.split("/")
            links += 1
            parts += len(into)
            self._step(len(into))
            if links > MAX_LINKS or parts > MAX_PARTS:
                return Walk(None, tuple(trail.values()), Failure.LOOP)
            todo += into[::-1]
            if found.link.startswith("/"):
                here, entry = ROOT, self.lstat(ROOT)
        if entry is not None:
            trail.pop(entry.path, None)
        return Walk(entry, tuple(trail.values()))

    def _locate(self, start: Location, rest: str) -> Location:
        """Where `rest` lies from `start` on."""
        links = {entry.path: entry for entry in start.links}
        shared = {entry.path: entry for entry in start.shared}
        todo = rest.split("/")[::-1]
        here, blocked, followed, parts = start.path, start.blocked, len(links), len(todo)
        entry = self.lstat(here)
        while todo and blocked is None:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                here = parent(here)
                entry = self.lstat(here)
                continue
            here = join(here, part)
            entry = self.lstat(here) if entry is not None else None
            if entry is None:
                continue
            if entry.kind is Kind.DIRECTORY:
                if is_shared(entry):
                    shared[here] = entry
            elif entry.kind is not Kind.SYMLINK:
                blocked = entry
            else:
                links[here] = entry
                into = entry.link.split("/")
                followed += 1
                parts += len(into)
                blocked = entry if followed > MAX_LINKS or parts > MAX_PARTS else None
                todo += into[::-1]
                here = ROOT if entry.link.startswith("/") else parent(here)
                entry = self.lstat(here)
        return Location(here, tuple(links.values()), tuple(shared.values()), blocked)

    def _step(self, count: int) -> None:
        self._steps -= count
        if self._steps < 0:
            raise BaseError(self.base.name, f"its paths have more than {MAX_STEPS} parts together")


def tree_below(
    base: Base, top: RootPath, without: Set[RootPath] = frozenset()
) -> Iterator[tuple[RootPath, Entry | None]]:
    """The path of all that is below the directory `top`, and what is there, each directory before what is in it.

    None is what has gone since its directory was listed. No link is followed.

    :param top: a physical path.
    :param without: paths that are passed over, with all that is below them.
    """
    todo = [top]
    while todo:
        here = todo.pop()
        for part in base.listdir(here):
            path = join(here, part)
            if path in without:
                continue
            entry = base.lstat(path)
            if entry is not None and entry.kind is Kind.DIRECTORY:
                todo.append(path)
            yield path, entry
