"""`look`: of many locks and images what has changed since, with one look at each place that they come from."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from minpack.freshness.locked import Embedded, look_at_locked
from minpack.freshness.upstream import Upstreams
from minpack.freshness.values import Label
from minpack.lock.file import read_lock
from minpack.namedtuple import NamedTuple
from minpack.target import parse_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.base.options import BaseOptions
    from minpack.freshness.values import Freshness
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform


class AskedImage(NamedTuple):
    """What is asked about, as the user wrote it: an image, or without one the lock file of that name."""

    text: str
    image: ImageRef | None = None


class Outdated(NamedTuple):
    """What was found of each image, in the order that they were named, and what the user should know."""

    images: tuple[Freshness, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether a file that one of them ships has changed."""
        return any(image.is_outdated for image in self.images)


def look(
    subjects: Sequence[AskedImage], options: BaseOptions, progress: Progress, platforms: Sequence[Platform] = ()
) -> Outdated:
    """What has changed of what these ship.

    :param options: see `Upstreams`.
    :param platforms: those to look at; all without.
    :raises LockError: a lock cannot be read.
    :raises UnreadableImageError: there is no such image.
    :raises MinpackError: what they come from cannot be had as it is now, or is not to be trusted.
    """
    with ExitStack() as stack:
        upstreams, embedded = Upstreams(options, progress, stack), Embedded()
        images: list[Freshness] = []
        for subject in subjects:
            found = (
                _of_lock(subject.text, upstreams, embedded, platforms)
                if subject.image is None
                else _of_image(subject.text, subject.image, upstreams, options, progress, platforms)
            )
            images += found
        return Outdated(tuple(images), upstreams.notes)


def _of_lock(path: str, upstreams: Upstreams, embedded: Embedded, platforms: Sequence[Platform]) -> Iterator[Freshness]:
    """What is found of each image of a lock."""
    for key, image in sorted(read_lock(path).images.items()):
        label = Label(path, key.name, parse_platform(key.platform))
        if not platforms or label.platform in platforms:
            yield look_at_locked(label, image, upstreams, embedded)


def _of_image(
    text: str,
    ref: ImageRef,
    upstreams: Upstreams,
    options: BaseOptions,
    progress: Progress,
    platforms: Sequence[Platform],
) -> Iterator[Freshness]:
    """What is found of an image for each platform."""
    from minpack.base.walk import Walker  # noqa: PLC0415 - for images alone
    from minpack.freshness.image import look_at_image  # noqa: PLC0415 - as above
    from minpack.images.open import open_found  # noqa: PLC0415 - as above
    from minpack.images.tree import open_tree  # noqa: PLC0415 - as above

    with open_found(ref, options, progress) as found:
        for image in found.built.images:
            if not platforms or image.platform in platforms:
                label = Label(text, found.name, image.platform, str(image.digest))
                with open_tree(image, found.name, options) as tree:
                    yield look_at_image(label, image, Walker(tree), upstreams)
