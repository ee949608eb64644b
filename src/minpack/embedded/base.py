"""`EmbeddedBase`: the base that comes with minpack, a CA bundle and time zones from the packages certifi and tzdata.

Neither package is imported or looked for before something of it is asked for.
Their files are found through the import system's own search, which runs none of
their code: importing certifi takes 20 ms, most of it `importlib.resources`.
What is taken is as it was installed, by the package's RECORD: an image has no
certificate that somebody added to the bundle of certifi. Zones are those that
RECORD has, known without a look at any file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, read_all
from minpack.digest import Digest
from minpack.embedded.zoneinfo import ZONEINFO, zones_of
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import directory, file

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.embedded.installed import PythonPackage
    from minpack.embedded.zoneinfo import Zones
    from minpack.rootfs.entry import Entry

#: Where Go, OpenSSL on Alpine and Debian, and most others look for certificates.
CA_BUNDLE = RootPath("/etc/ssl/certs/ca-certificates.crt")

_ABOVE = {
    ROOT: ("etc", "usr"),
    RootPath("/etc"): ("ssl",),
    RootPath("/etc/ssl"): ("certs",),
    RootPath("/etc/ssl/certs"): ("ca-certificates.crt",),
    RootPath("/usr"): ("share",),
    RootPath("/usr/share"): ("zoneinfo",),
}
_BUNDLE_FILE = "cacert.pem"
_CA_FILE = "--ca-file adds your own certificate"
#: What is told of certificates that somebody added, as tools of companies and of some machines do.
EXTRA_CERTIFICATES = "certifi here has extra CA certificates; they were left out (add yours with --ca-file)"
#: No file of either package is larger.
_MAX_FILE = 16 * 1024 * 1024


class EmbeddedData(NamedTuple):
    """What was taken from one package: its name and version, and the digest and number of the bytes taken."""

    name: str
    sha256: str
    size: int


class LastingNote(str):
    """A note of what is so on this machine in every run; `about` has the sum of what it is about."""

    __slots__ = ("about",)
    about: str

    def __new__(cls, text: str, about: str) -> LastingNote:
        """The note."""
        made = super().__new__(cls, text)
        made.about = about
        return made


class EmbeddedBase:
    """The certificates and time zones that come with minpack, as a base: root's, directories 0755, files 0644.

    `notes` has what the user should know of the files looked up so far.
    """

    name = "scratch"

    def __init__(self) -> None:
        self._packages: dict[str, PythonPackage] = {}
        self._bundle: BytesContent | None = None
        self.notes: tuple[str, ...] = ()
        self._zones: Zones | None = None
        self._taken: dict[RootPath, Content] = {}

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; None if nothing is.

        :raises BaseError: the package that `path` comes from is not installed as files, or its CA bundle is not as
            it was installed.
        """
        if path in _ABOVE:
            return directory(path)
        if path == CA_BUNDLE:
            bundle = self._taken[path] = self._ca_bundle()
            return file(path, bundle)
        if not _is_zone(path):
            return None
        entry = self._zoneinfo().lstat(path)
        if entry is not None and entry.content is not None:
            self._taken[path] = entry.content
        return entry

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory.

        :raises BaseError: as for `lstat`.
        """
        if path in _ABOVE:
            return _ABOVE[path]
        return self._zoneinfo().listdir(path) if _is_zone(path) else ()

    def versions(self) -> tuple[EmbeddedData, ...]:
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

    def _embedded(self, package: str, paths: list[RootPath]) -> EmbeddedData:
        data = b"".join(read_all(self._taken[path], _MAX_FILE) for path in paths)
        return EmbeddedData(f"{package} {self._package(package).version}", Digest.of(data).hex, len(data))

    def _ca_bundle(self) -> BytesContent:
        if self._bundle is None:
            package = self._package("certifi")
            where = f"{package.directory}/{_BUNDLE_FILE}"
            own = f"{_CA_FILE}, --add {where}:{CA_BUNDLE} takes the file as it is"
            data, added = package.read(_BUNDLE_FILE, own)
            if added.strip():
                self.notes = (LastingNote(EXTRA_CERTIFICATES, Digest.of(added).hex),)
            self._bundle = BytesContent(without_comments(data), "certifi")
        return self._bundle

    def _zoneinfo(self) -> Zones:
        if self._zones is None:
            self._zones = zones_of(self._package("tzdata"))
        return self._zones

    def _package(self, package: str) -> PythonPackage:
        from minpack.embedded.installed import find_package  # noqa: PLC0415 - for programs that need a file of one

        if package not in self._packages:
            self._packages[package] = find_package(package)
        return self._packages[package]


def without_comments(bundle: bytes) -> bytes:
    """The certificates of a PEM bundle alone: without comments and blank lines, each line ending with a new line."""
    lines = [line for line in map(bytes.strip, bundle.splitlines()) if line and not line.startswith(b"#")]
    return b"\n".join([*lines, b""])


def _is_zone(path: RootPath) -> bool:
    return path == ZONEINFO or path.startswith(ZONEINFO + "/")
