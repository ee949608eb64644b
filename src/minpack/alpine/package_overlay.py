"""The files of packages as a base, each where it lies once it is installed over another base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.paths import RootPath, ancestors
from minpack.rootfs.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.apk.package import PackageFile
    from minpack.base.entries import EntriesBase
    from minpack.base.walk import Walker


def path_over(base: Walker, path: RootPath) -> RootPath | None:
    """Where a package's `path` lies in a base, whose directories may be links to others, as ``/lib`` may be.

    None if a part of it is not a directory there.
    """
    where = base.locate(path)
    return where.path if where.blocked is None else None


class PackageOverlay:
    """Entries of packages by physical path: those that the base does not have itself, the first package's first."""

    def __init__(self, base: Walker) -> None:
        self._base = base
        self._entries: dict[RootPath, Entry] = {}
        self._holding: set[RootPath] = set()
        self._inodes = 0
        self._made: EntriesBase | None = None

    def add(self, files: Iterable[PackageFile]) -> dict[RootPath, RootPath]:
        """Put a package's files there; the physical path of each of them by its own."""
        found: dict[RootPath, RootPath] = {}
        for entry in self._without_hard_links([file.entry for file in files]):
            path = path_over(self._base, entry.path)
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
