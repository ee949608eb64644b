"""`DebianPackages`: what scanners and lawyers look for in an image, for just the packages that gave a file.

A package's control paragraph is at ``/var/lib/dpkg/status.d/NAME``, and beside it ``NAME.md5sums`` lists its files
that are there: the form that images without dpkg use since distroless, and that scanners read. Licences are where
Debian Policy, section 12.5, has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.tree import TakenPackage
from minpack.base.walk import Walker
from minpack.content import BytesContent, sum_of
from minpack.deb.contents import merged
from minpack.paths import RootPath, join, normal
from minpack.rootfs.entry import Entry, file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.base.debian import DebianBase
    from minpack.base.debianpackage import OpenPackage

DOCUMENTATION = "/usr/share/doc/"
STATUS = normal("/var/lib/dpkg/status.d")


class DebianPackages:
    """See `minpack.base.tree.Packages`."""

    def __init__(self, base: DebianBase) -> None:
        self._base = base

    def package_of(self, path: RootPath) -> TakenPackage | None:
        """See `Packages.package_of`."""
        opened = self._base.owner_of(path)
        return _taken(opened) if opened is not None else None

    def records(self, paths: Iterable[RootPath]) -> tuple[tuple[Entry, TakenPackage], ...]:
        """See `Packages.records`.

        :raises MinpackError: a package is damaged; or one that has the copyright file of another cannot be had.
        """
        owned: dict[str, tuple[OpenPackage, set[bytes]]] = {}
        for path in paths:
            opened = self._base.owner_of(path)
            if opened is not None:
                _, files = owned.setdefault(opened.package.name, (opened, set()))
                files.add(path.encode("utf-8", "surrogateescape"))
        found = [
            (entry, _taken(opened)) for _, (opened, files) in sorted(owned.items()) for entry in self._of(opened, files)
        ]
        # The packages of one source have one copyright file, many times over.
        first: dict[str, int] = {}
        return tuple(
            (entry._replace(inode=-1 - first.setdefault(sum_of(entry.content), number)), package)
            if entry.content is not None and entry.path.startswith(DOCUMENTATION)
            else (entry, package)
            for number, (entry, package) in enumerate(found)
        )

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


def _listed(md5sums: bytes, files: set[bytes]) -> bytes:
    """The lines of a package's list for the files that are there, which may lie below /usr by now."""
    lines = md5sums.splitlines(keepends=True)
    return b"".join(line for line in lines if merged(line.rstrip(b"\n").partition(b"  ")[2]) in files)


def _taken(opened: OpenPackage) -> TakenPackage:
    package = opened.package
    return TakenPackage(package.name, package.version, str(opened.suite), opened.url, package.sha256, package.size)
