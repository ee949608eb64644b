"""The packages that a Debian base is made of, and what scanners and lawyers look for in an image of them.

A package's control paragraph is at ``/var/lib/dpkg/status.d/NAME``, and beside it ``NAME.md5sums`` lists its files
that are there: the form that images without dpkg use since distroless, and that scanners read. Licences are where
Debian Policy, section 12.5, has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import PackageId
from minpack.base.walk import Walker
from minpack.content import BytesContent, sum_of
from minpack.deb.contents import merged
from minpack.errors import UsageError
from minpack.excerpt import listed
from minpack.paths import RootPath, join, normal
from minpack.rootfs.entry import Entry, file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.base.interface import Base
    from minpack.debian.base import DebianBase
    from minpack.debian.package import OpenPackage

DOCUMENTATION = "/usr/share/doc/"
STATUS = normal("/var/lib/dpkg/status.d")


class DebianPackages:
    """The packages of a Debian release. Libraries come by themselves: the base fetches what is looked at."""

    def __init__(self, base: DebianBase) -> None:
        self._base = base

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on indexes that could not be used."""
        return self._base.unread

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
        return tuple(opened.entries)

    def over(self, base: Base) -> Base:
        """`base`, with the files of all fetched packages wherever it has none."""
        return base

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

    def database(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """The control paragraph of each package that has `entries`, the list of its files, and its copyright file.

        :raises MinpackError: a package is damaged; or one that has the copyright file of another cannot be had.
        """
        owned: dict[str, tuple[OpenPackage, set[bytes]]] = {}
        for entry in entries:
            opened = self._owner(entry)
            if opened is not None:
                _, files = owned.setdefault(opened.package.name, (opened, set()))
                files.add(entry.path.encode("utf-8", "surrogateescape"))
        found = [entry for _, (opened, files) in sorted(owned.items()) for entry in self._of(opened, files)]
        return tuple(_linked(found))

    def _owner(self, entry: Entry) -> OpenPackage | None:
        """The package that has `entry` as it is."""
        opened = self._base.owner_of(entry.path)
        there = self._base.lstat(entry.path) if opened is not None else None
        same = there is not None and (there.kind, there.link, there.content) == (entry.kind, entry.link, entry.content)
        return opened if same else None

    def _of(self, opened: OpenPackage, files: set[bytes]) -> Iterator[Entry]:
        name = opened.package.name
        control = opened.control()
        where = str(opened.package)
        yield file(join(STATUS, name), BytesContent(control.paragraph, where))
        yield file(join(STATUS, f"{name}.md5sums"), BytesContent(_listed(control.md5sums, files), where))
        path = f"{DOCUMENTATION}{name}/copyright"
        # The directory may be a link to that of another package of the same source, which has the file.
        copyright_ = Walker(self._base).find_file(path)
        if copyright_ is not None:
            yield copyright_._replace(path=RootPath(path), mode=0o644, uid=0, gid=0, inode=None)


def _linked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with equal copyright files as hard links: the packages of one source have the same one."""
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.content is not None and entry.path.startswith(DOCUMENTATION):
            yield entry._replace(inode=-1 - first.setdefault(sum_of(entry.content), number))
        else:
            yield entry


def _listed(md5sums: bytes, files: set[bytes]) -> bytes:
    """The lines of a package's list for the files that are there, which may lie below /usr by now."""
    lines = md5sums.splitlines(keepends=True)
    return b"".join(line for line in lines if merged(line.rstrip(b"\n").partition(b"  ")[2]) in files)


def _id(opened: OpenPackage) -> PackageId:
    package = opened.package
    return PackageId(
        *(package.name, package.version, package.architecture, str(opened.suite)),
        *(opened.url, package.sha256, package.size),
    )
