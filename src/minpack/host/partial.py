"""Outputs that are being written, beside their target; what a process that was killed left of them is removed.

    .minpack-<random>.partial    a file or directory being written, locked with flock(2) by the process that writes it
    .minpack-<random>.swap       where names cannot be exchanged: says which directory is moved aside, locked likewise
    .minpack-<random>.old        the directory that is moved aside

The kernel takes the lock away when the process ends, however it ends, and in whatever container or on whatever machine
that shares the file system. What is not locked belongs to nobody; where there are no locks nothing is ever removed.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from itertools import islice

from minpack.host.locked import is_at, taken, try_lock

# Compiled when it is first used, as most runs do not.
_NAME = r"\.minpack-[0-9a-f]{12}\.(partial|swap|old)"
#: So many entries of a directory are looked at: what else is in it is no business of an output's.
_MOST_ENTRIES = 10_000
_TRIES = 10
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Partial:
    """One unfinished output in `directory`, at `path` as soon as it is made; `close` gives up the lock."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._lock = -1
        self.path = ""

    def make_file(self) -> int:
        """Make a file; a descriptor of it to read and write, which the caller closes.

        :raises OSError: the system cannot.
        """
        for _ in range(_TRIES):
            self._choose()
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            # The lock is one of all duplicates together: it stays when the caller closes its own.
            self._lock = os.dup(descriptor)
            if self._is_locked():
                return descriptor
            os.close(descriptor)
            self.close()
        raise taken()

    def make_directory(self) -> None:
        """Make a directory.

        :raises OSError: the system cannot.
        """
        for _ in range(_TRIES):
            self._choose()
            os.mkdir(self.path)
            with suppress(FileNotFoundError):
                self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
                if self._is_locked():
                    return
            self.close()
        raise taken()

    def close(self) -> None:
        """Give up the lock; what is there may be removed by anyone."""
        if self._lock >= 0:
            descriptor, self._lock = self._lock, -1
            # Whatever was written was complete before.
            with suppress(OSError):
                os.close(descriptor)

    def _choose(self) -> None:
        self.path = os.path.join(self._directory, f".minpack-{os.urandom(6).hex()}.partial")

    def _is_locked(self) -> bool:
        """Whether nobody took it for a leftover between its making and its locking."""
        return try_lock(self._lock) is not False and is_at(self._lock, self.path)


def is_unfinished(name: str) -> bool:
    """Whether an unfinished output is called so."""
    return name.startswith(".minpack-") and re.fullmatch(_NAME, name, re.ASCII) is not None


def remove_leftovers(directory: str) -> None:
    """Remove what killed processes of this user left in `directory`, and put back a directory that was moved aside."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entry.name for entry in islice(entries, _MOST_ENTRIES) if is_unfinished(entry.name))
    except OSError:
        return
    # Directories that were moved aside come first: a target is there before anything else is removed.
    for name in sorted(found, key=lambda name: not name.endswith(".swap")):
        if not name.endswith(".old"):
            with suppress(OSError):
                _remove_leftover(os.path.join(directory, name))


def _remove_leftover(path: str) -> None:
    status = os.lstat(path)
    if status.st_uid != os.geteuid() or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return
    access = os.O_RDONLY | os.O_DIRECTORY if stat.S_ISDIR(status.st_mode) else os.O_RDWR
    descriptor = os.open(path, access | _OPEN)
    try:
        if try_lock(descriptor) is not True or not is_at(descriptor, path):
            return
        if path.endswith(".swap"):
            from minpack.host.swap import finish_swap  # noqa: PLC0415 - where names cannot be exchanged alone

            finish_swap(path, descriptor)
        elif stat.S_ISDIR(status.st_mode):
            from minpack.host.trees import remove_tree  # noqa: PLC0415 - where a process was killed alone

            remove_tree(path)
        else:
            os.unlink(path)
    finally:
        os.close(descriptor)
