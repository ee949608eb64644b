"""Whether a file that is being written is another process's: flock(2) and what the file is."""

from __future__ import annotations

import errno
import os


def try_lock(descriptor: int) -> bool | None:
    """Whether the file is locked for this process now; None where the file system has no locks."""
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_at(descriptor: int, path: str) -> bool:
    """Whether `path` is the file that is open as `descriptor`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def taken() -> OSError:
    """What to raise where another process has taken what was just made, again and again."""
    return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
