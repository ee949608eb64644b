"""Files and directories that are made beside their target and renamed onto it: whole, or not there at all."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOTEMPTY
from typing import IO, TYPE_CHECKING

from minpack.errors import OutputError
from minpack.host.overwrite import as_output_error, directory_place, file_place
from minpack.host.partial import Partial, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from minpack.host.overwrite import HostInput


class NewDirectory:
    """A directory that is being written, at `path`; `leftover` is what of the one before it could not be removed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.leftover = ""


@contextmanager
def new_file(target: str, inputs: Iterable[HostInput] = (), *, force: bool = False) -> Generator[IO[bytes]]:
    """A new file that takes `target`'s place when the block is left, and leaves nothing if by an error.

    It is readable, writable and seekable; its mode is that of any new file of the caller's. What killed processes left
    beside it is removed.

    :param inputs: what it must not replace.
    :param force: it may replace a file that is neither empty nor a tar archive.
    :raises OutputError: see `file_place`; or its directory is missing, or the disk is full.
    """
    with as_output_error(target):
        place, direct = file_place(target, inputs, force=force)
        assert not direct, "internal error: what is written to as it is has no place beside it"
        remove_leftovers(os.path.dirname(place))
        partial = Partial(os.path.dirname(place))
        try:
            # Within the block: a signal may come at any time.
            with os.fdopen(partial.make_file(), "w+b") as out:
                yield out
            os.replace(partial.path, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial.path)
            raise
        finally:
            partial.close()


@contextmanager
def opened_directly(target: str) -> Generator[IO[bytes]]:
    """A device or pipe, open to be written to as it is; everything that is written is, or it is an error.

    :raises OutputError: it is a terminal, or cannot be opened or written.
    """
    with (
        as_output_error(target),
        open(os.open(target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC), "wb") as out,
    ):
        if out.isatty():
            raise OutputError(target, "it is a terminal", "choose a file or a pipe with -o")
        yield out
        out.flush()


@contextmanager
def new_directory(target: str, inputs: Iterable[HostInput] = (), *, force: bool = False) -> Generator[NewDirectory]:
    """A new directory that takes `target`'s place when the block is left, and leaves nothing if by an error.

    An empty directory that is there is replaced; one with something in it only with `force`: the two are exchanged, and
    the old one is removed last.

    :param inputs: what must not be in it.
    :raises OutputError: see `directory_place`; or the disk is full.
    """
    from minpack.host.trees import remove_tree  # noqa: PLC0415 - for directories alone

    with as_output_error(target):
        place = directory_place(target, inputs, force=force)
        remove_leftovers(os.path.dirname(place))
        partial = Partial(os.path.dirname(place))
        made = NewDirectory("")
        try:
            partial.make_directory()
            made.path = partial.path
            yield made
            made.leftover = _put(partial.path, place, force=force)
        finally:
            # It is what was being written, or what was there before; where nothing was, it is gone.
            if partial.path and not remove_tree(partial.path):
                made.leftover = partial.path
            partial.close()


def _put(new: str, place: str, *, force: bool) -> str:
    """Put the directory `new` at `place`; where the one before is now, if it is neither gone nor at `new`."""
    try:
        # That replaces an empty directory too, in one step (rename(2)).
        os.rename(new, place)
    except OSError as error:
        if not force or error.errno not in (EEXIST, ENOTEMPTY):
            raise
    else:
        return ""
    from minpack.host.exchange import exchange  # noqa: PLC0415 - with --force alone

    if exchange(new, place):
        return ""
    from minpack.host.swap import swap_in  # noqa: PLC0415 - where names cannot be exchanged alone

    return swap_in(new, place)
