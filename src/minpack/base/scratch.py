"""`ScratchBase`: the base that comes with minpack, a CA bundle and time zones from the packages certifi and tzdata.

Neither package is imported or looked for before something of it is asked for.
Their files are found through the import system's own search, which runs none of
their code: importing certifi takes 20 ms, most of it `importlib.resources`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.content import BytesContent, read_all, reason_of
from minpack.digest import Digest
from minpack.errors import BaseError
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Entry, Kind, directory, file

if TYPE_CHECKING:
    from minpack.base.directory import DirectoryBase
    from minpack.content import Content

#: Where Go, OpenSSL on Alpine and Debian, and most others look for certificates.
CA_BUNDLE = RootPath("/etc/ssl/certs/ca-certificates.crt")
#: Where musl, glibc and Go look for time zones.
ZONEINFO = RootPath("/usr/share/zoneinfo")

_ABOVE = {
    ROOT: ("etc", "usr"),
    RootPath("/etc"): ("ssl",),
    RootPath("/etc/ssl"): ("certs",),
    RootPath("/etc/ssl/certs"): ("ca-certificates.crt",),
    RootPath("/usr"): ("share",),
    RootPath("/usr/share"): ("zoneinfo",),
}
#: No file of either package is larger.
_MAX_FILE = 16 * 1024 * 1024
_CODE = (".py", ".pyc", "__pycache__")


class Embedded(NamedTuple):
    """What was taken from one package: its name and version, and the digest and number of the bytes taken."""

    name: str
    sha256: str
    size: int


class ScratchBase:
    """See `minpack.base.tree.Base`. All is root's, directories are 0755 and files 0644."""

    name = "scratch"

    def __init__(self) -> None:
        self._bundle: BytesContent | None = None
        self._zones: DirectoryBase | None = None
        self._taken: dict[RootPath, Content] = {}

    def lstat(self, path: RootPath) -> Entry | None:
        """See `Base.lstat`.

        :raises BaseError: the package that `path` comes from is not installed as files.
        """
        if path in _ABOVE:
            return directory(path)
        if path == CA_BUNDLE:
            return self._file(path, self._ca_bundle())
        return self._zone(path) if _is_zone(path) else None

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """See `Base.listdir`.

        :raises BaseError: as for `lstat`.
        """
        if path in _ABOVE:
            return _ABOVE[path]
        if not _is_zone(path):
            return ()
        return tuple(name for name in self._zoneinfo().listdir(_within(path)) if not _is_code(name))

    def versions(self) -> tuple[Embedded, ...]:
        """The packages that the files looked up so far are from, by name.

        The digest is that of the files' bytes, one file after another in the order of their paths.

        :raises BaseError: as for `lstat`.
        """
        taken = sorted(self._taken)
        by_package = {
            "certifi": [path for path in taken if path == CA_BUNDLE],
            "tzdata": [path for path in taken if path != CA_BUNDLE],
        }
        return tuple(self._embedded(package, paths) for package, paths in by_package.items() if paths)

    def _embedded(self, package: str, paths: list[RootPath]) -> Embedded:
        data = b"".join(read_all(self._taken[path], _MAX_FILE) for path in paths)
        return Embedded(f"{package} {_version(package)}", Digest.of(data).hex, len(data))

    def _file(self, path: RootPath, content: Content) -> Entry:
        self._taken[path] = content
        return file(path, content)

    def _ca_bundle(self) -> BytesContent:
        if self._bundle is None:
            data = _read(os.path.join(_package("certifi"), "cacert.pem"))
            self._bundle = BytesContent(without_comments(data), "certifi")
        return self._bundle

    def _zoneinfo(self) -> DirectoryBase:
        if self._zones is None:
            from minpack.base.directory import DirectoryBase  # noqa: PLC0415 - for time zones alone

            self._zones = DirectoryBase(os.path.join(_package("tzdata"), "zoneinfo"))
        return self._zones

    def _zone(self, path: RootPath) -> Entry | None:
        entry = None if _is_code(path) else self._zoneinfo().lstat(_within(path))
        if entry is None or entry.kind not in (Kind.FILE, Kind.DIRECTORY):
            return None
        return directory(path) if entry.content is None else self._file(path, entry.content)


def without_comments(bundle: bytes) -> bytes:
    """The certificates of a PEM bundle alone: without comments and blank lines, each line ending with a new line."""
    lines = (line.strip() for line in bundle.splitlines())
    return b"".join(line + b"\n" for line in lines if line and not line.startswith(b"#"))


def _is_zone(path: RootPath) -> bool:
    return path == ZONEINFO or path.startswith(ZONEINFO + "/")


def _is_code(path: str) -> bool:
    """Whether a part of `path` is there for Python and is no time zone."""
    return any(part.endswith(_CODE) for part in path.split("/"))


def _within(path: RootPath) -> RootPath:
    return RootPath(path[len(ZONEINFO) :] or "/")


def _package(name: str) -> str:
    """The directory of an installed package, which is not imported."""
    from importlib.machinery import PathFinder  # noqa: PLC0415

    spec = PathFinder.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places or not os.path.isdir(places[0]):
        raise BaseError("scratch", f"the package {name} is not installed as files", f"pip install {name}")
    return places[0]


def _version(package: str) -> str:
    """What the package calls `__version__`, read and not run."""
    text = _read(os.path.join(_package(package), "__init__.py")).decode("utf-8", "replace")
    line = next((line for line in text.splitlines() if line.startswith("__version__")), "")
    return line.partition("=")[2].strip().strip("\"'") or "unknown"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_MAX_FILE)
    except OSError as error:
        raise BaseError("scratch", f"{os.path.basename(path)}: {reason_of(error)}", "install minpack again") from error
