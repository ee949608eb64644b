"""A session on an image that is kept whole, and on another base for what it lacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.overlay import OverlayBase
from minpack.base.packages import NoPackages
from minpack.base.walk import Walker
from minpack.sources.image import open_image
from minpack.sources.session import Session, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from minpack.base.options import BaseOptions
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
    with open_image(on, platform, options._replace(sha512=""), progress) as lower:
        if ref.kind is BaseKind.SCRATCH:
            yield Session(on, lower, NoPackages(), Walker(lower.base), hint, lower)
            return
        with open_session(ref, platform, options, progress, hint) as session:
            name = f"{lower.base.name} and {session.name}"
            tree = OverlayBase(lower.base, session.opened.base, name)
            yield session._replace(opened=session.opened._replace(base=tree), walker=Walker(tree), on=lower)
