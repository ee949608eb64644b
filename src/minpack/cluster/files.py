"""The files of this host that an image is made of, listed so that another machine can have them at the same places.

A path that leads through links is there, as a link to the place that it leads to; files with several names stay one
file. Modes are kept, owners and times are not: they decide nothing of an image.
"""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.content import FileContent, sum_of
from minpack.errors import InputError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.rootfs.access import read_capability

if TYPE_CHECKING:
    from collections.abc import Iterable

#: An image of more files than these is not sent.
MOST_FILES = 20_000


class SentKind(StrEnum):
    """What is sent."""

    FILE = "file"
    DIRECTORY = "directory"
    #: A link in a directory, with its text.
    LINK = "link"
    #: A name for what is sent under another path, which it leads to through links.
    LEADS = "leads"
    #: Another name of a file that is sent.
    NAME = "name"


class SentFile(NamedTuple):
    """A file, directory or link at `path`, which is absolute; `mode` is its permissions.

    `sha256` and `size` are a file's; `target` is a link's text, or the path that a name leads to.
    """

    path: str
    kind: SentKind
    mode: int = 0o755
    sha256: str = ""
    size: int = 0
    target: str = ""


class Lister:
    """Lists files for many images, and sums each file once."""

    def __init__(self) -> None:
        #: Where the bytes of each sum are.
        self.contents: dict[str, FileContent] = {}
        self._sums: dict[tuple[int, ...], str] = {}

    def list(self, paths: Iterable[str], directory: str, present: Iterable[str] = ()) -> tuple[SentFile, ...]:
        """What is at `paths`, of directories with all in them, each once.

        :param directory: what paths are relative to.
        :param present: absolute paths of which all that matters is that something is there: they are empty directories.
        :raises InputError: something there cannot be read or sent.
        """
        found: dict[str, SentFile] = {}
        names: dict[tuple[int, int], str] = {}
        for path in paths:
            full = os.path.join(directory, path)
            named, real = os.path.normpath(full), os.path.realpath(full)
            self._add(real, found, names)
            if named != real:
                found[named] = SentFile(named, SentKind.LEADS, target=real)
        for path in present:
            found.setdefault(path, SentFile(path, SentKind.DIRECTORY))
        return tuple(found.values())

    def _add(self, path: str, found: dict[str, SentFile], names: dict[tuple[int, int], str]) -> None:
        """Add what is at a path without links, and below it."""
        self._add_one(path, found, names)
        for above, directories, files in os.walk(path):
            for name in (*directories, *files):
                self._add_one(os.path.join(above, name), found, names)

    def _add_one(self, path: str, found: dict[str, SentFile], names: dict[tuple[int, int], str]) -> None:
        if path in found:
            return
        if len(found) >= MOST_FILES:
            raise InputError(path, f"an image of more than {MOST_FILES} files is not sent to other machines")
        try:
            found[path] = self._sent(path, names)
        except OSError as error:
            raise InputError(path, reason_of(error)) from error

    def _sent(self, path: str, names: dict[tuple[int, int], str]) -> SentFile:
        status = os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return SentFile(path, SentKind.LINK, target=os.readlink(path))
        if stat.S_ISDIR(status.st_mode):
            return SentFile(path, SentKind.DIRECTORY, mode)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(path, "it is no file, directory or link, and cannot be sent to other machines")
        first = names.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            return SentFile(path, SentKind.NAME, target=first)
        if read_capability(path):
            hint = 'set the program\'s in minpack.toml: cap = "net_bind_service"'
            raise InputError(path, "it has file capabilities, which are not sent to other machines", hint=hint)
        return SentFile(path, SentKind.FILE, mode, self._sum(path, status), status.st_size)

    def _sum(self, path: str, status: os.stat_result) -> str:
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in self._sums:
            content = FileContent(path, status.st_size, mtime=status.st_mtime_ns)
            self._sums[key] = sum_of(content)
            self.contents[self._sums[key]] = content
        return self._sums[key]
