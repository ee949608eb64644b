"""`DirectoryBase`: a directory of this host as a base; with ``/``, the host itself."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from typing import TYPE_CHECKING

from minpack.content import FileContent
from minpack.errors import InputError, reason_of
from minpack.paths import PATH_MAX, ROOT, RootPath, parent
from minpack.rootfs.access import CAPABILITY, is_executable, read_capability
from minpack.rootfs.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}
#: Every system takes a path of less than so many bytes at once.
_SHORT = 1024
_NOTHING_THERE = frozenset((ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP))


class DirectoryBase:
    """A directory of this host as a base.

    Symlinks are read and never followed, but for `root` itself, which may be one.
    Nothing is opened before its content is. The directory should not change meanwhile.

    :param root: a directory of the host. That it is one shows at the first look.
    """

    def __init__(self, root: str) -> None:
        # As bytes, so that names do not depend on the locale.
        self._root = os.fsencode(root).rstrip(b"/")
        self.name = os.path.basename(root.rstrip("/")) or "/"
        self._directories: dict[RootPath, bool] = {}

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; None if nothing is.

        :raises InputError: the root is not a directory, or something may not be looked at.
        """
        if path == ROOT:
            return self._root_entry()
        return self._entry(path) if self._is_directory(parent(path)) else None

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory.

        :raises InputError: the root is not a directory, or one may not be listed.
        """
        if not self._is_directory(path):
            return ()
        try:
            names = _names(self._host(path))
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return ()
            raise self._error(path, error) from error
        return tuple(sorted(name.decode("utf-8", "surrogateescape") for name in names))

    def attributes(self, paths: Iterable[RootPath]) -> frozenset[str]:
        """The names of the extended attributes of what is at `paths`, but for file capabilities, which are read."""
        listxattr: Callable[..., list[str]] = getattr(os, "listxattr", lambda *_, **__: [])
        found: set[str] = set()
        for path in paths:
            with suppress(OSError):
                found.update(listxattr(self._host(path), follow_symlinks=False))
        return frozenset(found - {CAPABILITY})

    def _host(self, path: RootPath) -> bytes:
        return self._root + path.encode("utf-8", "surrogateescape")

    def _error(self, path: RootPath, error: OSError) -> InputError:
        denied = error.errno in (EACCES, EPERM)
        hint = "run as a user who may read it, or leave it out of the base" if denied else None
        return InputError(os.fsdecode(self._host(path)), reason_of(error), hint=hint)

    def _root_entry(self) -> Entry:
        try:
            status = os.stat(self._host(ROOT))
        except OSError as error:
            raise self._error(ROOT, error) from error
        return Entry(ROOT, Kind.DIRECTORY, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def _is_directory(self, path: RootPath) -> bool:
        """Whether `path` and everything above it are directories and no symlinks to some."""
        known = self._directories
        if path not in known:
            # Each from the one above it, and not by recursion: a path may have 2,000 parts.
            todo = [path]
            while todo[-1] != ROOT and parent(todo[-1]) not in known:
                todo.append(parent(todo[-1]))
            for directory in reversed(todo):
                entry = self._below(directory)
                known[directory] = entry is not None and entry.kind is Kind.DIRECTORY
        return known[path]

    def _below(self, path: RootPath) -> Entry | None:
        """What is at `path`, if it is known that all above it are directories."""
        if path == ROOT:
            return self._root_entry()
        return self._entry(path) if self._directories[parent(path)] else None

    def _entry(self, path: RootPath) -> Entry | None:
        """What is at `path`, whose parent is a directory."""
        try:
            host = self._host(path)
            if len(host) < _SHORT:
                status, link = _look(host)
            else:
                from minpack.host.deep import reached  # noqa: PLC0415 - for paths that the system takes not at once

                with reached(host) as (name, above):
                    status, link = _look(name, above)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), Kind.SPECIAL)
            if len(host) - len(self._root) >= PATH_MAX:
                start = os.fsdecode(host[:100])
                raise InputError(f"{start}…", f"its path below {self.name!r} is longer than {PATH_MAX - 1} bytes")
        except ValueError:  # a NUL, or what no file name can be made of
            return None
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return None
            raise self._error(path, error) from error
        if kind is not Kind.FILE:
            # Links have no mode on Linux, and one that is never looked at elsewhere.
            mode = 0o777 if kind is Kind.SYMLINK else stat.S_IMODE(status.st_mode)
            text = link.decode("utf-8", "surrogateescape")
            return Entry(path, kind, mode, status.st_uid, status.st_gid, link=text)
        content = FileContent(os.fsdecode(host), status.st_size, mtime=status.st_mtime_ns)
        inode = status.st_dev << 64 | status.st_ino if status.st_nlink > 1 else None
        mode = stat.S_IMODE(status.st_mode)
        capability = read_capability(host) if is_executable(kind, mode) else b""
        return Entry(path, kind, mode, status.st_uid, status.st_gid, content, inode=inode, capability=capability)


def paths_below(directory: str, paths: Iterable[str]) -> frozenset[RootPath]:
    """Those of the host's `paths`, absolute and without links, that lie in a directory of the host, as paths in it."""
    real = os.path.realpath(directory).rstrip("/")
    return frozenset(RootPath(path[len(real) :]) for path in paths if path.startswith(f"{real}/"))


def _look(path: bytes, above: int | None = None) -> tuple[os.stat_result, bytes]:
    """What is at `path`, and if it is a symlink, its target."""
    status = os.lstat(path, dir_fd=above)
    return status, os.readlink(path, dir_fd=above) if stat.S_ISLNK(status.st_mode) else b""


def _names(path: bytes) -> list[bytes]:
    """The names in the directory at `path`, a path of any length."""
    if len(path) < _SHORT:
        return os.listdir(path)
    from minpack.host.deep import reached  # noqa: PLC0415

    with reached(path) as (name, above):
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
    try:
        return [os.fsencode(name) for name in os.listdir(descriptor)]
    finally:
        os.close(descriptor)
