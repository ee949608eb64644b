"""Opening candidates in a tree: each path is followed once, each ELF file read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.read import read_elf
from minpack.errors import ElfError, UnloadableLibraryError
from minpack.ld.closure import LoadedObject
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.walk import Walk, Walker
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import FoundBy
    from minpack.rootfs.entry import Entry


class Opener:
    """Opens files of one tree for a loader's model."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self._infos: dict[object, ElfInfo | ElfError] = {}

    def walk(self, path: str) -> Walk:
        """Where `path` leads."""
        return self.walker.walk(path)

    def info(self, entry: Entry) -> ElfInfo:
        """What the ELF file says of itself.

        :raises ElfError: it is none, or a malformed one.
        """
        key = identity(entry)
        known = self._infos.get(key)
        if known is None:
            assert entry.content is not None, f"internal error: {entry.path} is no file"
            try:
                known = read_elf(entry.content, entry.path)
            except ElfError as error:
                known = error
            self._infos[key] = known
        if isinstance(known, ElfError):
            raise known
        return known

    def load(self, name: str, path: str, walk: Walk, found_by: FoundBy, needed_by: str) -> LoadedObject:
        """The object at the end of `walk`.

        :raises UnloadableLibraryError: what is there cannot be loaded.
        """
        entry = walk.entry
        assert entry is not None, f"internal error: nothing at {path}"
        if entry.kind is not Kind.FILE:
            raise UnloadableLibraryError(path, needed_by, f"it is a {entry.kind}")
        try:
            info = self.info(entry)
        except ElfError as error:
            raise UnloadableLibraryError(path, needed_by, error.message) from error
        return LoadedObject(name, path, entry, info, found_by, needed_by, walk.trail)


def identity(entry: Entry) -> object:
    """Equal for the names of one file: what (st_dev, st_ino) is to a loader."""
    return entry.path if entry.inode is None else entry.inode


def origin_of(path: str) -> str:
    """The directory part of the path an object was opened by, as text."""
    return path[: path.rfind("/")] or "/"
