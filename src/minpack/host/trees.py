"""Removing a directory with all that is in it, however deep, and never anything that is mounted in it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What failed once may work when it is tried again, as on a file system of a network's.
_PASSES = 3
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> bool:
    """Remove what is at `path`, directories without write permission too; whether nothing is there now.

    Directories are moved up to the top before they are emptied: so two are open at a time, no path is longer than two
    names, and what is mounted somewhere stays as it is, because nothing can be moved out from under a mount (rename(2),
    EBUSY and EXDEV).
    """
    for _ in range(_PASSES):
        with suppress(OSError):
            _remove(path)
        if _is_gone(path):
            return True
    return False


def _is_gone(path: str) -> bool:
    """Whether nothing is at `path`; not if the system cannot tell."""
    try:
        os.lstat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _remove(path: str) -> None:
    try:
        top = _open_directory(path, None)
    except NotADirectoryError:
        os.unlink(path)
        return
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(path)


def _empty(top: int) -> None:
    names = _names()
    todo = _take_out(top, top, names)
    while todo:
        name = todo.pop()
        with suppress(OSError):
            directory = _open_directory(name, top)
            try:
                todo += _take_out(directory, top, names)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=top)


def _take_out(directory: int, top: int, names: Iterator[str]) -> list[str]:
    """Remove the files in `directory` and move the directories to `top`; the names that these have there."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    moved = []
    for old, is_directory in found:
        with suppress(OSError):
            if is_directory:
                new = next(names)
                _move(old, directory, new, top)
                moved.append(new)
            else:
                os.unlink(old, dir_fd=directory)
    return moved


def _move(old: str, directory: int, new: str, top: int) -> None:
    try:
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=top)
    except PermissionError:
        # Its entry for the directory above it changes, so it must be writable itself (rename(2), EACCES).
        _make_writable(old, directory)
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=top)


def _open_directory(name: str, above: int | None) -> int:
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=above)
    except PermissionError:
        _make_writable(name, above)
        return os.open(name, _DIRECTORY, dir_fd=above)
    with suppress(OSError):
        os.fchmod(descriptor, 0o700)
    return descriptor


def _make_writable(name: str, above: int | None) -> None:
    """Let the owner do everything with the directory `name`, which is not a link."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, 0o700, dir_fd=above, follow_symlinks=False)
        return
    # Linux has no chmod(2) that follows no link; a descriptor of the directory itself has a name that leads to it.
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
    finally:
        os.close(descriptor)


def _names() -> Iterator[str]:
    """Names that nothing has."""
    start, number = os.urandom(8).hex(), 0
    while True:
        yield f".{start}-{number}"
        number += 1
