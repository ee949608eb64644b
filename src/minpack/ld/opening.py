"""Opening candidates in a tree: each path is followed once, each ELF file read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Failure, Walk
from minpack.elf.read import read_elf
from minpack.errors import ElfError, InputError, UnloadableLibraryError
from minpack.ld.closure import LoadedObject
from minpack.paths import RootPath, join
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.walk import Walker
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import FoundBy
    from minpack.rootfs.entry import Entry


#: The largest programs known take some ten thousand names and places.
MAX_LOOKS = 400_000
#: The most libraries, and characters of all names that they need: the largest programs have a thousand, of thirty each.
MAX_OBJECTS, MAX_NAMES = 10_000, 64 << 20
NOWHERE = Walk(None, (), Failure.MISSING)


class Opener:
    """Opens files of one tree for a loader's model.

    :param program: what to call it all in errors.
    :param working_directory: where relative paths start.
    """

    def __init__(self, walker: Walker, program: str, working_directory: str = "/") -> None:
        self.walker = walker
        self._program = program
        self._working_directory = working_directory.rstrip("/")
        self._looks = 0
        self._objects = 0
        self._names = 0
        self._directories: dict[str, RootPath | Failure] = {}

    def look(self, count: int = 1) -> None:
        """Count names or places that are looked at.

        :raises InputError: they are more than any real program has.
        """
        self._looks += count
        if self._looks > MAX_LOOKS:
            raise InputError(self._program, f"its libraries need more than {MAX_LOOKS} names and places looked at")

    def start_again(self) -> None:
        """Count from nothing: what is opened from now on has bounds of its own."""
        self._looks = self._objects = self._names = 0

    def absolute(self, path: str) -> str:
        """`path` behind the working directory, unless it is absolute."""
        return path if path.startswith("/") else f"{self._working_directory}/{path}"

    def walk(self, path: str) -> Walk:
        """Where `path` leads; nowhere if the caller may not look there, as EACCES ends no loader's search.

        :raises InputError: see `look`; or the system failed, which ends the search.
        """
        self.look()
        try:
            return self.walker.walk(self.absolute(path))
        except InputError as error:
            if error.is_fault:
                raise
            return NOWHERE

    def directory(self, path: str) -> RootPath | Failure:
        """The physical path of the directory that `path` leads to, or why there is none; it is followed once.

        :raises InputError: see `look`.
        """
        found = self._directories.get(path)
        if found is None:
            walk = self.walk(path)
            found = walk.failure or Failure.NOT_DIRECTORY
            if walk.entry is not None and walk.entry.kind is Kind.DIRECTORY:
                found = walk.entry.path
            self._directories[path] = found
        return found

    def has(self, directory: RootPath, name: str) -> bool:
        """Whether anything, a dangling link too, is called `name` in a directory; not if the caller may not look.

        :raises InputError: see `look`.
        """
        self.look()
        if name in ("", ".", ".."):
            return True
        try:
            return self.walker.lstat(join(directory, name)) is not None
        except InputError as error:
            if error.is_fault:
                raise
            return False

    def info(self, entry: Entry) -> ElfInfo:
        """What the ELF file says of itself.

        :raises ElfError: it is none, or a malformed one.
        :raises InputError: it cannot be read.
        """
        content = entry.content
        assert content is not None, f"internal error: {entry.path} is not a file"
        known = self.walker.known.get(content)
        if known is None:
            try:
                known = read_elf(content, entry.path)
            except ElfError as error:
                known = error
            self.walker.known[content] = known
        if isinstance(known, ElfError):
            raise known
        return known

    def load(self, name: str, path: str, walk: Walk, found_by: FoundBy, needed_by: str) -> LoadedObject:
        """The object at the end of `walk`.

        :raises UnloadableLibraryError: what is there cannot be loaded.
        :raises InputError: it cannot be read, or the program has more libraries than any real one.
        """
        entry = walk.entry
        assert entry is not None, f"internal error: nothing at {path}"
        if entry.kind is not Kind.FILE:
            raise UnloadableLibraryError(path, needed_by, f"it is a {entry.kind}")
        try:
            info = self.info(entry)
        except ElfError as error:
            raise UnloadableLibraryError(path, needed_by, error.message) from error
        self._objects += 1
        self._names += sum(map(len, info.needed))
        if self._objects > MAX_OBJECTS or self._names > MAX_NAMES:
            raise InputError(self._program, f"it needs more than {MAX_OBJECTS} libraries, or by endless names")
        return LoadedObject(name, path, entry, info, found_by, needed_by, walk.trail)


def identity(entry: Entry) -> object:
    """Equal for the names of one file: what (st_dev, st_ino) is to a loader."""
    return entry.path if entry.inode is None else entry.inode


def size_of(text: str) -> int:
    """The bytes of a name or path."""
    return len(text.encode("utf-8", "surrogateescape"))


def origin_of(path: str) -> str:
    """The directory part of the absolute path an object was opened by, as text; ``/`` at the root."""
    return path[: path.rfind("/")] or "/"
