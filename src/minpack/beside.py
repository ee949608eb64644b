"""Files and directories that are made beside their target and renamed onto it: whole, or not there at all."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
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
    with as_output_error(target):
        place = _file_place(target)
        partial = _partial_name(place)
        try:
            # Within the block: a signal may come at any time.
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "w+b") as out:
                yield out
            os.replace(partial, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise


@contextmanager
def new_directory(target: str, *, force: bool) -> Generator[str]:
    """The path of a new directory that takes `target`'s place when the block is left.

    An empty directory that is there is replaced; one with something in it only
    with `force`, and then it is moved aside first and removed last.

    :raises OutputError: `target` is something else, or not empty, or the disk is full.
    """
    with as_output_error(target):
        place = _directory_place(target, force=force)
        partial, aside = _partial_name(place), _partial_name(place)
        try:
            os.mkdir(partial)
            yield partial
            if os.path.isdir(place):
                os.rename(place, aside)
            os.rename(partial, place)
        except BaseException:
            if os.path.isdir(aside) and not os.path.lexists(place):
                os.rename(aside, place)
            _remove_tree(partial)
            raise
        _remove_tree(aside)
        if os.path.lexists(aside):
            raise OutputError(target, f"it is written, but what was there before cannot be removed: {aside!r}")


@contextmanager
def as_output_error(target: str, hint: str | None = None) -> Generator[None]:
    """Let what the system says of `target` come as an error of minpack's; a broken pipe stays one.

    :param hint: what to do about it, by default what the kind of the error suggests.
    :raises OutputError: the system raised something.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(target, reason_of(error), hint or _hint(error)) from error


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
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = stat.S_IFDIR if target.endswith("/") else stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise OutputError(target, "it is a directory", "name a file in it: -o DIR/NAME.tar")
    if not stat.S_ISREG(mode):
        raise OutputError(target, "it is no regular file", "write to stdout with -o -")
    return os.path.realpath(target)


def _directory_place(target: str, *, force: bool) -> str:
    place = os.path.realpath(target)
    if os.path.lexists(place):
        if not os.path.isdir(place):
            raise OutputError(target, "it is a file", "name a new directory with -o")
        if os.path.ismount(place):
            raise OutputError(target, "something is mounted on it", "name a directory below it")
        if f"{os.path.realpath('.')}/".startswith(f"{place}/"):
            raise OutputError(target, "the working directory is in it", "name another directory")
        if os.listdir(place) and not force:
            raise OutputError(target, "the directory is not empty", "choose another, or replace it with --force")
    return place


def _partial_name(place: str) -> str:
    return os.path.join(os.path.dirname(place), f".minpack-{os.urandom(6).hex()}.partial")


def _remove_tree(path: str) -> None:
    """Remove what is at `path`, directories without write permission too."""
    import shutil  # noqa: PLC0415

    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)
