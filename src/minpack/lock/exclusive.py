"""One writer of a lock file at a time: of two that add a platform each, the later one keeps what the earlier wrote."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.content import release
from minpack.progress import no_progress, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from minpack.progress import Progress

#: Reading and writing a lock takes some milliseconds; who keeps its directory locked for longer is not about that.
_TRIES, _TOLD, _PAUSE = 250, 100, 0.02


@contextmanager
def exclusive_lock(
    path: str, progress: Progress = no_progress, pause: Callable[[float], None] = time.sleep
) -> Generator[None]:
    """Wait until no other process is in this block for the lock file `path`; `progress` is told if that takes long.

    The file is replaced when it is written, so its directory is what is locked (flock(2)). Where that cannot be, or is
    for another purpose, as by ``flock . make``, the block is entered all the same: a lock is whole at any time.
    """
    descriptor = _directory(os.path.dirname(os.path.realpath(path)))
    try:
        for tried in range(_TRIES):
            if descriptor is None or _locked(descriptor):
                break
            if tried == _TOLD:
                tell(progress, f"waiting for another process, which has locked the directory of {path!r}")
            pause(_PAUSE)
        yield
    finally:
        if descriptor is not None:
            release(descriptor)


def _directory(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _locked(descriptor: int) -> bool:
    """Whether there is nothing to wait for: it is locked, or cannot be on this file system."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
