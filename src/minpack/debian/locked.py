"""`LockedArchive`: the packages of a Debian release that a lock names, and no others; no index is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.locked_fetch import LockedDownload, fetch_locked
from minpack.catalog.debian import layout_of
from minpack.deb.packages import DebianPackage
from minpack.debian.alternatives import alternatives_of
from minpack.debian.archive import Source
from minpack.debian.suite import Suite
from minpack.paths import RootPath, ancestors, parent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.base import locked_fetch
    from minpack.lock.values import LockedImage, LockedPackage
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

_LABEL = "debian "


class LockedArchive:
    """As `minpack.debian.archive.DebianArchive`, for what a lock names.

    A library is where the lock has it. `name` is the base's.
    """

    def __init__(self, name: str, arch: str, locked: LockedImage, source: locked_fetch.LockedSource) -> None:
        self.name = name
        self.layout = layout_of(arch)
        self.store: Store = source.store
        self.unread: tuple[str, ...] = ()
        self._source = source
        self._packages = {package.name: package for package in locked.packages}
        self._owners = {file.path: file.package for file in locked.files if file.package in self._packages}
        directories = (file.path for file in locked.files if file.is_directory)
        self._directories = {above for path in self._owners for above in ancestors(path)}.union(directories)

    def find_package(self, name: str) -> Source | None:
        """The package called `name`, if the lock has it."""
        package = self._packages.get(name)
        return _source_of(package, self._source.lock) if package is not None else None

    def provider(self, path: RootPath) -> Source | None:
        """The package to take the file at `path` from, which is the one that the lock says."""
        owner = self._owners.get(path)
        return self.find_package(owner) if owner is not None else None

    def alternative(self, path: RootPath) -> RootPath | None:
        """The file that a link of Debian's alternatives at `path` leads to, if the lock has it."""
        return next((one for one in alternatives_of(path, self.layout.libraries) if one in self._owners), None)

    def program_packages(self, paths: Iterable[RootPath]) -> tuple[str, ...]:  # noqa: ARG002
        """All packages of the lock: which of them has the program it does not say."""
        return tuple(self._packages)

    def has_libraries_below(self, path: RootPath) -> bool:
        """Whether `path` is a directory in which, or below which, the lock has a file."""
        return path in (self.layout.libraries, parent(self.layout.loader)) or path in self._directories

    def fetch(self, source: Source) -> StoredBlob:
        """The package's file, verified by the sum that the lock has.

        :raises LockedError: a server gave other bytes.
        :raises MinpackError: as `minpack.base.locked_fetch.fetch_locked`.
        """
        package = self._packages[source.package.name]
        what = ("package", package.name)
        wanted = LockedDownload(what, package.url, package.sha256, package.size, package.sha1)
        return fetch_locked(wanted, self._source).blob


def _source_of(package: LockedPackage, lock: str) -> Source:
    """The package as an index would have it; its suite is the one whose name its repository's label has."""
    directory, _, name = package.url.rpartition("/")
    found = DebianPackage(package.name, package.version, package.arch, name, package.size, package.sha256, "")
    return Source(found, Suite(directory, package.repository.removeprefix(_LABEL)), lock)
