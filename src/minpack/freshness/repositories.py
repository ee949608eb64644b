"""What repositories have now of the packages that an image ships: versions by their indexes, files by the packages."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from minpack.freshness.states import states_of
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.alpine.repository_set import RepositorySet
    from minpack.apk.choose import PackageCandidate
    from minpack.base.walk import Walker
    from minpack.debian.archive import DebianArchive, Source
    from minpack.freshness.states import PackageStates
    from minpack.freshness.values import ShippedPackage


class Offer(NamedTuple):
    """A package as repositories have it now.

    `is_newer` says whether it is newer than the one that was asked about, `is_same` whether it is that one. `key` finds
    its files. `security` is as in `minpack.freshness.values.Change`.
    """

    version: str
    repository: str
    key: str
    is_same: bool
    is_newer: bool
    security: bool | None = None


class Repositories(Protocol):
    """The repositories of a distribution, asked anew in this run."""

    @property
    def names(self) -> tuple[str, ...]:
        """What to call them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of them."""

    def offer(self, package: ShippedPackage) -> Offer | None:
        """What they have in place of a package; None if there is none of its name.

        :raises MinpackError: an index cannot be had, or is not to be trusted.
        """

    def states(self, package: ShippedPackage, offer: Offer) -> Mapping[str, str]:
        """What is at each path of a package that was offered; see `minpack.freshness.states`.

        :raises MinpackError: it cannot be had, or is not to be trusted.
        """


class DebianRepositories:
    """The suites of a release of Debian."""

    def __init__(self, archive: DebianArchive, states: PackageStates) -> None:
        self._archive = archive
        self._states = states
        self._sources: dict[str, tuple[Source, ...]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """See `Repositories.names`."""
        return tuple(map(str, self._archive.suites))

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Repositories.notes`."""
        return self._archive.notes

    def offer(self, package: ShippedPackage) -> Offer | None:
        """See `Repositories.offer`."""
        sources = self._found(package.name)
        if not sources:
            return None
        newest, shown = sources[0].package, sources[0]
        if newest.version == package.version and package.sha256 in ("", newest.sha256):
            return Offer(newest.version, str(shown.suite), newest.sha256, is_same=True, is_newer=False, security=False)
        from minpack.deb.version import version_key  # noqa: PLC0415 - where a version is another

        own = version_key(package.version)
        # What came with security updates may be in a point release, or have been updated again, by now.
        updates = [one for one in sources if one.suite.is_security and version_key(one.package.version) > own]
        shown = next((one for one in updates if one.package.version == newest.version), shown)
        newer = version_key(newest.version) >= own
        return Offer(newest.version, str(shown.suite), newest.sha256, False, newer, bool(updates))

    def states(self, package: ShippedPackage, offer: Offer) -> Mapping[str, str]:
        """See `Repositories.states`."""
        return self._states.of(offer.key, lambda: self._read(self._found(package.name)[0]))

    def _read(self, source: Source) -> Mapping[str, str]:
        from minpack.debian.base import CA_BUNDLE, bundle_of  # noqa: PLC0415 - where a package is another
        from minpack.debian.package import open_package  # noqa: PLC0415 - as above

        opened = open_package(source, self._archive.fetch(source), self._archive.store, 0)
        try:
            found, bundle = states_of(opened.entries.values()), bundle_of(opened)
        finally:
            opened.close()
        return found | ({str(CA_BUNDLE): f"sha256:{hashlib.sha256(bundle).hexdigest()}"} if bundle else {})

    def _found(self, name: str) -> tuple[Source, ...]:
        if name not in self._sources:
            self._sources[name] = self._archive.find_packages(name)
        return self._sources[name]


class AlpineRepositories:
    """The repositories that a root of apk's names.

    :param tree: that root, whose directories may be links to others.
    """

    def __init__(self, repositories: RepositorySet, tree: Walker, states: PackageStates) -> None:
        self._repositories = repositories
        self._tree = tree
        self._states = states
        self._chosen: dict[str, PackageCandidate | None] = {}
        self._placed: dict[str, Mapping[str, str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """See `Repositories.names`."""
        return self._repositories.names

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Repositories.notes`."""
        return self._repositories.notes

    def offer(self, package: ShippedPackage) -> Offer | None:
        """See `Repositories.offer`."""
        chosen = self._found(package.name)
        if chosen is None:
            return None
        from minpack.apk.version import compare_versions  # noqa: PLC0415 - for Alpine's packages alone

        provider = chosen.provider
        order = 0 if provider.version == package.version else compare_versions(provider.version, package.version)
        # A lock has the size of the file, and a database the sum of what describes the package.
        same = order == 0 and package.size in (0, provider.size) and package.checksum in ("", provider.checksum)
        said = f"{provider.package} {provider.version} {provider.size} {provider.checksum}"
        key = hashlib.sha256(said.encode()).hexdigest()
        label = self._repositories.names[chosen.repository]
        return Offer(provider.version, label, key, same, order >= 0 and not same)

    def states(self, package: ShippedPackage, offer: Offer) -> Mapping[str, str]:
        """See `Repositories.states`."""
        from minpack.alpine.package_overlay import path_over  # noqa: PLC0415 - where a package is another

        if offer.key not in self._placed:
            found = self._states.of(offer.key, lambda: self._read(package.name))
            places = {path: path_over(self._tree, RootPath(path)) for path in found}
            self._placed[offer.key] = {str(place): found[path] for path, place in places.items() if place is not None}
        return self._placed[offer.key]

    def _read(self, name: str) -> Mapping[str, str]:
        chosen = self._found(name)
        assert chosen is not None, "internal error: it was offered"
        with ExitStack() as stack:
            return states_of(one.entry for one in self._repositories.fetch(name, chosen, stack).package.files)

    def _found(self, name: str) -> PackageCandidate | None:
        if name not in self._chosen:
            # What is called as a library is one that others provide.
            self._chosen[name] = None if name.startswith("so:") else self._repositories.find(name)
        return self._chosen[name]
