"""`Entry`: one thing in a tree of files. The one value that both halves of minpack share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.paths import RootPath


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    #: Another name of the file at `Entry.link` in the same tree.
    HARDLINK = "hardlink"
    #: Device nodes, sockets and FIFOs: known to be there, never packed.
    SPECIAL = "special"


class Entry(NamedTuple):
    """A file, directory or link at a path.

    `size` is in bytes and 0 for all but files. `link` is a symlink's target as
    written, or a hard link's path in the same tree. `inode` is equal for the
    names of one file, and None where it has one alone. `capability` is an
    executable file's extended attribute of that name, as the kernel has it (capabilities(7)).
    """

    path: RootPath
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    content: Content | None = None
    link: str = ""
    inode: int | None = None
    capability: bytes = b""

    @property
    def size(self) -> int:
        """The number of bytes of a file; else 0."""
        return self.content.size if self.content is not None else 0


def directory(path: RootPath, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """A directory."""
    return Entry(path, Kind.DIRECTORY, mode, uid, gid)


def file(path: RootPath, content: Content, mode: int = 0o644) -> Entry:
    """A file of root's."""
    return Entry(path, Kind.FILE, mode, content=content)


def symlink(path: RootPath, target: str) -> Entry:
    """A symbolic link to `target`, as written."""
    return Entry(path, Kind.SYMLINK, 0o777, link=target)
