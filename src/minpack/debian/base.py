"""`DebianBase`: a release of Debian as a base, made of packages that are fetched when a file of them is looked at.

It is laid out as Debian is since its release 12: /bin, /lib and so on are links into /usr. What packages make
when they are installed is not there, but for the CA bundle and the links of alternatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, read_all
from minpack.debian.package import OpenPackage, open_package
from minpack.paths import ROOT, RootPath, ancestors, join, name, normal, parent
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from minpack.debian.archive import DebianArchive, Source
    from minpack.debian.locked import LockedArchive

CA_BUNDLE = normal("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATES = "/usr/share/ca-certificates/"
#: The most bytes of a package that is fetched to see what is in it: the data of games have a gigabyte.
MAX_LOOKED_AT = 64 << 20
_MAX_CERTIFICATE = 1 << 16
#: The packages that have other files than libraries, by where these lie.
_DATA = (
    ("/usr/share/zoneinfo", "tzdata"),
    ("/usr/share/ca-certificates", "ca-certificates"),
    ("/etc/os-release", "base-files"),
    ("/usr/lib/os-release", "base-files"),
    ("/etc/debian_version", "base-files"),
    ("/etc/mime.types", "media-types"),
    ("/etc/services", "netbase"),
    ("/etc/protocols", "netbase"),
    ("/etc/rpc", "netbase"),
    ("/usr/bin/sh", "dash"),
    ("/usr/bin/dash", "dash"),
    ("/usr/bin/bash", "bash"),
    ("/usr/share/terminfo", "ncurses-term"),
    ("/usr/lib/terminfo", "ncurses-base"),
    ("/usr/lib/locale/C.utf8", "libc-bin"),
    ("/usr/share/misc/magic.mgc", "libmagic-mgc"),
    ("/usr/lib/file/magic.mgc", "libmagic-mgc"),
)
_DOCUMENTATION = "/usr/share/doc/"


class DebianBase:
    """A Debian release as a base, made of packages. `listdir` knows only those fetched so far.

    Leaving its ``with`` block closes the packages; the archive is its caller's.
    """

    def __init__(self, archive: DebianArchive | LockedArchive) -> None:
        self.name = archive.name
        self._archive = archive
        self._packages: dict[str, OpenPackage] = {}
        self._owners: dict[RootPath, OpenPackage] = {}
        self._entries: dict[RootPath, Entry] = {ROOT: directory(ROOT)}
        self._names: dict[RootPath, set[str]] = {}
        self._put_directories()

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed; the package that has something there is fetched for it.

        :raises MinpackError: a package or an index cannot be had, or is not to be trusted.
        :raises AmbiguousLibraryError: several packages have the library.
        """
        entry = self._entries.get(path)
        if entry is not None:
            return entry
        if path == CA_BUNDLE:
            return self._ca_bundle()
        source = self._source_of(path)
        if source is not None and source.package.name not in self._packages:
            self._fetch(source)
            return self._entries.get(path)
        target = self._archive.alternative(path) if source is None else None
        if target is not None:
            link = symlink(path, target[len(parent(path)) + 1 :])
            self._put(link)
            return link
        if source is None and self._archive.has_libraries_below(path):
            return directory(path)
        return None

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted: those of fetched packages, and what the loader asks for.

        :raises MinpackError: as for `lstat`.
        """
        entry = self.lstat(path)
        names = set(self._names.get(path, ())) if entry is not None and entry.kind is Kind.DIRECTORY else set()
        if path == parent(self._archive.layout.loader):
            names.add(name(self._archive.layout.loader))
        return tuple(sorted(names))

    @property
    def unread(self) -> tuple[str, ...]:
        """Indexes of files that could not be used, each with the reason."""
        return self._archive.unread

    @property
    def archive(self) -> DebianArchive | LockedArchive:
        """What it takes its packages from."""
        return self._archive

    @property
    def packages(self) -> tuple[OpenPackage, ...]:
        """The packages fetched so far, in order."""
        return tuple(self._packages.values())

    def owner_of(self, path: RootPath) -> OpenPackage | None:
        """The package that what `lstat` gave for `path` is from; None for directories, and what is not a package's."""
        return self._owners.get(path)

    def add_package(self, package: str) -> OpenPackage | None:
        """The package called `package`, all of whose files are in the base from now on; None if there is none.

        :raises MinpackError: as for `lstat`.
        """
        source = self._archive.find_package(package)
        return self._fetch(source) if source is not None else None

    def add_program(self, paths: Iterable[RootPath]) -> tuple[OpenPackage, ...]:
        """The package that has a program at one of `paths`, as `add_small` gives it; all that there are of a lock.

        :raises MinpackError: as for `lstat`.
        """
        found = (self.add_small(name) for name in self._archive.program_packages(paths))
        return tuple(opened for opened in found if opened is not None)

    def add_small(self, package: str) -> OpenPackage | None:
        """As `add_package`, for what may be worth looking at: None for a package of more than `MAX_LOOKED_AT` bytes.

        :raises MinpackError: as for `lstat`.
        """
        source = self._archive.find_package(package)
        if source is None or source.package.size > MAX_LOOKED_AT:
            return None
        return self._fetch(source)

    def fetched_files(self) -> FetchedFiles:
        """The base as far as it was fetched by now; looking at it fetches nothing."""
        return FetchedFiles(self.name, self._entries, self._names)

    def close(self) -> None:
        """Close the packages; once more does no harm."""
        for package in self._packages.values():
            package.close()

    def __enter__(self) -> DebianBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _put_directories(self) -> None:
        """What every installation has: the links of a merged /usr (Debian Policy, section 10.1.1), and directories."""
        layout = self._archive.layout
        for top in ("bin", "sbin", "lib", name(parent(layout.loader))):
            self._put(symlink(normal(f"/{top}"), f"usr/{top}"))
        files = (CA_BUNDLE, layout.loader, join(layout.libraries, "x"), *(normal(path) for path, _ in _DATA))
        for above in sorted({above for path in files for above in ancestors(path)}):
            self._put(directory(above))

    def _source_of(self, path: RootPath) -> Source | None:
        """The package to fetch for `path`."""
        if path.startswith(_DOCUMENTATION):
            return self._archive.find_package(path[len(_DOCUMENTATION) :].partition("/")[0])
        for start, package in _DATA:
            if path == start or path.startswith(f"{start}/"):
                return self._archive.find_package(package)
        return self._archive.provider(path)

    def _fetch(self, source: Source) -> OpenPackage:
        known = self._packages.get(source.package.name)
        if known is not None:
            return known
        opened = open_package(source, self._archive.fetch(source), self._archive.store, len(self._packages))
        self._packages[source.package.name] = opened
        for path, entry in opened.entries.items():
            for above in ancestors(path):
                self._put(directory(above))
            if self._put(entry) and entry.kind is not Kind.DIRECTORY:
                self._owners[path] = opened
        return opened

    def _put(self, entry: Entry) -> bool:
        """Whether the entry is the first at its path; it counts only then, as when a package is installed first."""
        if entry.path in self._entries:
            return False
        self._entries[entry.path] = entry
        self._names.setdefault(parent(entry.path), set()).add(name(entry.path))
        return True

    def _ca_bundle(self) -> Entry | None:
        """The bundle of the certificates of ca-certificates; None without that package."""
        source = self._archive.find_package("ca-certificates")
        if source is None:
            return None
        package = self._fetch(source)
        entry = file(CA_BUNDLE, BytesContent(bundle_of(package), str(package.package)))
        for above in ancestors(CA_BUNDLE):
            self._put(directory(above))
        self._put(entry)
        self._owners[CA_BUNDLE] = package
        return entry


def bundle_of(package: OpenPackage) -> bytes:
    """The bundle that update-ca-certificates(8) makes of the certificates of a package, by name."""
    paths = sorted(path for path in package.entries if path.startswith(_CERTIFICATES) and path.endswith(".crt"))
    data = bytearray()
    for path in paths:
        content = package.entries[path].content
        if content is not None:
            certificate = read_all(content, _MAX_CERTIFICATE)
            data += certificate if certificate.endswith(b"\n") else certificate + b"\n"
    return bytes(data)


class FetchedFiles:
    """The files of packages that were fetched, and directories that every installation has: see `DebianBase`."""

    def __init__(self, name: str, entries: Mapping[RootPath, Entry], names: Mapping[RootPath, Collection[str]]) -> None:
        self.name = name
        self._entries = entries
        self._names = names

    def lstat(self, path: RootPath) -> Entry | None:
        """What is at `path`, links not followed."""
        return self._entries.get(path)

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted."""
        return tuple(sorted(self._names.get(path, ())))
