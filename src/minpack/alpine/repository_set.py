"""What the repositories that a base names offer: looked up in their indexes, fetched, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.alpine.fetch import fetch_package
from minpack.alpine.indexes import FetchContext, open_index
from minpack.alpine.repositories import arch_of, keys_in, keys_of, repositories_of
from minpack.apk.choose import PackageCandidate, choose
from minpack.apk.names import SONAME
from minpack.errors import DownloadError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from minpack.alpine.fetch import FetchedPackage
    from minpack.alpine.indexes import OpenIndex
    from minpack.alpine.repositories import Repository
    from minpack.base.options import BaseOptions, PackageOptions
    from minpack.base.walk import Walker
    from minpack.progress import Progress


class RepositorySet:
    """The packages of several repositories. Made by `open_offers`; their indexes are opened when they are asked first.

    With `refresh` they are fetched anew for it.

    `notes` says what the user should know of them.
    """

    def __init__(
        self,
        repositories: tuple[Repository, ...],
        access: FetchContext,
        notes: tuple[str, ...],
        *,
        refresh: bool = False,
    ) -> None:
        self._repositories = repositories
        self._access = access
        self._refresh = refresh
        self._indexes: tuple[OpenIndex, ...] | None = None
        self._failure: DownloadError | None = None
        self.notes = notes

    @property
    def labels(self) -> str:
        """What to call the repositories."""
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each repository, in their order."""
        return tuple(repository.label for repository in self._repositories)

    def find(self, name: str) -> PackageCandidate | None:
        """The package to take for a name of an index, a package's own or ``so:`` and a soname; None if none has it.

        :raises AmbiguousLibraryError: more than one package has it, and none is preferred.
        :raises MinpackError: as `open_index`.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._indexes is None:
            try:
                self._indexes = self._opened(refresh=self._refresh)
            except DownloadError as error:
                # A server that does not answer is not waited for again for every name, and every image.
                self._failure = error
                raise
        found = [
            PackageCandidate(provider, place)
            for place, index in enumerate(self._indexes)
            for provider in index.table.providers(name)
        ]
        return choose(name.removeprefix(SONAME), found, [repository.label for repository in self._repositories])

    def fetch(self, name: str, chosen: PackageCandidate, stack: ExitStack) -> FetchedPackage:
        """The package that `find` chose for `name`, open until `stack` is closed.

        One that the repository has replaced since its index was fetched is looked up again.

        :raises MinpackError: as `fetch_package` and `find`.
        """
        try:
            return self._fetched(chosen, stack)
        except DownloadError as error:
            if not error.is_gone or self._indexes is None or self._indexes[chosen.repository].fresh:
                raise
            self._indexes = self._opened(refresh=True)
            again = self.find(name)
            if again is None or again == chosen:
                raise
            return self._fetched(again, stack)

    def _fetched(self, chosen: PackageCandidate, stack: ExitStack) -> FetchedPackage:
        return fetch_package(chosen.provider, self._repositories[chosen.repository], self._access, stack)

    def _opened(self, *, refresh: bool) -> tuple[OpenIndex, ...]:
        indexes = tuple(open_index(one, self._access, refresh=refresh) for one in self._repositories)
        notes = (*self.notes, *(note for index in indexes for note in index.notes))
        self.notes = tuple(dict.fromkeys(notes))
        return indexes


def open_repository_set(
    base: Walker, arch: str, options: BaseOptions, wanted: PackageOptions, progress: Progress, stack: ExitStack
) -> RepositorySet | None:
    """What the repositories offer that `base` names; None if it names none.

    :param arch: Alpine's name of the architecture, where the base does not state its own.
    :raises InputError: the directory of --keys cannot be read.
    :raises UsageError: --mirror is not an address.
    """
    from minpack.store.store import open_store  # noqa: PLC0415

    mirror, network = options.mirror, options.network
    arch = arch_of(base) or arch
    if mirror:
        from minpack.net.mirror import mirror_address  # noqa: PLC0415

        mirror, network = mirror_address(mirror, network)
    listed = repositories_of(base, arch, mirror)
    if not listed.repositories or not arch:
        return None
    keys = keys_in(wanted.keys) if wanted.keys else keys_of(base, arch)
    store = stack.enter_context(open_store(options.store))
    access = FetchContext(store, network, keys, wanted.now, wanted.locked, options.temporary, progress, wanted.current)
    return RepositorySet(listed.repositories, access, listed.notes, refresh=options.refresh)
