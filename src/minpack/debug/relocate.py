"""Programs, scripts and links as they work below `DEBUG_ROOT`: with the loader, shell and libraries that are there.

No wrapper starts a program: its own file names the loader that is there, and musl's loader reads beside itself where it
searches for libraries (ldso/dynlink.c). So /proc/PID/exe is the tool, and what it starts by its own path works too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.debug.places import LIB, LOADER, relocated
from minpack.elf.info import ElfKind
from minpack.elf.interpreter import spliced, with_interpreter
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.resolve.companions import elf_info
from minpack.rootfs.entry import Entry, Kind, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.content import Content
    from minpack.debug.places import ToolPlaces

_EXECUTABLE = 0o111
#: As much of a script as the kernel reads for the line of its interpreter (fs/binfmt_script.c, BINPRM_BUF_SIZE).
_HEAD = 256
_SHEBANG = re.compile(rb"#![ \t]*([^ \t\n]+)")


class RelocatedTools(NamedTuple):
    """Tools at their places; `searched` are directories besides the usual ones in which their libraries are.

    `changed` has the paths of files whose bytes are not as they were.
    """

    entries: tuple[Entry, ...]
    searched: tuple[RootPath, ...]
    changed: frozenset[RootPath]
    notes: tuple[str, ...]


def relocate(entries: Iterable[Entry], places: ToolPlaces, loader: RootPath | None) -> RelocatedTools:
    """The entries that have places, as they work there. All are root's, and anyone may read them.

    :param loader: the physical path of the loader that programs name.
    :raises InputError: a file cannot be read.
    """
    moving = _Moving(places, loader)
    made = [moved for entry in entries if entry.path in places.found and (moved := moving.moved(entry)) is not None]
    searched = sorted(moving.searched.difference((LIB,)))
    return RelocatedTools(tuple(made), tuple(searched), frozenset(moving.changed), tuple(moving.notes))


class _Moving:
    """Moves entries, and keeps what is known of those that were moved."""

    def __init__(self, places: ToolPlaces, loader: RootPath | None) -> None:
        self._places = places
        self._loader = loader
        self.searched: set[RootPath] = set()
        self.changed: set[RootPath] = set()
        self.notes: list[str] = []

    def moved(self, entry: Entry) -> Entry | None:
        """The entry at its place; None if it is nothing there."""
        place = self._places.found[entry.path]
        if entry.kind is Kind.SYMLINK:
            target = self._places.link(entry)
            return symlink(place, target) if target is not None else None
        assert entry.content is not None, f"internal error: {entry.path} has no content"
        content = self._content(entry, entry.content)
        if content is None:
            return None
        if content is not entry.content:
            self.changed.add(place)
        return file(place, content, 0o755 if entry.mode & _EXECUTABLE else 0o644)

    def _content(self, entry: Entry, content: Content) -> Content | None:
        """What the file has there; None if it cannot work."""
        info = elf_info(entry)
        if info is None:
            return _script(content, self._places) if entry.mode & _EXECUTABLE else content
        self.searched.update(_searched(info.rpath, info.runpath))
        if info.kind is not ElfKind.DYNAMIC or info.interpreter is None or entry.path == self._loader:
            return content
        there = self._places.tree.find_file(info.interpreter)
        if there is None or there.path != self._loader:
            self.notes.append(f"{entry.path} is left out: it needs the loader {info.interpreter}")
            return None
        return with_interpreter(content, info, LOADER)


def _searched(*paths: str | None) -> Iterator[RootPath]:
    """Where the absolute directories that a file names for its libraries are among the tools."""
    for path in (part for one in paths if one for part in one.split(":")):
        if path.startswith("/"):
            yield relocated(RootPath(path.rstrip("/")))


def _script(content: Content, places: ToolPlaces) -> Content:
    """The file, which names the tools' interpreter if it is a script for one of them."""
    with content.open() as reader:
        match = _SHEBANG.match(reader.read_at(0, _HEAD))
    if match is None:
        return content
    place = places.named(match[1].decode("utf-8", "surrogateescape"))
    if place is None:
        return content
    return spliced(content, match.start(1), len(match[1]), place.encode("utf-8", "surrogateescape"))
