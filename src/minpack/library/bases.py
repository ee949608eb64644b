"""Opening bases."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.library.check import checked
from minpack.progress import no_progress
from minpack.sources import open as opening
from minpack.sources import session

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.library.callbacks import Progress
    from minpack.sources.session import Session
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


open_base = checked(opening.open_base)


@checked
@contextmanager
def open_session(
    ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress = no_progress
) -> Generator[Session]:
    """Open the base that `ref` names and its packages, until the block is left.

    :param platform: the platform to open the base for.
    :raises MinpackError: the base or its packages cannot be opened.
    """
    with session.open_session(ref, platform, options, progress) as opened:
        yield opened
