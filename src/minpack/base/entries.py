"""`EntriesBase`: a base over entries that are already known, as those of a tarball or of a planned tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import PathConflictError
from minpack.paths import ROOT, RootPath, name, parent
from minpack.rootfs.entry import Entry, Kind, directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set


class EntriesBase:
    """Entries in memory as a base, with the directories that their paths imply.

    :param base_name: what to call it in messages.
    :param entries: by path; every parent is among them, the root too, and none is a hard link.
    :param implied: directories that were not listed, and are there only to hold others.
    """

    def __init__(self, base_name: str, entries: Mapping[RootPath, Entry], implied: Set[RootPath] = frozenset()) -> None:
        self.name = base_name
        self._implied = implied
        self._entries = entries
        self._names: dict[RootPath, tuple[str, ...]] | None = None

    @property
    def implied(self) -> Set[RootPath]:
        """The directories that are there only to hold others."""
        return self._implied

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; None if nothing is."""
        return self._entries.get(path)

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory."""
        if self._names is None:
            self._names = _names_by_directory(self._entries)
        return self._names.get(path, ())


def _names_by_directory(entries: Iterable[RootPath]) -> dict[RootPath, tuple[str, ...]]:
    names: dict[RootPath, list[str]] = {}
    for path in entries:
        if path != ROOT:
            names.setdefault(parent(path), []).append(name(path))
    return {path: tuple(sorted(found)) for path, found in names.items()}


def base_of(base_name: str, entries: Iterable[Entry]) -> EntriesBase:
    """A base that holds `entries`, in any order; missing parents are root's directories with mode 0755.

    Hard links become files that share content, mode and `inode` with the file they name.

    :raises PathConflictError: two entries are at one path, one lies below what is not a directory, or a hard link
        names no file.
    """
    found: dict[RootPath, Entry] = {}
    for entry in entries:
        if entry.path in found:
            raise PathConflictError(entry.path, f"a {found[entry.path].kind}", f"another {entry.kind}")
        found[entry.path] = entry
    implied = _add_parents(found)
    _follow_hard_links(found)
    return EntriesBase(base_name, found, implied)


def _add_parents(entries: dict[RootPath, Entry]) -> set[RootPath]:
    """Put in the directories that are not there; their paths."""
    implied: set[RootPath] = set()
    checked: set[RootPath] = set()
    for path in (*entries, ROOT):
        todo: list[RootPath] = []
        above = parent(path)
        while above not in checked:
            checked.add(above)
            todo.append(above)
            above = parent(above)
        for above in reversed(todo):
            known = entries.get(above)
            if known is None:
                entries[above] = directory(above)
                implied.add(above)
            elif known.kind is not Kind.DIRECTORY:
                raise PathConflictError(path, f"a {known.kind} at {above!r}", "it")
    return implied


def _follow_hard_links(entries: dict[RootPath, Entry]) -> None:
    links = [entry for entry in entries.values() if entry.kind is Kind.HARDLINK]
    free = 1 + max((entry.inode or 0 for entry in entries.values()), default=0)
    for number, link in enumerate(links, free):
        target = entries.get(RootPath(link.link))
        if target is None or target.kind is not Kind.FILE:
            raise PathConflictError(link.path, "its missing target", f"a hard link to {link.link!r}")
        if target.inode is None:
            target = entries[target.path] = target._replace(inode=number)
        entries[link.path] = target._replace(path=link.path)
