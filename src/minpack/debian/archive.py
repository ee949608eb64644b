"""`DebianArchive`: the packages of one release for one architecture, by name and by what they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.catalog.debian import layout_of
from minpack.deb.choice import choose
from minpack.deb.contents import files_table
from minpack.deb.packages import package_of, packages_table
from minpack.deb.version import version_key
from minpack.debian.alternatives import alternatives_of
from minpack.debian.suite import COMPONENT, SuiteContext, fetch_release, open_table, suites_of
from minpack.errors import (
    AmbiguousLibraryError,
    DownloadError,
    PackageError,
    SumMismatchError,
    UnknownBaseError,
    UntrustedPackageError,
)
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, name, parent
from minpack.store.fetch import Wanted, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.catalog.debian import DebianRelease
    from minpack.deb.packages import DebianPackage
    from minpack.debian.suite import FetchedRelease, OpenTable, Suite
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

#: The libraries of every program, which need no index to be found: those of glibc (its `Makefile`s' `extra-libs`),
#: and what GCC links to by itself.
_WELL_KNOWN = {
    **dict.fromkeys(
        (
            *("libBrokenLocale.so.1", "libanl.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libmvec.so.1"),
            *("libnsl.so.1", "libnss_compat.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libnss_hesiod.so.2"),
            *("libpthread.so.0", "libresolv.so.2", "librt.so.1", "libthread_db.so.1", "libutil.so.1"),
        ),
        "libc6",
    ),
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
}
#: Where loaders look by themselves in every directory, for threads of old and for better CPUs (glibc, `elf/dl-hwcaps.c`
#: and the platforms' `dl-procinfo.h`). No package of these releases has any, which is known without the large index.
_FOR_CPUS = frozenset(
    (
        *("glibc-hwcaps", "tls", "x86_64", "haswell", "xeon_phi", "avx512_1", "i386", "i486", "i586", "i686", "sse2"),
        *("aarch64", "atomics", "v4l", "v5l", "v6l", "v7l", "v8l", "vfp", "neon", "power8", "power9", "altivec", "dfp"),
        *("z900", "z990", "z9-109", "z10", "z196", "zEC12", "z13", "z14", "z15", "z16", "zarch", "ldisp", "eimm"),
        *("highgprs", "te", "vx"),
    )
)
#: The most libraries that are looked at for one whose name has other numbers.
MAX_RENAMED = 1000
#: Debian has a package of musl, and no libraries for it: who needs musl is better served elsewhere.
_MUSL = "ld-musl-"
_GONE_HINT = "the archive may have a newer one: run minpack base pull {}, or use another --mirror"
_CHANGED_HINT = "the mirror or a proxy changed the file; try another --mirror"


class Source(NamedTuple):
    """A package and the suite it is in; `lock` is the lock file that says so, empty where an index does."""

    package: DebianPackage
    suite: Suite
    lock: str = ""

    @property
    def url(self) -> str:
        """The address of the package's file."""
        return f"{self.suite.mirror}/{self.package.path}"


class DebianArchive:
    """See the functions; leaving its ``with`` block closes its tables.

    Made by `open_archive`. Of two suites that have a package, the higher version counts.
    """

    def __init__(self, release: DebianRelease, arch: str, place: SuiteContext, mirror: str) -> None:
        self.name = release.name
        self.arch = arch
        self.place = place
        self.layout = layout_of(arch)
        self.mirror = mirror
        self.notes: tuple[str, ...] = ()
        #: Indexes of files that are damaged, or not what was signed, each with the reason.
        self.unread: tuple[str, ...] = ()
        self._suites: list[tuple[Suite, FetchedRelease, OpenTable]] = []
        self._files: list[OpenTable] | None = None
        #: Those of other architectures' libraries, as /usr/lib32, are left out.
        self._directories = ("/usr/lib/", f"{parent(self.layout.loader)}/")

    @property
    def release(self) -> FetchedRelease:
        """The release of the main suite."""
        return self._suites[0][1]

    @property
    def suite(self) -> Suite:
        """The main suite."""
        return self._suites[0][0]

    @property
    def suites(self) -> tuple[Suite, ...]:
        """Those that it has, the main one first."""
        return tuple(suite for suite, _, _ in self._suites)

    def open(self, suites: tuple[Suite, ...]) -> None:
        """Open the suites, the main one first; what cannot be had of the others is told in `notes`."""
        for suite in suites:
            fetched = fetch_release(suite, self.place)
            if fetched is None or self.arch not in fetched.release.architectures:
                self._without(suite, there=fetched is not None)
                continue
            release = fetched.release
            path = f"{COMPONENT}/binary-{self.arch}/Packages"
            index = release.find_index(path, ".xz", ".gz")
            if index is None:
                raise PackageError(f"{suite.url}/InRelease", f"it lists no {path}", "use another --mirror")
            table = open_table(suite, index, release.files.get(path), packages_table, release.by_hash, self.place)
            self.notes += fetched.notes
            self._suites.append((suite, fetched, table))

    def _without(self, suite: Suite, *, there: bool) -> None:
        """Go on without a suite.

        :raises UnknownBaseError: it is the main one, which lacks the architecture.
        """
        if not suite.optional:
            raise UnknownBaseError(self.name, f"it has no {self.arch}", "minpack base list shows the architectures")
        if suite.is_security:
            if self.place.current and not there:
                reason = "it is missing: without it, security updates are lost"
                hint = "use a --mirror that has the security updates too"
                raise UntrustedPackageError(f"release {suite.url}/InRelease", reason, hint)
            why = f"it has none for {self.arch}" if there else f"there is no {suite.url}"
            self.notes += (f"{self.name} is used without its security updates: {why}",)

    def find_package(self, name: str) -> Source | None:
        """The package called `name`, in its highest version."""
        return next(iter(self.find_packages(name)), None)

    def find_packages(self, name: str) -> tuple[Source, ...]:
        """The package called `name` in each suite that has it, the highest version first."""
        found = [
            Source(package_of(name, record), suite)
            for suite, _, table in self._suites
            if (record := table.find(name.encode("utf-8", "surrogateescape"))) is not None
        ]
        found = [source for source in found if source.package.architecture in (self.arch, "all")]
        return tuple(sorted(found, key=lambda source: version_key(source.package.version), reverse=True))

    @property
    def store(self) -> Store:
        """Where what is fetched is kept."""
        return self.place.store

    def fetch(self, source: Source) -> StoredBlob:
        """The package's file, from the store or its suite's mirror, verified by the sum that the index has.

        :raises OfflineError: it is not kept, and the network may not be used.
        :raises DownloadError: the mirror did not give it.
        :raises SumMismatchError: it is not the one that the index names.
        """
        package = source.package
        wanted = Wanted(source.url, "sha256", package.sha256, _CHANGED_HINT, package.size)
        try:
            return fetch(wanted, self.place.store, self.place.network, self.place.progress).blob
        except DownloadError as error:
            if not error.is_gone:
                raise
            raise DownloadError(source.url, error.reason, _GONE_HINT.format(self.name), status=error.status) from error

    def providers(self, path: RootPath) -> tuple[Source, ...]:
        """The packages that have the library at `path`, which is physical, by name; packages of its data are not known.

        :raises MinpackError: the index that tells cannot be had.
        """
        if ".so" not in name(path) or not path.startswith(self._directories) or name(path).startswith(_MUSL):
            return ()
        if path == self.layout.loader:
            names = {"libc6"}
        elif parent(path) == self.layout.libraries and name(path) in _WELL_KNOWN:
            names = {_WELL_KNOWN[name(path)]}
        else:
            key = path.encode("utf-8", "surrogateescape")
            values = (table.find(key) for table in self.files())
            names = _owners(value for value in values if value) or self._renamed(key)
        found = (self.find_package(owner) for owner in sorted(names))
        return tuple(source for source in found if source is not None)

    def _renamed(self, key: bytes) -> set[str]:
        """The one package that has a file like `key` with other numbers in its name.

        Some libraries have the package's version in their names, and the index of files may be of an older one than
        the index of packages.
        """
        start = key[: key.rfind(b"/") + 1]
        stem = re.match(rb"[^\d]+-(?=\d[^/]*\.so)", key[len(start) :])
        if stem is None:
            return set()
        like = re.sub(rb"\d+", b"0", key)
        records = (one for table in self.files() for one in table.with_prefix(start + stem[0], MAX_RENAMED))
        names = _owners(value for found, value in records if re.sub(rb"\d+", b"0", found) == like)
        return names if len(names) == 1 else set()

    def alternative(self, path: RootPath) -> RootPath | None:
        """The file that a link of Debian's alternatives at `path` leads to.

        :raises MinpackError: as `providers`.
        """
        if ".so" not in name(path) or name(path).startswith(_MUSL) or name(path) in _WELL_KNOWN:
            return None
        found = alternatives_of(path, self.layout.libraries)
        return next((one for one in found if self.providers(one)), None)

    def provider(self, path: RootPath) -> Source | None:
        """The package to take the library at `path` from.

        :raises AmbiguousLibraryError: several have it, and nothing tells which is meant.
        """
        found = self.providers(path)
        package = choose(name(path), [source.package for source in found])
        if package is None and found:
            candidates = tuple((s.package.name, s.package.version, str(s.suite)) for s in found)
            raise AmbiguousLibraryError(name(path), candidates)
        return next((source for source in found if source.package == package), None)

    def has_libraries_below(self, path: RootPath) -> bool:
        """Whether `path` is a directory in which, or below which, a package has a library."""
        if path in (self.layout.libraries, parent(self.layout.loader)):
            return True
        if name(path) in _FOR_CPUS and parent(path) in ("/usr/lib", self.layout.libraries, parent(self.layout.loader)):
            return False
        prefix = f"{path}/".encode("utf-8", "surrogateescape")
        return f"{path}/".startswith(self._directories) and any(t.has_prefix(prefix) for t in self.files())

    def program_packages(self, paths: Iterable[RootPath]) -> tuple[str, ...]:
        """The package that has a program, or library, at the first of these physical paths where one alone has.

        :raises MinpackError: as `providers`.
        """
        for path in paths:
            key = path.encode("utf-8", "surrogateescape")
            owners = _owners(value for table in self.files() if (value := table.find(key)))
            if len(owners) == 1:
                return tuple(owners)
        return ()

    def files(self) -> list[OpenTable]:
        """The tables of libraries and programs, opened when they are first asked for: their indexes are large.

        One that is not to be trusted is left out, and told in `unread`.

        :raises MinpackError: one cannot be had.
        """
        if self._files is None:
            self._files = []
            path = f"{COMPONENT}/Contents-{self.arch}"
            for suite, fetched, _ in self._suites:
                release = fetched.release
                unpacked = release.files.get(path)
                index = release.find_index(path, ".xz", ".gz")
                # Suites of updates have no, or an empty one: their packages have the libraries that they had before.
                if index is None or (unpacked is not None and not unpacked.size):
                    continue
                try:
                    table = open_table(suite, index, unpacked, files_table, release.by_hash, self.place)
                except (SumMismatchError, PackageError) as error:
                    # Another index may have what is wanted, or the user says which package has it.
                    self.unread += (f"{suite.url}/{index.path} is not used: {error}",)
                else:
                    self._files.append(table)
        return self._files

    def close(self) -> None:
        """Close the tables; once more does no harm."""
        for _, _, table in self._suites:
            table.close()
        for table in self._files or ():
            table.close()

    def __enter__(self) -> DebianArchive:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _owners(values: Iterable[bytes]) -> set[str]:
    """The packages that records of tables of libraries name."""
    return {owner.decode("utf-8", "replace") for value in values for owner in value.split(b",")}


def open_archive(release: DebianRelease, arch: str, mirror: str, place: SuiteContext) -> DebianArchive:
    """The archive of `release` for `arch`, Debian's name, with its updates and security updates.

    :param mirror: the address of a copy of Debian's archive.
    :raises UnknownBaseError: the release has no such architecture.
    :raises MinpackError: releases or indexes cannot be had, or are not to be trusted; see `minpack.debian.suite`.
    """
    if arch not in release.arches:
        known = " ".join(release.arches)
        raise UnknownBaseError(release.name, f"it has no {arch}", f"it has {known}")
    archive = DebianArchive(release, arch, place, mirror)
    try:
        archive.open(suites_of(release.codename, mirror))
    except BaseException:
        archive.close()
        raise
    return archive
