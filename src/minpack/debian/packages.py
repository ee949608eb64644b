"""The packages that a Debian base is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.packages import PackageFacts, PackageId
from minpack.base.walk import Walker
from minpack.content import read_all
from minpack.deb.control import field_of, is_data_name, names_needed, source_of, source_version_of
from minpack.deb.copyright import MAX_COPYRIGHT, parse_licenses
from minpack.debian.records import DOCUMENTATION, copyright_of, copyright_path, left_note, linked, record_of
from minpack.errors import UsageError
from minpack.excerpt import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.base.interface import Base
    from minpack.debian.base import DebianBase
    from minpack.debian.package import OpenPackage
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry

#: The most packages of data that are fetched for one program, and those of a program's that no program reads.
MOST_DATA = 8
_OF_PEOPLE = re.compile(r"-(?:docs?|man|dev|dbg|dbgsym|examples|gui|x11|qt|gtk)$")


class DebianPackages:
    """The packages of a Debian release. Libraries come by themselves: the base fetches what is looked at."""

    kind = "deb"

    def __init__(self, base: DebianBase) -> None:
        self._base = base
        self._scripts: dict[str, None] = {}
        self._left = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on indexes that could not be used, scripts that were not run, and licences that were left out."""
        return (*self._base.unread, *self._scripts, *left_note(self._left))

    @property
    def fetched(self) -> tuple[PackageId, ...]:
        """The packages that were fetched, in order."""
        return tuple(_id(opened) for opened in self._base.packages)

    def archived(self) -> Mapping[str, str]:
        """The SHA-1 of each fetched package's file, by its name: snapshot.debian.org knows every file by it."""
        return {opened.package.name: opened.sum("sha1") for opened in self._base.packages}

    def add_libraries(self, sonames: Iterable[str]) -> bool:  # noqa: ARG002
        """False: what the base did not find, no package has."""
        return False

    def add(self, name: str) -> tuple[RootPath, ...]:
        """The paths of the files and directories of the package `name`, fetched unless the base has it installed."""
        opened = self._base.add_package(name)
        if opened is None:
            hint = "packages are looked up by their exact names"
            raise UsageError("--package", name, f"{self._base.name} has no package of that name", hint)
        scripts = opened.control().scripts
        if scripts:
            self._scripts[f"the scripts of {name} are not run: {', '.join(scripts)}"] = None
        return tuple(opened.entries)

    def add_program(self, paths: Iterable[RootPath]) -> None:
        """Fetch the package that has a program at one of `paths`, and those that it depends on for data."""
        for opened in self._base.add_program(paths):
            self.add_data(_data_of(opened)[:MOST_DATA])

    def add_data(self, names: Iterable[str]) -> None:
        """Fetch those of these packages that the release has."""
        for name in names:
            self._base.add_small(name)

    def over(self, base: Base) -> Base:
        """`base`, with the files of all fetched packages wherever it has none."""
        return base

    def known(self, base: Base) -> Base:  # noqa: ARG002
        """The files of packages that were fetched by now."""
        return self._base.fetched_files()

    def ownership(self) -> FetchedOwnership:
        """Which of the fetched packages owns a file."""
        return FetchedOwnership(self._base)

    def why_missing(self, soname: str) -> str:
        """Why no package helped with a library, for a hint; empty if none was asked."""
        if self._base.unread:
            return f"{listed(self._base.unread, separator='; ')}; --package NAME adds the package that has {soname}"
        return f"no package of {self._base.name} has {soname} where the loader looks"

    def for_need(self, need: str) -> str:  # noqa: ARG002
        """Nothing: data comes by itself too."""
        return ""

    def owner(self, entry: Entry) -> PackageId | None:
        """The package whose file `entry` is; None if no package has it as it is."""
        opened = self._owner(entry)
        return _id(opened) if opened is not None else None

    def facts(self, package: PackageId) -> PackageFacts:
        """What its control paragraph says, and its copyright file if that was fetched and is machine-readable."""
        opened = next((one for one in self._base.packages if one.package.name == package.name), None)
        if opened is None:
            return PackageFacts()
        paragraph = opened.control().paragraph
        supplier = field_of(paragraph, b"Maintainer").decode("utf-8", "replace")
        source = source_of(paragraph, package.name), source_version_of(paragraph)
        return PackageFacts(*source, licenses_of(package.name, Walker(self._base.fetched_files())), supplier)

    def database(self, entries: Iterable[Entry], *, licences: bool = True) -> tuple[Entry, ...]:
        """The control paragraph of each package that has `entries`, the list of its files, and its copyright file.

        :raises MinpackError: a package is damaged; or one that has the copyright file of another cannot be had.
        """
        owned: dict[str, tuple[OpenPackage, set[bytes]]] = {}
        for entry in entries:
            opened = self._owner(entry)
            if opened is not None:
                _, files = owned.setdefault(opened.package.name, (opened, set()))
                files.add(entry.path.encode("utf-8", "surrogateescape"))
        if not licences:
            self._left = sum(copyright_path(name).encode() not in files for name, (_, files) in owned.items())
        found = [entry for _, (opened, files) in sorted(owned.items()) for entry in self._of(opened, files)]
        if licences:
            tree = Walker(self._base)
            found += filter(None, (copyright_of(name, tree) for name in sorted(owned)))
        return tuple(linked(found))

    def _owner(self, entry: Entry) -> OpenPackage | None:
        """The package that has `entry` as it is."""
        opened = self._base.owner_of(entry.path)
        there = self._base.lstat(entry.path) if opened is not None else None
        same = there is not None and (there.kind, there.link, there.content) == (entry.kind, entry.link, entry.content)
        return opened if same else None

    def _of(self, opened: OpenPackage, files: set[bytes]) -> tuple[Entry, Entry]:
        control, package = opened.control(), opened.package
        return record_of(package.name, control.paragraph, control.md5sums, files, str(package))


def licenses_of(package: str, files: Walker) -> tuple[str, ...]:
    """The licences in the copyright file of a package, as far as it is there and machine-readable."""
    found = files.find_file(f"{DOCUMENTATION}{package}/copyright")
    if found is None or found.content is None or found.content.size > MAX_COPYRIGHT:
        return ()
    return parse_licenses(read_all(found.content, MAX_COPYRIGHT))


def _data_of(opened: OpenPackage) -> list[str]:
    """The packages in which a package has files of its own kind that programs read."""
    start = f"{opened.package.name}-"
    needed = names_needed(opened.control().paragraph)
    return [name for name in needed if is_data_name(name) or (name.startswith(start) and not _OF_PEOPLE.search(name))]


class FetchedOwnership:
    """As `minpack.plan.ownership.Ownership`, of the packages that were fetched."""

    def __init__(self, base: DebianBase) -> None:
        self._base = base
        self._paragraphs: dict[str, bytes] = {}

    def owners(self, paths: Iterable[RootPath]) -> dict[RootPath, str]:
        """The names of the packages that own these files; those of nobody are not there."""
        found = ((path, self._base.owner_of(path)) for path in paths)
        return {path: opened.package.name for path, opened in found if opened is not None}

    def owns_all(self, package: str, paths: Iterable[RootPath]) -> bool:
        """Whether the package owns each of these files."""
        wanted = set(paths)
        return {path for path, owner in self.owners(wanted).items() if owner == package} == wanted

    def are_related(self, package: str, other: str) -> bool:
        """Whether `other` has data of `package`: it is the same, of one source, or one it depends on for data."""
        first, second = self._paragraph(package), self._paragraph(other)
        if package == other or source_of(first, package) == source_of(second, other):
            return True
        return is_data_name(other) and other in names_needed(first)

    def is_unmodified(self, entry: Entry, package: str) -> bool:  # noqa: ARG002
        """True: nobody has changed them."""
        return True

    def _paragraph(self, package: str) -> bytes:
        if package not in self._paragraphs:
            opened = next((one for one in self._base.packages if one.package.name == package), None)
            self._paragraphs[package] = opened.control().paragraph if opened is not None else b""
        return self._paragraphs[package]


def _id(opened: OpenPackage) -> PackageId:
    package = opened.package
    return PackageId(
        *(package.name, package.version, package.architecture, str(opened.suite)),
        *(opened.url, package.sha256, package.size),
    )
