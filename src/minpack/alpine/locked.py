"""What a lock offers in place of repositories: the packages that it names, by name and by their libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.alpine.fetch import FetchedPackage
from minpack.apk.choose import PackageCandidate
from minpack.apk.names import SONAME
from minpack.apk.package import open_package
from minpack.apk.table import Provider
from minpack.base.locked_fetch import LockedDownload, LockedSource, fetch_locked
from minpack.base.mirrors import mirrored
from minpack.base.packages import PackageId
from minpack.errors import LockedError
from minpack.paths import name
from minpack.store.store import open_store

if TYPE_CHECKING:
    from contextlib import ExitStack

    from minpack.base.options import BaseOptions
    from minpack.lock.values import LockedImage, LockedPackage
    from minpack.progress import Progress


class LockedRepositorySet:
    """As `minpack.alpine.repository_set.Offers`; no index is read. Made by `open_locked_offers`."""

    notes: tuple[str, ...] = ()
    labels = "the lock"

    def __init__(self, locked: LockedImage, source: LockedSource) -> None:
        self._source = source
        self._packages = {package.name: package for package in locked.packages}
        self._libraries = {name(file.path): file.package for file in reversed(locked.files) if file.package}

    def find(self, name: str) -> PackageCandidate | None:
        """The package that the lock has for a name of an index; None if it has none."""
        wanted = self._libraries.get(name.removeprefix(SONAME), "") if name.startswith(SONAME) else name
        package = self._packages.get(wanted)
        if package is None:
            return None
        provider = Provider(package.name, package.version, "", 0, package.arch, package.size, "")
        return PackageCandidate(provider, 0)

    def fetch(self, name: str, chosen: PackageCandidate, stack: ExitStack) -> FetchedPackage:  # noqa: ARG002
        """The package that `find` chose, open until `stack` is closed. The lock's sum is what it is trusted by.

        :raises LockedError: a server gave other bytes, or it is another package than the lock says.
        :raises MinpackError: as `minpack.base.locked_fetch.fetch_locked`; or it is damaged.
        """
        package = self._packages[chosen.provider.package]
        wanted = LockedDownload(("package", package.name), package.url, package.sha256, package.size)
        blob = stack.enter_context(fetch_locked(wanted, self._source).blob)
        what = f"package {package.name} {package.version}"
        opened = stack.enter_context(open_package(blob, None, what, self._source.options.temporary))
        control = opened.control
        if (control.name, control.version, control.arch) != (package.name, package.version, package.arch):
            found = f"{control.name} {control.version} for {control.arch}"
            said = f"{package.version} for {package.arch}"
            raise LockedError(self._source.lock, (("package", package.name, said, found),))
        return FetchedPackage(opened, self._id(package))

    def _id(self, package: LockedPackage) -> PackageId:
        url, _ = mirrored(package.url, self._source.options, debian=False)
        return PackageId(
            *(package.name, package.version, package.arch, package.repository),
            *(url, package.sha256, package.size, package.signed_by),
        )


def open_locked_repository_set(
    options: BaseOptions, locked: LockedImage, progress: Progress, stack: ExitStack
) -> LockedRepositorySet | None:
    """What `locked` offers; None if it names no packages."""
    if not locked.packages:
        return None
    store = stack.enter_context(open_store(options.store))
    return LockedRepositorySet(locked, LockedSource(locked.lock, options, store, progress))
