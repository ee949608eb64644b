"""Keeping a store small: leftovers and what has not been used for long go first, then the oldest of the rest.

What can be made again from a download (layers, unpacked tarballs, records) goes before downloads do. Whoever has a file
open goes on reading it; whoever looks for it later makes or fetches it again. What lock files name is never removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.store.blob import BLOB
from minpack.store.pins import pinned
from minpack.store.store import MOST_BYTES

if TYPE_CHECKING:
    from minpack.store.directory import StoredFile
    from minpack.store.store import Store

_DAY = 24 * 3600 * 10**9
#: What can be made again is removed when it has not been used for this long, in nanoseconds.
UNUSED = 30 * _DAY
#: An unfinished download is kept for so long, in nanoseconds, to be gone on with. Where a file system has no locks, no
#: process writes to a file for longer without its time changing.
LEFT_BEHIND = _DAY
_TEMPORARY, _UNFINISHED = "tmp", ("tmp", "part")


class Pruned(NamedTuple):
    """What was removed, and what is left: numbers of files and their bytes together."""

    removed: int
    removed_bytes: int
    left: int
    left_bytes: int


def prune(store: Store, most_bytes: int = MOST_BYTES, now: int | None = None, unused: int | None = None) -> Pruned:
    """Remove what is old, then the files that were used longest ago until at most `most_bytes` are left.

    :param now: nanoseconds since 1970; None for the time of the newest file, which is that of one just written.
    :param unused: remove all files, downloads too, that were not used for so many nanoseconds.
    :raises StoreError: the store cannot be read.
    """
    files = store.files()
    kept = pinned(store, files)
    newest = max((file.used for file in files), default=0) if now is None else now
    total = sum(file.size for file in files)
    left, left_bytes = len(files), total
    for file in sorted(files, key=lambda file: (file.name.endswith(BLOB), file.used)):
        if file.name in kept:
            continue
        age = newest - file.used
        old = _is_old(file, age) or left_bytes > most_bytes or (unused is not None and age > unused)
        if _remove(store, file, old=old):
            left, left_bytes = left - 1, left_bytes - file.size
    store.remove_others()
    return Pruned(len(files) - left, total - left_bytes, left, left_bytes)


def clean(store: Store) -> Pruned:
    """Remove every file but those that a process is writing.

    :raises StoreError: the store cannot be read.
    """
    files = store.files()
    removed = [file for file in files if _remove(store, file, old=True)]
    store.remove_others()
    size = sum(file.size for file in removed)
    return Pruned(len(removed), size, len(files) - len(removed), sum(file.size for file in files) - size)


def _remove(store: Store, file: StoredFile, *, old: bool) -> bool:
    """Remove a file that is `old`, or was left behind by a process that is dead; whether it did.

    What is being written is never removed, and an unfinished download not before it is old: it is gone on with.
    """
    kind = file.name.rpartition(".")[2]
    if kind not in _UNFINISHED:
        if old:
            store.remove(file.name)
        return old
    if not old and kind != _TEMPORARY:
        return False
    removed = store.remove_left_behind(file.name)
    if removed is None and old:
        store.remove(file.name)
        return True
    return bool(removed)


def _is_old(file: StoredFile, age: int) -> bool:
    kind = file.name.rpartition(".")[2]
    if kind == BLOB:
        return False
    return age > (LEFT_BEHIND if kind in _UNFINISHED else UNUSED)
