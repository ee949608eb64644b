"""The packages of a base that apk manages: those it has installed, and those of the repositories it names."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from minpack.alpine.package_overlay import PackageOverlay, path_over
from minpack.apk.installed import (
    MAX_INSTALLED,
    InstalledFile,
    InstalledPackage,
    field_of,
    installed_lines,
    parse_installed,
    write_installed,
)
from minpack.apk.names import parse_dependencies, parse_provides
from minpack.base.overlay import OverlayBase
from minpack.base.packages import PackageFacts, PackageId
from minpack.content import BytesContent, read_all
from minpack.errors import OfflineError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from minpack.alpine.locked import LockedRepositorySet
    from minpack.alpine.repository_set import RepositorySet
    from minpack.apk.choose import PackageCandidate
    from minpack.apk.names import Dependency
    from minpack.apk.package import PackageFile
    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import Packages
    from minpack.base.walk import Walker
    from minpack.progress import Progress

#: Where apk keeps its database, in a root whose directories may be merged.
DATABASE = RootPath("/lib/apk/db/installed")
#: The packages that have what needs are about, by the needs' names.
_FOR_NEEDS = {
    "certs": "ca-certificates-bundle",
    "tz": "tzdata",
    "terminfo": "ncurses-terminfo-base",
    "mime": "mailcap",
    "services": "alpine-baselayout-data",
    "protocols": "alpine-baselayout-data",
}


class _Known(NamedTuple):
    """A package, its description for a database, its files by physical path, its scripts, and its directories."""

    id: PackageId
    lines: tuple[str, ...]
    files: dict[RootPath, InstalledFile]
    scripts: tuple[str, ...] = ()
    directories: tuple[RootPath, ...] = ()

    @property
    def paths(self) -> tuple[RootPath, ...]:
        """Where its files and directories are."""
        return (*self.files, *self.directories)


@contextmanager
def open_alpine(
    opened: OpenBase, base: Walker, arch: str, options: BaseOptions, progress: Progress
) -> Generator[Packages]:
    """The packages of a base that has apk's database or settings, open until its ``with`` block is left.

    :param base: over the base alone.
    """
    with ExitStack() as stack:

        def open_offers() -> RepositorySet | LockedRepositorySet | None:
            if options.packages is None:
                return None
            if options.locked is not None:
                from minpack.alpine.locked import open_locked_repository_set  # noqa: PLC0415 - for locked builds alone

                return open_locked_repository_set(options, options.locked, progress, stack)
            from minpack.alpine.repository_set import open_repository_set  # noqa: PLC0415 - where something is to be fetched alone

            staying = opened.memory.stack if opened.memory is not None else stack
            return open_repository_set(base, arch, options, options.packages, progress, staying)

        def offers() -> RepositorySet | LockedRepositorySet | None:
            return opened.once("what its repositories offer", open_offers)

        yield AlpinePackages(opened.once("its packages", lambda: _Database(base)), offers, stack)


class _Database:
    """What a base has installed."""

    def __init__(self, base: Walker) -> None:
        self.base = base
        self.packages = _installed(base)

    @cached_property
    def owners(self) -> dict[RootPath, _Known]:
        """The package of each file, by its physical path."""
        known = [_known_of(self.base, package) for package in self.packages]
        return {path: one for one in known for path in one.files}


def _installed(base: Walker) -> tuple[InstalledPackage, ...]:
    entry = base.find_file(DATABASE)
    if entry is None or entry.content is None or entry.size > MAX_INSTALLED:
        return ()
    return parse_installed(read_all(entry.content, MAX_INSTALLED))


class AlpinePackages:
    """The packages of a base that apk manages: installed ones, and those of its repositories. Made by `open_alpine`.

    :param database: what the base has installed.
    :param offers: gives what the base's repositories offer, None where nothing may be fetched; not called before that.
    :param stack: closes what was fetched.
    """

    kind = "apk"

    def __init__(
        self,
        database: _Database,
        offers: Callable[[], RepositorySet | LockedRepositorySet | None],
        stack: ExitStack,
    ) -> None:
        self._base = base = database.base
        self._database = database
        self._installed = database.packages
        self._open_offers = offers
        self._offers: RepositorySet | LockedRepositorySet | None = None
        self._stack = stack
        self._shelf = PackageOverlay(base)
        self._fetched: dict[str, _Known] = {}
        self._why: dict[str, str] = {}
        self._scripts: dict[str, None] = {}
        self._of_fetched: dict[RootPath, _Known] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was fetched."""
        return (*(self._offers.notes if self._offers is not None else ()), *self._scripts)

    @property
    def fetched(self) -> tuple[PackageId, ...]:
        """The packages that were fetched, in order."""
        return tuple(known.id for known in self._fetched.values())

    def archived(self) -> Mapping[str, str]:
        """Nothing: Alpine keeps no packages that it has replaced."""
        return {}

    def add_libraries(self, sonames: Iterable[str]) -> bool:
        """Fetch the packages that have these libraries; whether any came that was not there before."""
        wanted = [soname for soname in dict.fromkeys(sonames) if "/" not in soname and soname not in self._why]
        offers = self._asked() if wanted else None
        if offers is None:
            return False
        count = len(self._fetched)
        for soname in wanted:
            name = f"so:{soname}"
            try:
                chosen = offers.find(name)
            except OfflineError as error:
                self._why[soname] = f"{error.url} is not in the cache: run once without --offline"
                continue
            if chosen is None:
                self._why[soname] = f"no package of {offers.labels} has {soname}"
                continue
            self._why[soname] = f"{chosen.provider.package} has {soname} where the loader does not look"
            self._fetch(offers, name, chosen)
        return len(self._fetched) > count

    def add(self, name: str) -> tuple[RootPath, ...]:
        """The paths of the files and directories of the package `name`, fetched unless the base has it installed."""
        for package in self._installed:
            if package.name == name:
                return _known_of(self._base, package).paths
        offers = self._asked()
        if offers is None:
            raise UsageError(
                "--package", name, "it is not installed in the base, and --no-packages forbids fetching it"
            )
        chosen = None if name.startswith("so:") else offers.find(name)
        if chosen is None:
            hint = f"packages of {offers.labels} are looked up by their exact names"
            raise UsageError("--package", name, "no such package", hint)
        known = self._fetch(offers, name, chosen)
        if known.scripts:
            self._scripts[f"the scripts of {name} are not run: {', '.join(known.scripts)}"] = None
        return known.paths

    def over(self, base: Base) -> Base:
        """`base`, with the files of all fetched packages wherever it has none."""
        return OverlayBase(base, self._shelf.base()) if self._fetched else base

    def add_program(self, paths: Iterable[RootPath]) -> None:
        """Nothing: what the base has is known."""

    def add_data(self, names: Iterable[str]) -> None:
        """Nothing: what the base has is known."""

    def known(self, base: Base) -> Base:
        """As `over`: looking at it fetches nothing."""
        return self.over(base)

    def ownership(self) -> None:
        """None: the base's database tells."""

    def why_missing(self, soname: str) -> str:
        """Why no package helped with a library, for a hint; empty if none was asked."""
        return self._why.get(soname, "")

    def for_need(self, need: str) -> str:
        """The package that has what a need is about (``certs``, ``tz``); empty if none is known."""
        return _FOR_NEEDS.get(need, "")

    def provider(self, name: str) -> str:
        """The package of that name, or that has the soname of ``so:NAME``, an installed one first; empty if none."""
        for package in self._installed:
            if name in (package.name, *(one.name for one in parse_provides(field_of(package.lines, "p")))):
                return package.name
        offers = self._asked()
        chosen = offers.find(name) if offers is not None else None
        return chosen.provider.package if chosen is not None else ""

    def depends(self, name: str) -> tuple[Dependency, ...]:
        """What the package `name`, which is installed or was added, depends on."""
        fetched = self._fetched.get(name)
        lines = next((one.lines for one in self._installed if one.name == name), fetched.lines if fetched else ())
        return parse_dependencies(field_of(lines, "D"))

    def owner(self, entry: Entry) -> PackageId | None:
        """The package whose file `entry` is; None if no package has it as it is."""
        known = self._owner(entry)
        return known.id if known is not None else None

    def facts(self, package: PackageId) -> PackageFacts:
        """What the database, or the package's own description, says of it."""
        fetched = self._fetched.get(package.name)
        if fetched is not None and fetched.id == package:
            return facts_of(fetched.lines)
        named = (one for one in self._installed if (one.name, one.version) == (package.name, package.version))
        return next((facts_of(one.lines) for one in named), PackageFacts())

    def database(self, entries: Iterable[Entry], *, licences: bool = True) -> tuple[Entry, ...]:  # noqa: ARG002
        """The files in which scanners find the packages, with those that have `entries`; Alpine's name licences."""
        kept: dict[PackageId, list[InstalledFile]] = {}
        lines: dict[PackageId, tuple[str, ...]] = {}
        for entry in entries:
            known = self._owner(entry)
            if known is not None:
                said = known.files[entry.path]
                kept.setdefault(known.id, []).append(said._replace(path=entry.path, mode=entry.mode))
                lines[known.id] = known.lines
        if not kept:
            return ()
        packages = (InstalledPackage(i.name, i.version, i.arch, lines[i], tuple(files)) for i, files in kept.items())
        found = self._base.walk(DATABASE).entry
        path = found.path if found is not None else path_over(self._base, DATABASE) or DATABASE
        return (file(path, BytesContent(write_installed(packages))),)

    def _asked(self) -> RepositorySet | LockedRepositorySet | None:
        """What the repositories offer, opened the first time."""
        if self._offers is None:
            self._offers = self._open_offers()
        return self._offers

    def _fetch(self, offers: RepositorySet | LockedRepositorySet, name: str, chosen: PackageCandidate) -> _Known:
        """The chosen package, fetched unless it is there."""
        known = self._fetched.get(chosen.provider.package)
        if known is not None:
            return known
        package, id_ = offers.fetch(name, chosen, self._stack)
        places = self._shelf.add(package.files)
        files = {
            places[one.entry.path]: InstalledFile(places[one.entry.path], _checksum(one), one.entry.mode)
            for one in package.files
            if one.entry.path in places and one.entry.kind is not Kind.DIRECTORY
        }
        kept = (one.entry.path for one in package.files if one.entry.kind is Kind.DIRECTORY)
        directories = tuple(places[path] for path in kept if path in places)
        lines = installed_lines(package.control, package.sums[0], id_.size)
        known = _Known(id_, lines, files, package.control.scripts, directories)
        self._fetched[id_.name] = known
        self._of_fetched = None
        return known

    def _owner(self, entry: Entry) -> _Known | None:
        """The package that has `entry` as it is."""
        if self._of_fetched is None:
            self._of_fetched = {}
            for fetched in self._fetched.values():
                own = (path for path in fetched.files if self._base.lstat(path) is None)
                self._of_fetched.update((path, fetched) for path in own if path not in self._of_fetched)
        owner = self._database.owners.get(entry.path) or self._of_fetched.get(entry.path)
        if owner is None:
            return None
        there = self._base.lstat(entry.path) or self._shelf.base().lstat(entry.path)
        same = there is not None and (there.kind, there.link, there.content) == (entry.kind, entry.link, entry.content)
        return owner if same else None


def _known_of(base: Walker, package: InstalledPackage) -> _Known:
    """An installed package, with its files where they lie in the base."""
    places = ((path_over(base, one.path), one) for one in package.files)
    files = {path: one for path, one in places if path is not None}
    directories = (path_over(base, path) for path in package.directories)
    kept = tuple(path for path in directories if path is not None)
    id_ = PackageId(package.name, package.version, package.arch)
    return _Known(id_, package.lines, files, directories=kept)


def facts_of(lines: Iterable[str]) -> PackageFacts:
    """What a package's lines in a database say of it; a package is of the version of its source."""
    lines = tuple(lines)
    licenses = tuple(filter(None, (field_of(lines, "L").strip(),)))
    return PackageFacts(field_of(lines, "o"), field_of(lines, "V"), licenses, field_of(lines, "m"))


def _checksum(one: PackageFile) -> str:
    """The file's checksum as a database has it; empty if the package states none."""
    from minpack.apk.checksum import parse_checksum  # noqa: PLC0415

    found = parse_checksum(f"X1{one.sha1}")
    return str(found) if found is not None else ""
