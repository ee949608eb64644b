"""The packages of a base that apk manages: those it has installed, and those of the repositories it names."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from minpack.apk.choose import Candidate, choose
from minpack.apk.installed import (
    MAX_INSTALLED,
    InstalledFile,
    InstalledPackage,
    installed_lines,
    parse_installed,
    write_installed,
)
from minpack.apk.names import SONAME, is_package_name
from minpack.base.overlay import OverlayBase
from minpack.content import BytesContent, read_all
from minpack.errors import DownloadError, OfflineError, UsageError
from minpack.packages.fetching import fetch_package
from minpack.packages.indexes import Access, open_indexes
from minpack.packages.repositories import Listed, arch_of, keys_in, keys_of, repositories_of
from minpack.packages.shelf import Places, Shelf
from minpack.packages.source import PackageId
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from minpack.apk.package import PackageFile
    from minpack.apk.table import Provider
    from minpack.base.open import BaseOptions
    from minpack.base.tree import Base
    from minpack.base.walk import Walker
    from minpack.packages.indexes import OpenIndex
    from minpack.packages.repositories import Repository
    from minpack.packages.source import Packages
    from minpack.progress import Progress

#: Where apk keeps its database, in a root whose directories may be merged.
DATABASE = RootPath("/lib/apk/db/installed")
_GONE = (404, 410)
#: The packages that have what needs are about, by the needs' names.
_FOR_NEEDS = {"certs": "ca-certificates-bundle", "tz": "tzdata"}


class _Known(NamedTuple):
    """A package, its description for a database, what it says of its files by physical path, and its scripts."""

    id: PackageId
    lines: tuple[str, ...]
    files: dict[RootPath, InstalledFile]
    scripts: tuple[str, ...] = ()


@contextmanager
def open_alpine(walker: Walker, arch: str | None, options: BaseOptions, progress: Progress) -> Generator[Packages]:
    """See `minpack.packages.open.open_packages`; the packages of a base that has apk's database or settings."""
    installed = _installed(walker)
    own_arch = arch_of(walker) or arch or ""
    with ExitStack() as stack:
        access: Access | None = None
        listed = Listed((), ())
        if options.packages is not None and own_arch:
            mirror, access = _access(walker, own_arch, options, progress, stack)
            listed = repositories_of(walker, own_arch, mirror)
        yield AlpinePackages(walker, installed, listed.repositories, access, stack, listed.notes)


def _access(
    walker: Walker, arch: str, options: BaseOptions, progress: Progress, stack: ExitStack
) -> tuple[str, Access]:
    """The mirror's address, if one was named, and the access to repositories."""
    from minpack.store.store import open_store  # noqa: PLC0415

    mirror, network, wanted = options.mirror, options.network, options.packages
    assert wanted is not None, "internal error: packages are not wanted"
    if mirror:
        from minpack.base.named import mirror_address  # noqa: PLC0415

        mirror, network = mirror_address(mirror, network)
    keys = keys_in(wanted.keys) if wanted.keys else keys_of(walker, arch)
    store = stack.enter_context(open_store(options.store))
    return mirror, Access(store, network, keys, wanted.now, wanted.locked, options.temporary, progress)


def _installed(walker: Walker) -> tuple[InstalledPackage, ...]:
    entry = walker.find_file(DATABASE)
    if entry is None or entry.content is None or entry.size > MAX_INSTALLED:
        return ()
    return parse_installed(read_all(entry.content, MAX_INSTALLED))


class AlpinePackages:
    """See `minpack.packages.source.Packages`. Made by `open_packages`.

    :param access: None where nothing is to be fetched.
    """

    def __init__(
        self,
        base: Walker,
        installed: tuple[InstalledPackage, ...],
        repositories: tuple[Repository, ...],
        access: Access | None,
        stack: ExitStack,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._base = base
        self._repositories = repositories
        self._access = access
        self._stack = stack
        self._places = Places(base)
        self._shelf = Shelf(base, self._places)
        self._installed = installed
        self._indexes: tuple[OpenIndex, ...] | None = None
        self._fetched: dict[str, _Known] = {}
        self._why: dict[str, str] = {}
        self._notes = dict.fromkeys(notes)
        self._owners: dict[RootPath, _Known] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Packages`; nothing is said of repositories that were not asked."""
        return tuple(self._notes) if self._indexes is not None else ()

    @property
    def fetched(self) -> tuple[PackageId, ...]:
        """See `Packages`."""
        return tuple(known.id for known in self._fetched.values())

    def add_libraries(self, sonames: Iterable[str]) -> bool:
        """See `Packages`."""
        wanted = [soname for soname in dict.fromkeys(sonames) if "/" not in soname and soname not in self._why]
        if self._access is None or not self._repositories:
            return False
        came = False
        for soname in wanted:
            try:
                chosen = self._find(SONAME + soname)
            except OfflineError as error:
                self._why[soname] = f"of {error.url} nothing is kept: run once without --offline"
                continue
            if chosen is None:
                self._why[soname] = f"no package of {self._labels()} has {soname}"
                continue
            name = chosen.provider.package
            self._why[soname] = f"{name} has {soname} where the loader does not look"
            came = self._fetch(SONAME + soname, chosen) or came
        return came

    def add(self, name: str) -> tuple[RootPath, ...]:
        """See `Packages`."""
        for package in self._installed:
            if package.name == name:
                return tuple(path for one in package.files if (path := self._places.of(one.path)) is not None)
        if name in self._fetched:
            return tuple(self._fetched[name].files)
        if self._access is None or not self._repositories:
            raise UsageError("--package", name, "the base does not have it installed, and no repository may be asked")
        chosen = self._find(name) if is_package_name(name) else None
        if chosen is None:
            hint = f"packages of {self._labels()} are looked up by their exact names"
            raise UsageError("--package", name, "there is no package of that name", hint)
        self._fetch(name, chosen)
        known = self._fetched[chosen.provider.package]
        if known.scripts:
            self._notes[f"the scripts of {name} are not run: {', '.join(known.scripts)}"] = None
        return tuple(known.files)

    def over(self, base: Base) -> Base:
        """See `Packages`."""
        return OverlayBase(base, self._shelf.base()) if self._fetched else base

    def why_missing(self, soname: str) -> str:
        """See `Packages`."""
        return self._why.get(soname, "")

    def for_need(self, need: str) -> str:
        """See `Packages`."""
        return _FOR_NEEDS.get(need, "")

    def owner(self, entry: Entry) -> PackageId | None:
        """See `Packages`."""
        known = self._owner(entry)
        return known.id if known is not None else None

    def database(self, entries: Iterable[Entry]) -> Entry | None:
        """See `Packages`."""
        kept: dict[PackageId, list[InstalledFile]] = {}
        lines: dict[PackageId, tuple[str, ...]] = {}
        for entry in entries:
            known = self._owner(entry)
            if known is not None:
                said = known.files[entry.path]
                kept.setdefault(known.id, []).append(said._replace(path=entry.path, mode=entry.mode))
                lines[known.id] = known.lines
        if not kept:
            return None
        packages = (InstalledPackage(i.name, i.version, i.arch, lines[i], tuple(files)) for i, files in kept.items())
        found = self._base.walk(DATABASE).entry
        path = found.path if found is not None else self._places.of(DATABASE) or DATABASE
        return file(path, BytesContent(write_installed(packages)))

    def _labels(self) -> str:
        return ", ".join(repository.label for repository in self._repositories)

    def _find(self, name: str, *, refresh: bool = False) -> Candidate | None:
        """The package to take for a name of an index."""
        assert self._access is not None, "internal error: nothing is to be fetched"
        if self._indexes is None or refresh:
            self._indexes = open_indexes(self._repositories, self._access, refresh=refresh)
            self._notes.update(dict.fromkeys(note for index in self._indexes for note in index.notes))
        found = [
            Candidate(provider, place)
            for place, index in enumerate(self._indexes)
            for provider in index.table.providers(name)
        ]
        return choose(name.removeprefix(SONAME), found, [repository.label for repository in self._repositories])

    def _fetch(self, name: str, chosen: Candidate) -> bool:
        """Fetch a package; whether it is new. One that the repository has replaced meanwhile is looked up again."""
        assert self._access is not None, "internal error: nothing is to be fetched"
        assert self._indexes is not None, "internal error: no index was read"
        provider = chosen.provider
        if provider.package in self._fetched:
            return False
        try:
            self._take(provider, chosen.repository)
        except DownloadError as error:
            if error.status not in _GONE or self._indexes[chosen.repository].fresh:
                raise
            again = self._find(name, refresh=True)
            if again is None or again == chosen:
                raise
            self._take(again.provider, again.repository)
        return True

    def _take(self, provider: Provider, place: int) -> None:
        assert self._access is not None, "internal error: nothing is to be fetched"
        package, known = fetch_package(provider, self._repositories[place], self._access, self._stack)
        places = self._shelf.add(package.files)
        files = {
            places[one.entry.path]: InstalledFile(places[one.entry.path], _checksum(one), one.entry.mode)
            for one in package.files
            if one.entry.path in places and one.entry.kind is not Kind.DIRECTORY
        }
        control_sum = next(one for one in package.sums if one == provider.control_sum)
        lines = installed_lines(package.control, control_sum, known.size)
        self._fetched[known.name] = _Known(known, lines, files, package.control.scripts)
        self._owners = None

    def _owner(self, entry: Entry) -> _Known | None:
        """The package that has `entry` as it is."""
        if self._owners is None:
            self._owners = {}
            for package in self._installed:
                known = self._of_base(package)
                self._owners.update(dict.fromkeys(known.files, known))
            for fetched in self._fetched.values():
                own = (path for path in fetched.files if self._base.lstat(path) is None)
                self._owners.update((path, fetched) for path in own if path not in self._owners)
        owner = self._owners.get(entry.path)
        if owner is None:
            return None
        there = self._base.lstat(entry.path) or self._shelf.base().lstat(entry.path)
        same = there is not None and (there.kind, there.link, there.content) == (entry.kind, entry.link, entry.content)
        return owner if same else None

    def _of_base(self, package: InstalledPackage) -> _Known:
        places = ((self._places.of(one.path), one) for one in package.files)
        files = {path: one for path, one in places if path is not None}
        return _Known(PackageId(package.name, package.version, package.arch), package.lines, files)


def _checksum(one: PackageFile) -> str:
    """The file's checksum as a database has it; empty if the package states none."""
    from minpack.apk.checksum import parse_checksum  # noqa: PLC0415

    found = parse_checksum(f"X1{one.sha1}")
    return str(found) if found is not None else ""
