"""Files and directories that are made beside their target and renamed onto it: whole, or not there at all."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from minpack.content import reason_of
from minpack.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def new_file(target: str) -> Generator[IO[bytes]]:
    """A new file that takes `target`'s place when the block is left, and leaves nothing if by an error.

    It is readable, writable and seekable; its mode is that of any new file of the caller's.

    :raises OutputError: `target` is a directory or device, its directory is missing, or the disk is full.
    """
    place = _file_place(target)
    partial = _partial_name(place)
    with _as_output_error(target):
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "w+b") as out:
                yield out
            os.replace(partial, place)
        except BaseException:
            os.unlink(partial)
            raise


@contextmanager
def new_directory(target: str, *, force: bool) -> Generator[str]:
    """The path of a new directory that takes `target`'s place when the block is left.

    An empty directory that is there is replaced; one with something in it only
    with `force`, and then it is moved aside first and removed last.

    :raises OutputError: `target` is something else, or not empty, or the disk is full.
    """
    place = _directory_place(target, force=force)
    partial, aside = _partial_name(place), _partial_name(place)
    with _as_output_error(target):
        os.mkdir(partial)
        try:
            yield partial
            if os.path.isdir(place):
                os.rename(place, aside)
            try:
                os.rename(partial, place)
            except OSError:
                if os.path.isdir(aside):
                    os.rename(aside, place)
                raise
        except BaseException:
            _remove_tree(partial)
            raise
        _remove_tree(aside)


@contextmanager
def _as_output_error(target: str) -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(target, reason_of(error), _hint(error)) from error


def _hint(error: OSError) -> str | None:
    import errno  # noqa: PLC0415

    return {
        errno.ENOSPC: "free some space, or choose another place with -o",
        errno.EDQUOT: "free some space, or choose another place with -o",
        errno.EACCES: "choose a place you may write to with -o",
        errno.EROFS: "choose a place you may write to with -o",
        errno.ENOENT: "make the directory first, or choose another place with -o",
    }.get(error.errno or 0)


def _file_place(target: str) -> str:
    """Where the file goes: behind a symlink, at its target, so that the link stays."""
    place = os.path.realpath(target)
    try:
        mode = os.stat(place).st_mode
    except OSError:
        return place
    if stat.S_ISDIR(mode):
        raise OutputError(target, "it is a directory", "name a file in it: -o DIR/NAME.tar")
    if not stat.S_ISREG(mode):
        raise OutputError(target, "it is no regular file", "write to stdout with -o -")
    return place


def _directory_place(target: str, *, force: bool) -> str:
    place = os.path.realpath(target)
    if os.path.lexists(place):
        if not os.path.isdir(place):
            raise OutputError(target, "it is a file", "name a new directory with -o")
        if os.path.ismount(place):
            raise OutputError(target, "something is mounted on it", "name a directory below it")
        with _as_output_error(target):
            if os.listdir(place) and not force:
                raise OutputError(target, "the directory is not empty", "choose another, or replace it with --force")
    return place


def _partial_name(place: str) -> str:
    directory, name = os.path.split(place)
    return os.path.join(directory, f".{name[:200]}.{os.urandom(6).hex()}.partial")


def _remove_tree(path: str) -> None:
    """Remove what is at `path`, directories without write permission too."""
    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)
