"""A session on an image that is kept whole, and on another base for what it lacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.overlay import OverlayBase
from minpack.base.packages import NoPackages
from minpack.base.walk import Walker
from minpack.sources.image import open_image
from minpack.sources.open import open_base
from minpack.sources.session import Session, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


@contextmanager
def open_session_on(
    on: BaseRef, ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress, hint: Callable[[], str]
) -> Generator[Session]:
    """A session whose tree is that of the image `on`, and below it that of the base `ref`.

    No packages are fetched for the image itself: its database of them is what it says it has.

    :raises MinpackError: as `open_image` and `open_session`.
    """
    with _opened_on(on, platform, options._replace(sha512=""), progress) as lower:
        if ref.kind is BaseKind.SCRATCH:
            # Nothing comes of it but what is wrong with the options.
            with open_base(ref, platform, options, progress):
                yield Session(on, lower, NoPackages(), Walker(lower.base), hint, lower)
            return
        with open_session(ref, platform, options, progress, hint) as session:
            name = f"{lower.base.name} and {session.name}"
            tree = OverlayBase(lower.base, session.opened.base, name)
            yield session._replace(opened=session.opened._replace(base=tree), walker=Walker(tree), on=lower)


def _opened_on(
    on: BaseRef, platform: Platform, options: BaseOptions, progress: Progress
) -> AbstractContextManager[OpenBase]:
    """The image, that of the lock if there is one."""
    if options.locked is not None:
        from minpack.sources.locked import open_locked_on  # noqa: PLC0415 - for locked builds alone

        return open_locked_on(on, platform, options, options.locked, progress)
    return open_image(on, platform, options, progress)
