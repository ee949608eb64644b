"""The time zones of the package tzdata as a tree of the image's, without what is there for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import sum_of
from minpack.errors import BaseError
from minpack.paths import RootPath, name, parent
from minpack.rootfs.entry import Entry, Kind, directory, file

if TYPE_CHECKING:
    from typing import Protocol

    from minpack.embedded.installed import PythonPackage

    class Zones(Protocol):
        """The tree at `ZONEINFO`. All is root's, directories are 0755 and files 0644."""

        def lstat(self, path: RootPath) -> Entry | None:
            """What is at `path`, which is `ZONEINFO` or below; None if there is nothing."""

        def listdir(self, path: RootPath) -> tuple[str, ...]:
            """The names in the directory at `path`, sorted; empty if it is none."""


#: Where musl, glibc and Go look for time zones.
ZONEINFO = RootPath("/usr/share/zoneinfo")
#: Where they are in the package.
_WITHIN = "zoneinfo"
_CODE = (".py", ".pyc", "__pycache__")


def zones_of(package: PythonPackage) -> Zones:
    """The zones of `package`, which is tzdata.

    :raises BaseError: it has a RECORD, but no zones in it.
    """
    return _Unrecorded(package) if package.record is None else _Recorded(package)


class _Recorded:
    """The zones that RECORD has, known without a look at any of them."""

    def __init__(self, package: PythonPackage) -> None:
        self._package = package
        #: The path in the package by the one in the image.
        self._files: dict[RootPath, str] = {}
        self._names: dict[RootPath, list[str]] = {}
        for path in package.record or ():
            # No zone's name begins with a dot, which could lead elsewhere.
            if path.startswith(f"{_WITHIN}/") and "/." not in path and "//" not in path and not _is_code(path):
                place = RootPath(ZONEINFO + path[len(_WITHIN) :])
                self._files[place] = path
                self._add(place)
        if not self._files:
            raise BaseError("scratch", "the RECORD of tzdata has no time zones", "pip install --force-reinstall tzdata")

    def _add(self, path: RootPath) -> None:
        above = parent(path)
        if above in self._names:
            self._names[above].append(name(path))
            return
        self._names[above] = [name(path)]
        if above != ZONEINFO:
            self._add(above)

    def lstat(self, path: RootPath) -> Entry | None:
        """The zone or directory at `path`; None if there is none."""
        if path in self._names:
            return directory(path)
        recorded = self._files.get(path)
        if recorded is None:
            return None
        content = self._package.content(recorded)
        return file(path, content)._replace(inode=_inode(content.sum))

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted."""
        return tuple(sorted(self._names.get(path, ())))


class _Unrecorded:
    """The zones that lie in the directory of a package without a RECORD."""

    def __init__(self, package: PythonPackage) -> None:
        from minpack.base.directory import DirectoryBase  # noqa: PLC0415 - hardly any package has no RECORD

        self._base = DirectoryBase(f"{package.directory}/{_WITHIN}")

    def lstat(self, path: RootPath) -> Entry | None:
        """The zone or directory at `path`; None if there is none."""
        entry = None if _is_code(path) else self._base.lstat(_within(path))
        if entry is None or entry.kind not in (Kind.FILE, Kind.DIRECTORY):
            return None
        if entry.content is None:
            return directory(path)
        return file(path, entry.content)._replace(inode=_inode(sum_of(entry.content)))

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted."""
        return tuple(part for part in self._base.listdir(_within(path)) if not _is_code(part))


def _inode(total: str) -> int:
    """One number for all zones of one sum, which are links of each other; no base has one below 0.

    The package has a copy of a zone for each of its names.
    """
    return -int.from_bytes(total.encode("ascii"), "big")


def _within(path: RootPath) -> RootPath:
    return RootPath(path[len(ZONEINFO) :] or "/")


def _is_code(path: str) -> bool:
    """Whether a part of `path` is there for Python and is not a time zone."""
    return "py" in path and any(part.endswith(_CODE) for part in path.split("/"))
