"""Opening the packages of a base, by what manages them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.packages.source import NoPackages

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.tree import Base
    from minpack.packages.source import Packages


@contextmanager
def open_packages(base: Base) -> Generator[Packages]:
    """The packages of `base`."""
    from minpack.base.debian import DebianBase  # noqa: PLC0415 - for such bases alone

    if isinstance(base, DebianBase):
        from minpack.packages.debian import DebianPackages  # noqa: PLC0415 - as above

        yield DebianPackages(base)
        return
    yield NoPackages()
