"""Comparing two images wherever they are, or an image with what a lock names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.errors import LockError
from minpack.excerpt import listed
from minpack.images.choose import chosen_image
from minpack.images.diff import ImageDiff, diff_sides, image_side, lock_side
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.base.options import BaseOptions
    from minpack.images.diff import PackageFiles, Side
    from minpack.lock.values import Lock
    from minpack.oci.image import BuiltImage
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform


class Compared(NamedTuple):
    """What is on the left: the lock of that path, or the image that `ref` names."""

    name: str
    ref: ImageRef | None = None
    lock: Lock | None = None


class Comparing(NamedTuple):
    """How the two are opened.

    :param platform: the one whose images are compared, of indexes; None for the only one, or that for `machine`.
    :param packages: reads which packages are in a tree.
    """

    options: BaseOptions
    progress: Progress
    platform: Platform | None
    machine: Platform | None
    packages: Callable[[Walker], tuple[PackageFiles, ...]]


def compare(before: Compared, after: ImageRef, how: Comparing) -> ImageDiff:
    """What differs between them.

    :raises LockError: the lock has no image for the platform, or several.
    :raises MinpackError: an image is not there, or is damaged.
    """
    with ExitStack() as stack:
        return compare_side(before, *_open(after, how, stack), how)


def compare_side(before: Compared, other: Side, image: BuiltImage, how: Comparing) -> ImageDiff:
    """As `compare`, with an image whose tree is open: `image`, as `other` says what is in it."""
    if before.lock is not None:
        return diff_sides(_of_lock(before.name, before.lock, image), other)
    assert before.ref is not None, "internal error: it is an image"
    with ExitStack() as stack:
        # What is said of the one without a platform must be said of both.
        one, _ = _open(before.ref, how._replace(machine=how.platform or image.platform), stack)
        return diff_sides(one, other)


def _open(ref: ImageRef, how: Comparing, stack: ExitStack) -> tuple[Side, BuiltImage]:
    found = stack.enter_context(open_found(ref, how.options, how.progress, how.platform))
    image = chosen_image(found, how.machine)
    base = stack.enter_context(open_tree(image, found.name, how.options))
    return image_side(found.name, image, Walker(base), base.unpacked_size, how.packages), image


def _of_lock(path: str, lock: Lock, image: BuiltImage) -> Side:
    platform = str(image.platform)
    names = lock.names(platform)
    if len(names) != 1:
        reason = f"it has {listed(names)}" if names else f"it has no image for {platform}"
        raise LockError(path, reason, "compare it with an image for a platform of which the lock has one image")
    (key,) = (key for key in lock.images if key.platform == platform)
    return lock_side(path, platform, lock.images[key])
