"""Putting a directory in another's place by two renames, so that the next run can finish what a kill cut short."""

from __future__ import annotations

import os
from contextlib import suppress

from minpack.host.locked import is_at, taken, try_lock
from minpack.host.trees import remove_tree


def swap_in(new: str, place: str) -> str:
    """Put the directory `new`, a ``.partial`` beside `place`, there; where the one before still is, if anything of it.

    :raises OSError: it cannot be moved; `place` is as before then.
    """
    marker, old = _named(new, "swap"), _named(new, "old")
    descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _mark(descriptor, marker, place)
        os.rename(place, old)
        os.rename(new, place)
        removed = remove_tree(old)
    except BaseException:
        _put_back(old, place)
        raise
    finally:
        if not os.path.lexists(old):
            with suppress(OSError):
                os.unlink(marker)
        os.close(descriptor)
    return "" if removed else old


def finish_swap(marker: str, descriptor: int) -> None:
    """End what the process that wrote `marker` had begun: the old directory is there again, or gone.

    :raises OSError: it cannot be moved.
    """
    name = os.fsdecode(os.pread(descriptor, 4096, 0))
    old = _named(marker, "old")
    if os.path.lexists(old):
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            return
        place = os.path.join(os.path.dirname(marker), name)
        _put_back(old, place)
        if not remove_tree(old):
            return
    os.unlink(marker)


def _mark(descriptor: int, marker: str, place: str) -> None:
    """Say in `marker` which directory is about to be moved."""
    if try_lock(descriptor) is False or not is_at(descriptor, marker):
        raise taken()
    os.write(descriptor, os.fsencode(os.path.basename(place)))


def _put_back(old: str, place: str) -> None:
    if os.path.lexists(old) and not os.path.lexists(place):
        os.rename(old, place)


def _named(path: str, ending: str) -> str:
    return f"{path.rpartition('.')[0]}.{ending}"
