"""The packages that a root of Debian's has installed: of a tarball, a directory or an image that dpkg made.

dpkg has ``/var/lib/dpkg/status`` with a paragraph for each, and lists of their files in ``info`` (dpkg-query(1));
images without dpkg have ``status.d`` (distroless), with a file for each. Nothing is fetched for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.packages import NoPackages, PackageFacts, PackageId
from minpack.content import read_all
from minpack.deb.contents import merged
from minpack.deb.control import field_of, source_of, source_version_of
from minpack.debian.packages import licenses_of
from minpack.debian.records import STATUS, copyright_of, copyright_path, left_note, linked, record_of
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX, RootPath, normal
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry

#: What dpkg's database is told by.
DATABASES = ("/var/lib/dpkg/status", str(STATUS))
_LISTS = "/var/lib/dpkg/info"
#: Debian Policy, section 5.6.7; files are called by it.
_NAME = r"[a-z0-9][a-z0-9+.-]*"
#: More bytes than any database has, of all its lists together, and more files.
MAX_STATUS, MAX_LISTS, MAX_FILES = 64 << 20, 256 << 20, 2_000_000


class _Installed(NamedTuple):
    """A package: its paragraph, the paths of its files as its lists have them, and its sums."""

    id: PackageId
    paragraph: bytes
    paths: tuple[RootPath, ...] = ()
    md5sums: bytes = b""


class InstalledDebianPackages(NoPackages):
    """As `Packages`, of a root that has a database of dpkg's; it is read when it is first asked for."""

    kind = "deb"

    def __init__(self, root: Walker) -> None:
        self._root = root
        self._packages: dict[PackageId, _Installed] | None = None
        self._owners: dict[RootPath, PackageId] = {}
        self._left = 0

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override] # it is a value of those without any
        """What it means that licences were left out, if they were."""
        return left_note(self._left)

    def add(self, name: str) -> tuple[RootPath, ...]:
        """The paths of the files and directories of the package `name`."""
        for one in self._known().values():
            if one.id.name == name:
                return tuple(path for path in one.paths if self._root.lstat(path) is not None)
        hint = f"{self._root.base.name} has no repositories; choose another --base"
        raise UsageError("--package", name, "it is not installed in the base", hint)

    def files(self) -> dict[PackageId, tuple[RootPath, ...]]:
        """Every package that is installed, with the paths of its files as its lists have them."""
        return {id_: one.paths for id_, one in self._known().items()}

    def owner(self, entry: Entry) -> PackageId | None:
        """The package whose file `entry` is; None if no package has it as it is."""
        self._known()
        owner = self._owners.get(entry.path)
        there = self._root.lstat(entry.path) if owner is not None else None
        same = there is not None and (there.kind, there.link, there.content) == (entry.kind, entry.link, entry.content)
        return owner if same else None

    def facts(self, package: PackageId) -> PackageFacts:
        """What its paragraph says, and its copyright file if that is machine-readable."""
        known = self._known().get(package)
        if known is None:
            return PackageFacts()
        supplier = field_of(known.paragraph, b"Maintainer").decode("utf-8", "replace")
        source = source_of(known.paragraph, package.name), source_version_of(known.paragraph)
        return PackageFacts(*source, licenses_of(package.name, self._root), supplier)

    def database(self, entries: Iterable[Entry], *, licences: bool = True) -> tuple[Entry, ...]:
        """The paragraph of each package that has `entries`, the list of its files, and its copyright file."""
        owned: dict[PackageId, set[bytes]] = {}
        for entry in entries:
            owner = self.owner(entry)
            if owner is not None:
                owned.setdefault(owner, set()).add(entry.path.encode("utf-8", "surrogateescape"))
        found: list[Entry] = []
        for id_, files in sorted(owned.items()):
            known = self._known()[id_]
            found += record_of(_file_name(id_, owned), known.paragraph, known.md5sums, files, f"package {id_.name}")
        names = {id_.name: files for id_, files in owned.items()}
        if licences:
            found += filter(None, (copyright_of(name, self._root) for name in sorted(names)))
        else:
            self._left = sum(copyright_path(name).encode() not in files for name, files in names.items())
        return tuple(linked(found))

    def _known(self) -> dict[PackageId, _Installed]:
        """The packages, read the first time."""
        if self._packages is None:
            self._packages = {one.id: one for one in _read(self._root)}
            for one in self._packages.values():
                for path in one.paths:
                    self._owners.setdefault(path, one.id)
        return self._packages


def _file_name(package: PackageId, others: Iterable[PackageId]) -> str:
    """What the record of a package is called: by its name, and of several architectures by those too."""
    several = any(one.name == package.name and one.arch != package.arch for one in others)
    return f"{package.name}:{package.arch}" if several else package.name


def _read(root: Walker) -> Iterator[_Installed]:
    """The packages that are installed, each once."""
    lists = dict(_files(root, _LISTS))
    status = _read_file(root, DATABASES[0], MAX_STATUS)
    for paragraph in status.split(b"\n\n"):
        one = _package(paragraph)
        if one is not None:
            yield one._replace(paths=tuple(_paths(_of(lists, one.id, "list"))), md5sums=_of(lists, one.id, "md5sums"))
    records = dict(_files(root, DATABASES[1]))
    for name, paragraph in records.items():
        one = _package(paragraph) if not name.endswith(".md5sums") else None
        if one is not None:
            sums = records.get(f"{name}.md5sums", b"")
            yield one._replace(paths=tuple(_paths(sums)), md5sums=sums)


def _of(lists: Mapping[str, bytes], package: PackageId, ending: str) -> bytes:
    """A package's list; of one of several architectures with its own behind the name, as libc6:amd64."""
    names = (f"{package.name}:{package.arch}.{ending}", f"{package.name}.{ending}")
    return next((lists[name] for name in names if name in lists), b"")


def _package(paragraph: bytes) -> _Installed | None:
    """The package of a paragraph; None if it has no name, or is not installed."""
    paragraph = paragraph.strip(b"\n") + b"\n"
    status = field_of(paragraph, b"Status").split()
    name, version, arch = (
        field_of(paragraph, key).decode("utf-8", "replace") for key in (b"Package", b"Version", b"Architecture")
    )
    id_ = PackageId(name, version, arch)
    if not re.fullmatch(_NAME, id_.name) or not id_.version or (status and status[-1] != b"installed"):
        return None
    return _Installed(id_, paragraph)


def _paths(data: bytes) -> Iterator[RootPath]:
    """The paths in a list or in sums, each also as it is where /lib and others are links into /usr."""
    for line in data.split(b"\n"):
        # Of a line of sums the path is behind the sum, and has no slash at its start.
        path = line if line.startswith(b"/") else line.partition(b"  ")[2]
        if 1 < len(path) < PATH_MAX and path != b"/.":
            plain = path.lstrip(b"/")
            yield normal(plain.decode("utf-8", "surrogateescape"))
            if merged(plain) != b"/" + plain:
                yield normal(merged(plain).decode("utf-8", "surrogateescape"))


def _files(root: Walker, directory: str) -> Iterator[tuple[str, bytes]]:
    """The files in a directory, as far as they are lists, sums or paragraphs, within bounds."""
    found = root.walk(directory).entry
    room, count = MAX_LISTS, 0
    if found is None or found.kind is not Kind.DIRECTORY:
        return
    for name in root.base.listdir(found.path):
        if directory == _LISTS and not name.endswith((".list", ".md5sums")):
            continue
        data = _read_file(root, f"{found.path}/{name}", MAX_STATUS)
        room, count = room - len(data), count + data.count(b"\n")
        if room < 0 or count > MAX_FILES:
            return
        yield name, data


def _read_file(root: Walker, path: str, most: int) -> bytes:
    """The file at `path`; nothing if there is none, or one that is larger than any."""
    entry = root.find_file(path)
    if entry is None or entry.content is None or entry.content.size > most:
        return b""
    return read_all(entry.content, most)
