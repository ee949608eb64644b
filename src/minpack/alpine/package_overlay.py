"""The files of packages as a base, each where it lies once it is installed over another base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.paths import ROOT, RootPath, ancestors, join, name, parent
from minpack.rootfs.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.apk.package import PackageFile
    from minpack.base.entries import EntriesBase
    from minpack.base.walk import Walker


class PathMapper:
    """Where paths of packages lie in a base, whose directories may be links to others, as ``/lib`` may be."""

    def __init__(self, base: Walker) -> None:
        self._base = base
        self._directories: dict[RootPath, RootPath | None] = {ROOT: ROOT}

    def of(self, path: RootPath) -> RootPath | None:
        """The physical path; None if a part of it is no directory in the base."""
        above = self._directory(parent(path))
        return join(above, name(path)) if above is not None else None

    def _directory(self, path: RootPath) -> RootPath | None:
        if path not in self._directories:
            here = self.of(path)
            entry = self._base.lstat(here) if here is not None else None
            if entry is not None and entry.kind is Kind.SYMLINK:
                entry = self._base.walk(entry.path).entry
                here = entry.path if entry is not None else None
            good = entry is None or entry.kind is Kind.DIRECTORY
            self._directories[path] = here if good else None
        return self._directories[path]


class PackageOverlay:
    """Entries of packages by physical path: those that the base does not have itself, the first package's first."""

    def __init__(self, base: Walker, places: PathMapper) -> None:
        self._base = base
        self._places = places
        self._entries: dict[RootPath, Entry] = {}
        self._holding: set[RootPath] = set()
        self._inodes = 0
        self._made: EntriesBase | None = None

    def add(self, files: Iterable[PackageFile]) -> dict[RootPath, RootPath]:
        """Put a package's files there; the physical path of each of them by its own."""
        found: dict[RootPath, RootPath] = {}
        for entry in self._without_hard_links([file.entry for file in files]):
            path = self._places.of(entry.path)
            if path is None:
                continue
            found[entry.path] = path
            if self._base.lstat(path) is None and self._is_free(path, entry):
                self._entries[path] = entry._replace(path=path)
                self._holding.update(ancestors(path))
                self._made = None
        return found

    def base(self) -> EntriesBase:
        """All that is there."""
        if self._made is None:
            self._made = base_of("packages", self._entries.values())
        return self._made

    def _is_free(self, path: RootPath, entry: Entry) -> bool:
        if path in self._entries or (path in self._holding and entry.kind is not Kind.DIRECTORY):
            return False
        above = (self._entries.get(one) for one in ancestors(path))
        return all(one is None or one.kind is Kind.DIRECTORY for one in above)

    def _without_hard_links(self, entries: list[Entry]) -> list[Entry]:
        """The entries, hard links as the files they are, with a common inode."""
        targets = {entry.path: entry for entry in entries if entry.kind is Kind.FILE}
        inodes: dict[str, int] = {}
        for entry in entries:
            if entry.kind is Kind.HARDLINK and entry.link not in inodes:
                self._inodes += 1
                inodes[entry.link] = self._inodes
        return [
            targets[RootPath(entry.link)]._replace(path=entry.path, inode=inodes[entry.link])
            if entry.kind is Kind.HARDLINK
            else entry._replace(inode=inodes.get(entry.path))
            for entry in entries
        ]
