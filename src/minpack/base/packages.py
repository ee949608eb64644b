"""`Packages`: what the rest of minpack asks of a distribution's packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.base.interface import Base
    from minpack.base.ownership import Ownership
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry


class PackageId(NamedTuple):
    """A package that files are from. Of one that the base has installed, only name, version and architecture are known.

    `repository` is what to call the repository, `url` and `sha256` are those of the package's file, `size` is that
    file's in bytes, `signed_by` the name of the key.
    """

    name: str
    version: str
    arch: str
    repository: str = ""
    url: str = ""
    sha256: str = ""
    size: int = 0
    signed_by: str = ""


class PackageFacts(NamedTuple):
    """What a package says of itself besides its name. What it does not say is empty.

    `source` is the source package that it was built from, of `source_version`. All of `licenses` apply; they are as the
    distribution writes them. `supplier` is who maintains it there, as ``NAME <ADDRESS>``. `address` is that of its file
    on the distribution's own server, of one that was fetched.
    """

    source: str = ""
    source_version: str = ""
    licenses: tuple[str, ...] = ()
    supplier: str = ""
    address: str = ""


class WholePackage(NamedTuple):
    """A package that goes into the image with all its files and directories, and where they are."""

    name: str
    paths: tuple[RootPath, ...]


class Packages(Protocol):
    """The packages of a base: those it has installed, and those its repositories offer. Fetched ones are kept open."""

    @property
    def kind(self) -> str:
        """What package URLs call packages of this kind (purl-spec): ``apk`` or ``deb``; empty where there are none."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was fetched."""

    @property
    def fetched(self) -> tuple[PackageId, ...]:
        """The packages that were fetched, in order."""

    def archived(self) -> Mapping[str, str]:
        """The SHA-1 of each fetched package's file by its name, if the distribution keeps old ones by that sum."""

    def add_libraries(self, sonames: Iterable[str]) -> bool:
        """Fetch the packages that have these libraries; whether any came that was not there before.

        :raises AmbiguousLibraryError: more than one package has one, and none is preferred.
        :raises PackageError: an index or a package cannot be used.
        :raises DownloadError: a server did not answer as it should.
        """

    def add(self, name: str) -> tuple[RootPath, ...]:
        """The paths of the files and directories of the package `name`, fetched unless the base has it installed.

        :raises UsageError: no such package.
        :raises PackageError: as `add_libraries`.
        :raises DownloadError: as `add_libraries`.
        """

    def add_program(self, paths: Iterable[RootPath]) -> None:
        """Fetch the package that has a program at one of `paths`, with its data, where a base is made of packages.

        :raises PackageError: as `add_libraries`.
        :raises DownloadError: as `add_libraries`.
        """

    def add_data(self, names: Iterable[str]) -> None:
        """Fetch those of these packages that there are, where a base is made of packages.

        :raises PackageError: as `add_libraries`.
        :raises DownloadError: as `add_libraries`.
        """

    def over(self, base: Base) -> Base:
        """`base`, with the files of all fetched packages wherever it has none."""

    def known(self, base: Base) -> Base:
        """As `over`, without what would be fetched when it is looked at."""

    def ownership(self) -> Ownership | None:
        """Which package owns a file, where the base itself has no database of that."""

    def why_missing(self, soname: str) -> str:
        """Why no package helped with a library, for a hint; empty if none was asked."""

    def for_need(self, need: str) -> str:
        """The package that has what a need is about (``certs``, ``tz``); empty if none is known."""

    def owner(self, entry: Entry) -> PackageId | None:
        """The package whose file `entry` is; None if it is nobody's, or not as the package has it."""

    def facts(self, package: PackageId) -> PackageFacts:
        """What a package that `owner` gave, or that was fetched, says of itself; nothing is fetched for it.

        :raises MinpackError: it is damaged.
        """

    def database(self, entries: Iterable[Entry], *, licences: bool = True) -> tuple[Entry, ...]:
        """The files in which scanners and the distribution's tools find packages, with those that have these files.

        None if no package has any.

        :param licences: whether the packages' copyright files are among them, where the distribution ships some.
        """


class NoPackages:
    """`Packages` of a base that has none."""

    kind = ""
    notes: tuple[str, ...] = ()
    fetched: tuple[PackageId, ...] = ()

    def archived(self) -> Mapping[str, str]:
        """Nothing: none was fetched."""
        return {}

    def add_libraries(self, sonames: Iterable[str]) -> bool:  # noqa: ARG002
        """False: no package comes."""
        return False

    def add(self, name: str) -> tuple[RootPath, ...]:
        """Raise `UsageError`: the base has no repositories."""
        raise UsageError("--package", name, "the base has no package repositories", "choose another --base")

    def add_program(self, paths: Iterable[RootPath]) -> None:
        """Nothing: no package comes."""

    def add_data(self, names: Iterable[str]) -> None:
        """Nothing: no package comes."""

    def over(self, base: Base) -> Base:
        """`base` as it is."""
        return base

    def known(self, base: Base) -> Base:
        """`base` as it is."""
        return base

    def ownership(self) -> None:
        """None: the base's database tells."""

    def why_missing(self, soname: str) -> str:  # noqa: ARG002
        """Nothing: no package was asked."""
        return ""

    def for_need(self, need: str) -> str:  # noqa: ARG002
        """Nothing: no package is known."""
        return ""

    def owner(self, entry: Entry) -> PackageId | None:  # noqa: ARG002
        """None: no package has a file."""
        return None

    def facts(self, package: PackageId) -> PackageFacts:  # noqa: ARG002
        """Nothing: there is no package."""
        return PackageFacts()

    def database(self, entries: Iterable[Entry], *, licences: bool = True) -> tuple[Entry, ...]:  # noqa: ARG002
        """Nothing: no package has a file."""
        return ()
