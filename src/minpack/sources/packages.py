"""Opening the packages of a base, by what manages them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.packages import NoPackages
from minpack.base.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.base.packages import Packages
    from minpack.progress import Progress

#: What a root that apk manages has, one or the other.
_APK = ("/lib/apk/db/installed", "/etc/apk/repositories", "/etc/apk/repositories.d", "/lib/apk/repositories.d")


@contextmanager
def open_packages(base: Base, arch: str | None, options: BaseOptions, progress: Progress) -> Generator[Packages]:
    """The packages of `base`; what is fetched stays open until the block is left.

    :param arch: Alpine's name of the programs' architecture, where the base does not state its own.
    :raises InputError: the directory of --keys cannot be read.
    :raises UsageError: --mirror is no address.
    """
    if base.name.startswith("debian-"):
        from minpack.debian.base import DebianBase  # noqa: PLC0415 - for such bases alone
        from minpack.debian.packages import DebianPackages  # noqa: PLC0415 - as above

        if isinstance(base, DebianBase):
            yield DebianPackages(base)
            return
    walker = Walker(base)
    if not any(walker.walk(path).entry for path in _APK):
        yield NoPackages()
        return
    from minpack.alpine.packages import open_alpine  # noqa: PLC0415 - for such bases alone

    with open_alpine(walker, arch or "", options, progress) as packages:
        yield packages
