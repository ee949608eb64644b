"""Paths of this host that are longer than the system takes at once (PATH_MAX), reached from directory to directory."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

#: The longest path that the system takes, with the zero at its end (Linux, limits.h; macOS takes 1,024 bytes).
PATH_MAX = 4096 if sys.platform == "linux" else 1024
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def reached(path: bytes) -> Generator[tuple[bytes, int | None]]:
    """What to call `path`, and the open directory to call it from; None for where a relative path starts.

    :raises OSError: a directory on the way is missing or may not be passed.
    """
    directory = None
    try:
        while len(path) >= PATH_MAX:
            above, path = _split(path)
            below = os.open(above, _DIRECTORY, dir_fd=directory)
            if directory is not None:
                os.close(directory)
            directory = below
        yield path, directory
    finally:
        if directory is not None:
            os.close(directory)


def open_deep(path: str, flags: int) -> int:
    """As `os.open`, of a path of any length."""
    with reached(os.fsencode(path)) as (name, directory):
        return os.open(name, flags, dir_fd=directory)


def _split(path: bytes) -> tuple[bytes, bytes]:
    """A beginning of `path` that the system takes, and the rest; of too long a name one that it refuses."""
    at = path.rfind(b"/", 1, PATH_MAX - 1)
    at = at if at > 0 else PATH_MAX - 1
    return path[:at], path[at:].lstrip(b"/")
