"""Writing a lock, and renewing one: an image is planned of what is newest, and what it was made of is written down."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.build.lock import LockRecorder
from minpack.build.pack import pack
from minpack.errors import LockError, OutputError, StoreError, reason_of
from minpack.host.overwrite import file_place
from minpack.lock.exclusive import exclusive_lock
from minpack.lock.file import holds, read_lock, write_lock
from minpack.lock.values import Lock, differences
from minpack.namedtuple import NamedTuple
from minpack.output.inputs import spec_inputs
from minpack.spec.base_ref import SCRATCH_BASE
from minpack.store.pins import pin
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.host.overwrite import HostInput
    from minpack.lock.values import Difference, ImageKey, LockedImage
    from minpack.progress import Progress
    from minpack.shared.use import CacheUse
    from minpack.spec.image import ImageSpec
    from minpack.store.store import Store


class LockUpdate(NamedTuple):
    """What a lock has of one image now, and what it had `before`, which is None if it is new there.

    `changed` says whether the file's bytes are others now, or would be; `written` whether they were written. Of several
    platforms it is the image of the first by its name, and `others` are those of the others; the notes are about all.
    """

    path: str
    key: ImageKey
    image: LockedImage
    before: LockedImage | None
    changed: bool
    written: bool
    notes: tuple[str, ...]
    others: tuple[LockUpdate, ...] = ()
    #: What was taken from shared caches and written to one; None where none is named.
    cache: CacheUse | None = None

    @property
    def images(self) -> tuple[LockUpdate, ...]:
        """That of each platform."""
        return (self, *self.others)

    @property
    def changes(self) -> tuple[Difference, ...]:
        """What is not as it was; nothing where the image is new."""
        return differences(self.before, self.image) if self.before is not None else ()


class PlannedUpdate(NamedTuple):
    """What images are made of now, each with its key, and the lock that would be written if it is as it was `before`.

    The notes and the use of caches are those of `LockUpdate`.
    """

    before: Lock
    images: tuple[tuple[ImageKey, LockedImage], ...]
    notes: tuple[str, ...]
    cache: CacheUse | None

    @property
    def lock(self) -> Lock:
        """The lock with these images."""
        return _with(self.before, self)


def plan_update(
    spec: ImageSpec,
    options: BaseOptions,
    path: str,
    progress: Progress,
    *,
    known: bool = False,
    write: bool = True,
) -> PlannedUpdate:
    """What an image of the spec is made of now, for each of its platforms, to be written into the lock file `path`.

    :param known: the lock must be there, and know the image.
    :param write: whether it will be written.
    :raises LockError: the lock that is there cannot be used.
    :raises OutputError: no lock can be written to `path`.
    :raises MinpackError: as `minpack.build.pack.pack`.
    """
    bases = [spec.base or SCRATCH_BASE, *(base for _, base in spec.bases)]
    _check_place(path, [one for base in bases for one in spec_inputs(spec, base, options)])
    before = _before(path, known=known)
    taking = LockRecorder(before, path, known=known)
    packed = pack(spec, options, None, progress, write=write, locking=taking)
    notes = packed.notes
    if options.refresh and options.network.offline:
        notes = (*notes, "--offline: the newest versions are the newest in the cache")
    return PlannedUpdate(before, tuple(taking.images), notes, packed.cache)


def write_update(
    planned: PlannedUpdate,
    path: str,
    store: str | None,
    progress: Progress,
    *,
    known: bool = False,
    write: bool = True,
) -> LockUpdate:
    """Write what was planned into the lock file `path`.

    What the lock has of other images and platforms stays. Nothing is written if the file has these bytes already. What
    it names is kept in the store as long as the file is there.

    :param store: the directory of the store, None for no store.
    :param known: the lock must be there.
    :param write: whether to write.
    :raises LockError: the lock that is there cannot be used.
    :raises OutputError: it cannot be written.
    """
    notes = planned.notes
    with exclusive_lock(path, progress):
        # Another process may have added another image meanwhile.
        before = _before(path, known=known)
        lock = _with(before, planned)
        changed = not holds(path, lock)
        if changed and write:
            write_lock(lock, path)
        if write and os.path.isfile(path):
            notes = (*notes, *keep(lock, path, store))
    done = (changed, changed and write, notes)
    first, *others = (LockUpdate(path, key, image, _replaced(before, key), *done) for key, image in planned.images)
    return first._replace(others=tuple(others), cache=planned.cache)


def _with(lock: Lock, planned: PlannedUpdate) -> Lock:
    for key, image in planned.images:
        lock = lock.with_image(key, image)
    return lock


def _replaced(before: Lock, key: ImageKey) -> LockedImage | None:
    """What the lock had in the place of the image of that key."""
    replaced = before.replaced(key)
    return before.images[replaced] if replaced is not None else None


def _check_place(path: str, inputs: Sequence[HostInput]) -> None:
    """Raise `OutputError` if `path` is an input, or something else that no lock can be written to."""
    try:
        # What is there is replaced only if it can be read as a lock: it may lie in a directory that is packed.
        file_place(path, (one._replace(whole=False) for one in inputs), force=True)
    except OutputError as error:
        raise OutputError(path, error.reason, "name another file with --lock FILE") from error


def _before(path: str, *, known: bool) -> Lock:
    """The lock that is there; an empty file is none, nor is a device or pipe, which can only be written to."""
    try:
        there = os.path.isfile(path) and os.path.getsize(path) > 0
    except OSError as error:
        raise LockError(path, reason_of(error), "--lock FILE names another") from error
    return read_lock(path) if known or there else Lock()


def keep(lock: Lock, path: str, directory: str | None) -> tuple[str, ...]:
    """Let the store in `directory` keep what `lock` names as long as the file `path` is there; None for no store.

    A note says why it does not: no image is other for it.
    """
    try:
        with open_store(directory) as store:
            pin(store, os.path.realpath(path), (*lock.sums, *_image_sums(lock, store)))
    except StoreError as error:
        return (f"the store does not keep what {path!r} names: {error.reason}",)
    return ()


def _image_sums(lock: Lock, store: Store) -> tuple[str, ...]:
    """The SHA-256 of all that the store has of the images that `lock` names, sorted."""
    bases = [base for image in lock.images.values() for base in (image.base, *image.others)]
    digests = sorted({base.digest for base in bases if base.digest})
    if not digests:
        return ()
    from minpack.sources.pull import kept_sums  # noqa: PLC0415 - for images alone

    return tuple(sorted({one for digest in digests for one in kept_sums(digest, store)}))
