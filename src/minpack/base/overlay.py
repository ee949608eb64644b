"""`OverlayBase`: one base on top of another, as a layer lies on a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import EntriesBase
from minpack.errors import PathConflictError
from minpack.paths import ROOT, RootPath, parent
from minpack.rootfs.entry import Entry, Kind

if TYPE_CHECKING:
    from minpack.base.interface import Base


class OverlayBase:
    """What `upper` has hides what `lower` has at the same path; directories of both hold the names of both.

    A directory has upper's mode and owner, but lower's where upper only implies it.
    Paths of `upper` are physical in `lower`: what is to go below a symlink of lower's
    is placed where that leads, and an implied directory in the symlink's place is a conflict.

    :param name: what to call it in messages; by default as `lower`.
    """

    def __init__(self, upper: Base, lower: Base, name: str | None = None) -> None:
        self.upper = upper
        self.lower = lower
        self.name = lower.name if name is None else name
        self._implied = upper.implied if isinstance(upper, EntriesBase) else frozenset()
        self._open: dict[RootPath, bool] = {ROOT: True}

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; None if nothing is.

        :raises PathConflictError: a directory that `upper` implies is not a directory in `lower`.
        """
        above = self.upper.lstat(path)
        if above is not None and path not in self._implied:
            return _renumbered(above, 1)
        below = self.lower.lstat(path) if self._shows_through(parent(path)) else None
        if above is None or below is None:
            return _renumbered(above or below, 0)
        if below.kind is not Kind.DIRECTORY:
            raise PathConflictError(path, f"a {below.kind} in {self.lower.name}", "a directory")
        return below

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory.

        :raises PathConflictError: as for `lstat`.
        """
        entry = self.lstat(path)
        if entry is None or entry.kind is not Kind.DIRECTORY:
            return ()
        return tuple(sorted({*self.upper.listdir(path), *self.lower.listdir(path)}))

    def _shows_through(self, path: RootPath) -> bool:
        """Whether `upper` has nothing but directories at `path` and above it, so that lower's can be seen."""
        known = self._open.get(path)
        if known is None:
            above = self.upper.lstat(path)
            clear = above is None or above.kind is Kind.DIRECTORY
            known = self._open[path] = clear and self._shows_through(parent(path))
        return known


def number_above(inode: int) -> int:
    """The inode that an entry of `upper` has in an overlay: no entry of `lower` has it there."""
    return inode << 1 | 1


def _renumbered(entry: Entry | None, bit: int) -> Entry | None:
    """`entry` with an inode that no entry of the other base has."""
    if entry is None or entry.inode is None:
        return entry
    return entry._replace(inode=number_above(entry.inode) if bit else entry.inode << 1)
