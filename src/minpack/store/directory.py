"""`Directory`: the checked, open directory that a store lives in, or none."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import release
from minpack.errors import StoreError, reason_of
from minpack.host.follow import follow
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What opening a file says where nothing may be written.
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)

#: What opening says of what is there and no file: a link, a socket or a pipe, a directory.
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.EISDIR)

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_HINT = "use another directory (--cache-dir), or no cache (--no-cache)"


class StoredFile(NamedTuple):
    """A file of a store: its name, its size in bytes, and when it was last used, in nanoseconds."""

    name: str
    size: int
    used: int


class Directory:
    """Files of one open directory by name; without a directory nothing is found and nothing is made.

    `problem` says why nothing can be kept, as soon as that is known; it is
    empty where everything is well and where nobody asked for a directory.
    Made by `open_directory`.
    """

    def __init__(self, path: str, descriptor: int | None, problem: str = "") -> None:
        self.path = path
        self.problem = problem
        self._descriptor = descriptor

    def open(self, name: str, flags: int) -> int | None:
        """Open the file `name` itself, no link; new files are 0600.

        What has the name and is not a regular file of this user's counts as absent, and makes room for a new file.
        None if it is not there, or may not be read, or the directory cannot be written; `problem` knows the latter.

        :raises StoreError: the disk is full or broken.
        """
        descriptor = self._open(name, flags)
        if descriptor is not None and not self._is_own_file(descriptor):
            release(descriptor)
            descriptor = None
        if descriptor is None and flags & os.O_CREAT and not flags & os.O_EXCL and not self.problem:
            self.remove(name)
            descriptor = self._open(name, flags | os.O_EXCL)
        return descriptor

    def _is_own_file(self, descriptor: int) -> bool:
        try:
            status = os.fstat(descriptor)
        except OSError as error:
            release(descriptor)
            raise self.broken(error) from error
        return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()

    def _open(self, name: str, flags: int) -> int | None:
        if self._descriptor is None:
            return None
        try:
            return os.open(name, flags | _FLAGS, 0o600, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in _READ_ONLY and flags & os.O_CREAT:
                self.problem = f"{self.path!r} cannot be written: {reason_of(error)}"
            elif error.errno not in (errno.ENOENT, errno.EEXIST, *_NO_FILE, *_READ_ONLY):
                raise self.broken(error) from error
            return None

    def remove(self, name: str) -> None:
        """Remove what has the name, a directory with all that is in it, if it is there and can be removed."""
        if self._descriptor is None:
            return
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except (IsADirectoryError, PermissionError):
            # What unlink(2) says of a directory: Linux the one, POSIX the other.
            self._remove_directory(name)
        except OSError:
            # Whoever wants it away treats it as absent anyway.
            return

    def _remove_directory(self, name: str) -> None:
        import shutil  # noqa: PLC0415 - for what others put here

        # The name is free then, whatever becomes of what is in it.
        aside = f"{os.urandom(16).hex()}.tmp"
        with suppress(OSError, RecursionError):
            os.rename(name, aside, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            shutil.rmtree(aside, dir_fd=self._descriptor)

    def rename(self, old: str, new: str) -> bool:
        """Give a file another name, over what may have it; False if it is not there any more.

        :raises StoreError: it cannot be done.
        """
        try:
            try:
                os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            except IsADirectoryError:
                self._remove_directory(new)
                os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.broken(error) from error
        return True

    def names(self, name: str, descriptor: int) -> bool:
        """Whether `name` is the file that is open as `descriptor`.

        :raises StoreError: the disk is broken.
        """
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.broken(error) from error

    @property
    def is_open(self) -> bool:
        """Whether there is a directory."""
        return self._descriptor is not None

    def files(self) -> tuple[StoredFile, ...]:
        """Every regular file in it, in no order.

        :raises StoreError: it cannot be read.
        """
        return tuple(
            StoredFile(name, status.st_size, status.st_mtime_ns)
            for name, status in self._entries()
            if stat.S_ISREG(status.st_mode)
        )

    def others(self) -> tuple[str, ...]:
        """The names of all else that is in it, in no order.

        :raises StoreError: it cannot be read.
        """
        return tuple(name for name, status in self._entries() if not stat.S_ISREG(status.st_mode))

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        if self._descriptor is None:
            return
        try:
            with os.scandir(self._descriptor) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        yield entry.name, entry.stat(follow_symlinks=False)
        except OSError as error:
            raise self.broken(error) from error

    def close(self) -> None:
        """Close the directory; files opened from it stay open."""
        if self._descriptor is not None:
            release(self._descriptor)
            self._descriptor = None

    def broken(self, error: OSError) -> StoreError:
        """The error to raise when the system refuses what should work."""
        return StoreError(self.path, reason_of(error), _HINT)


def open_directory(path: str | None, *, make: bool = True) -> Directory:
    """The directory `path`, made with mode 0700 if it is missing, its parents too; not without `make`.

    None, a missing directory that cannot be made and one behind parents that
    cannot be passed give a `Directory` without files.

    :raises StoreError: it is not a directory, is a symbolic link, belongs to
        another user, may be written by others, or cannot be opened.
    """
    if path is None:
        return Directory("", None)
    path = path.rstrip("/") or "/"
    try:
        if planted := follow(path).planted:
            reason = f"{planted!r} is another user's symbolic link in a directory that everyone can write to"
            raise StoreError(path, reason, _HINT)
        if not make and not os.path.lexists(path):
            return Directory(path, None)
        descriptor = _open_or_make(path)
    except OSError as error:
        try:
            objection = _objection(os.lstat(path))
        except OSError:
            return Directory(path, None, f"{path!r} cannot be made: {reason_of(error)}")
        raise StoreError(path, objection or reason_of(error), _HINT) from error
    try:
        objection = _objection(os.fstat(descriptor))
    except OSError as error:
        objection = reason_of(error)
    if objection:
        release(descriptor)
        raise StoreError(path, objection, _HINT)
    return Directory(path, descriptor)


def _open_or_make(path: str) -> int:
    try:
        return os.open(path, _DIRECTORY)
    except FileNotFoundError:
        _make(path)
        return os.open(path, _DIRECTORY)


def _make(path: str) -> None:
    # os.makedirs would give the parents the default mode.
    parent = os.path.dirname(path)
    if parent and not os.path.exists(parent):
        _make(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        # Another process was faster.
        return


def _objection(status: os.stat_result) -> str:
    """Why what lies there is not fit for a store; empty if it is."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    if status.st_uid != os.geteuid():
        return f"it belongs to another user (uid {status.st_uid})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"other users may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
