"""Waiting until another process is done with an unfinished download: told after a while, and not for ever."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.net.network import Network
from minpack.progress import no_progress, tell

if TYPE_CHECKING:
    from minpack.progress import Progress

#: What flock(2) says on a file system that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
#: Seconds between two looks: the next one is twice as late, up to the last.
_FIRST, _LAST = 0.01, 0.32
#: More bytes than the system's list of locks has.
_MOST_LOCKS = 1 << 20


class Turn(NamedTuple):
    """How long a process waits for its turn with the download of `what`, and who is told.

    The other one must bring as much as a server must (`Limits.rate`), or is not waited for any longer.
    """

    what: str = "a file"
    network: Network = Network()
    progress: Progress = no_progress

    def take(self, descriptor: int) -> bool:
        """Lock the open file, and wait for whoever has it locked; False if it cannot be had.

        :raises OSError: the disk is broken.
        """
        locked = try_lock(descriptor)
        return self._wait(descriptor) if locked is False else bool(locked)

    def _wait(self, descriptor: int) -> bool:
        from minpack.net.budget import Budget, SpentError  # noqa: PLC0415 - where there is something to wait for

        limits = self.network.limits
        budget = Budget(limits, longest=2 * _LAST)
        size = os.fstat(descriptor).st_size
        pause, waited, told = _FIRST, 0.0, False
        while not try_lock(descriptor):
            if waited >= limits.silence and not told:
                tell(self.progress, f"waiting for {_named(descriptor)}, which is downloading {self.what}")
                told = True
            self.network.pause(pause)
            pause, waited = min(2 * pause, _LAST), waited + pause
            before, size = size, os.fstat(descriptor).st_size
            try:
                budget.use(max(size - before, 0))
                budget.spend(max(size - before, 0))
            except SpentError:
                tell(self.progress, f"{_named(descriptor)} makes no progress with {self.what}: downloading it here too")
                return False
        return True


def try_lock(descriptor: int) -> bool | None:
    """Lock the open file; False if another process has done so, None where the file system has no locks.

    :raises OSError: the disk is broken.
    """
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _named(descriptor: int) -> str:
    """The process that has the open file locked, in words."""
    pid = holder(descriptor)
    if pid is None:
        return "another process"
    return f"process {pid}{' (it is stopped; kill -CONT lets it go on)' if _is_stopped(pid) else ''}"


def holder(descriptor: int) -> int | None:
    """The process that has the open file locked; None where the system does not tell (proc_locks(5) is Linux's)."""
    status = os.fstat(descriptor)
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in _read("/proc/locks").splitlines():
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, where, *_] if where == file and pid.isdigit():
                return int(pid) or None
    return None


def _is_stopped(pid: int) -> bool:
    """Whether a signal stopped the process (proc_pid_stat(5)); its name, in parentheses, may have any characters."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] == ["T"]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_LOCKS)
    except OSError:
        return ""
