"""Opening the packages of a base, by what manages them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.packages import NoPackages
from minpack.base.walk import Walker
from minpack.spec.base_ref import HOST
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import Packages
    from minpack.progress import Progress
    from minpack.target import Platform

#: What a root that apk or dpkg manages has, one or the other.
_DPKG = ("/var/lib/dpkg/status", "/var/lib/dpkg/status.d")
_APK = ("/lib/apk/db/installed", "/etc/apk/repositories", "/etc/apk/repositories.d", "/lib/apk/repositories.d")


@contextmanager
def open_packages(
    opened: OpenBase, platform: Platform, options: BaseOptions, progress: Progress
) -> Generator[Packages]:
    """The packages of an open base; what is fetched stays open until the block is left.

    :param platform: of the programs, where the base does not state its own architecture.
    :raises InputError: the directory of --keys cannot be read.
    :raises UsageError: --mirror is not an address.
    """
    if opened.kind is BaseKind.PACKAGES:
        from minpack.debian.base import DebianBase  # noqa: PLC0415 - for such bases alone
        from minpack.debian.packages import DebianPackages  # noqa: PLC0415 - as above

        assert isinstance(opened.base, DebianBase), "internal error: only Debian's bases are made of packages"
        yield DebianPackages(opened.base)
        return
    walker = opened.once("its packages' paths", lambda: Walker(opened.base))
    if not any(walker.walk(path).entry for path in _APK):
        yield _installed(opened, walker)
        return
    from minpack.alpine.packages import open_alpine  # noqa: PLC0415 - for such bases alone

    with open_alpine(opened, walker, alpine_arch(platform) or "", options, progress) as packages:
        yield packages


def _installed(opened: OpenBase, walker: Walker) -> Packages:
    """The packages of a root that apk does not manage: dpkg's, if it has some.

    This host's own root has thousands of lists: to read them would take longer than to pack most programs.
    """
    if opened.base.name == HOST or not any(walker.walk(path).entry for path in _DPKG):
        return NoPackages()
    from minpack.debian.installed import InstalledDebianPackages  # noqa: PLC0415 - for such bases alone

    return InstalledDebianPackages(walker)
