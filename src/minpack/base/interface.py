"""`Base`: a read-only tree of files, as the rest of minpack sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry


class Base(Protocol):
    """A tree to take files from.

    Paths given to a base are physical: no part but the last may be a symbolic
    link. `base.walk.Walker` follows links, with the root of the base as ``/``.
    """

    @property
    def name(self) -> str:
        """What to call it in messages, as ``alpine-minirootfs-3.20.3-x86_64.tar.gz``; no host path."""

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; None if there is nothing or a parent is not a directory.

        Hard links appear as files with the same `inode`.
        """

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; empty if it is none."""
