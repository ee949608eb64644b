"""The packages that a tree says are installed in it: by apk's database, dpkg's, or dpkg's in images without dpkg."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import PackageError
from minpack.freshness.values import ShippedPackage
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX, RootPath, normal
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry

APK, DPKG = "apk", "dpkg"
_APK_DATABASE = "/lib/apk/db/installed"
_DPKG_STATUS, _DPKG_INFO, _DPKG_STATUS_D = "/var/lib/dpkg/status", "/var/lib/dpkg/info", "/var/lib/dpkg/status.d"
_RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
#: More bytes, packages and files than any root has.
MAX_DATABASE = 64 << 20
MAX_LIST = 16 << 20
MAX_PACKAGES = 50_000
MAX_FILES = 2_000_000
_MAX_OS_RELEASE = 1 << 16
_INSTALLED = b"install ok installed"


class OwnedFile(NamedTuple):
    """A file of a package where it lies in the tree; `checksum` is as `sha1:…` or `md5:…`, empty if there is none."""

    path: RootPath
    checksum: str = ""


class Installed(NamedTuple):
    """The packages of a tree, each with its files; `kind` is `APK` or `DPKG`, empty if the tree has no database.

    `why` says why there are none; `owners` has the package of each file.
    """

    kind: str = ""
    packages: tuple[tuple[ShippedPackage, tuple[OwnedFile, ...]], ...] = ()
    why: str = ""
    owners: Mapping[RootPath, ShippedPackage] = MappingProxyType({})


def _with_owners(kind: str, packages: Iterable[tuple[ShippedPackage, tuple[OwnedFile, ...]]]) -> Installed:
    found = tuple(packages)
    owners = {file.path: package for package, files in found for file in files}
    return Installed(kind, found, owners=owners)


class System(NamedTuple):
    """A distribution and its release, as os-release(5) has them; empty where it says nothing."""

    id: str = ""
    version: str = ""
    name: str = ""


def installed_in(tree: Walker) -> Installed:
    """The packages of a tree.

    :raises PackageError: a database has more in it than any root has, or what is none.
    :raises InputError: it cannot be read.
    """
    if (data := _read(tree, _APK_DATABASE, MAX_DATABASE)) is not None:
        return _with_owners(APK, _apk(data, tree))
    if _names(tree, _DPKG_STATUS_D):
        return _with_owners(DPKG, _status_d(tree))
    if (data := _read(tree, _DPKG_STATUS, MAX_DATABASE)) is not None:
        return _with_owners(DPKG, _dpkg(data, tree))
    if any(tree.walk(path).entry is not None for path in _RPM):
        return Installed(why="it has RPM packages, whose database minpack does not read")
    return Installed(why="it has no package database")


def system_of(tree: Walker) -> System:
    """Which distribution a tree is of."""
    data = next((found for path in _OS_RELEASE if (found := _read(tree, path, _MAX_OS_RELEASE)) is not None), b"")
    fields = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        fields[key.strip()] = value.strip().strip("\"'")
    return System(fields.get("ID", ""), fields.get("VERSION_ID", ""), fields.get("PRETTY_NAME", ""))


def _apk(data: bytes, tree: Walker) -> Iterator[tuple[ShippedPackage, tuple[OwnedFile, ...]]]:
    from minpack.apk.checksum import parse_checksum  # noqa: PLC0415 - for such trees alone
    from minpack.apk.installed import parse_installed  # noqa: PLC0415 - as above

    def checksum(text: str) -> str:
        found = parse_checksum(text)
        return f"{found.algorithm}:{found.digest.hex()}" if found is not None else ""

    for one in parse_installed(data):
        control = next((line[2:] for line in one.lines if line.startswith("C:")), "")
        package = ShippedPackage(one.name, one.version, one.arch, checksum=control, of_base=True)
        yield package, _placed(((file.path, checksum(file.checksum)) for file in one.files), tree)


def _status_d(tree: Walker) -> Iterator[tuple[ShippedPackage, tuple[OwnedFile, ...]]]:
    """Each package has a paragraph in a file of its name, and a list of those of its files that are there."""
    names = _names(tree, _DPKG_STATUS_D)
    for name in names:
        if name.endswith((".md5sums", ".list")):
            continue
        package = _of_paragraph(_read(tree, f"{_DPKG_STATUS_D}/{name}", MAX_DATABASE) or b"")
        if package is not None:
            sums = _read(tree, f"{_DPKG_STATUS_D}/{name}.md5sums", MAX_LIST) or b""
            yield package, _placed(_md5sums(sums), tree)


def _dpkg(status: bytes, tree: Walker) -> Iterator[tuple[ShippedPackage, tuple[OwnedFile, ...]]]:
    from minpack.deb.control import field_of  # noqa: PLC0415 - for such trees alone

    lists = {name.removesuffix(".list"): name for name in _names(tree, _DPKG_INFO) if name.endswith(".list")}
    for paragraph in status.split(b"\n\n"):
        package = _of_paragraph(paragraph)
        if package is None or field_of(paragraph, b"Status") != _INSTALLED:
            continue
        # A package that may be there for several architectures has that in the names of its lists.
        own = next((one for one in (package.name, f"{package.name}:{package.arch}") if one in lists), "")
        files = dict.fromkeys((_path(line) for line in _lines(tree, f"{own}.list")), "")
        files |= dict(_md5sums(_read(tree, f"{_DPKG_INFO}/{own}.md5sums", MAX_LIST) or b""))
        yield package, _placed(files.items(), tree)


def _of_paragraph(paragraph: bytes) -> ShippedPackage | None:
    from minpack.deb.control import field_of  # noqa: PLC0415 - for such trees alone

    def field(key: bytes) -> str:
        return field_of(paragraph, key).decode("utf-8", "replace")

    name, version = field(b"Package"), field(b"Version")
    return ShippedPackage(name, version, field(b"Architecture"), of_base=True) if name and version else None


def _md5sums(data: bytes) -> Iterator[tuple[RootPath, str]]:
    for match in re.finditer(rb"(?m)^([0-9a-f]{32})  (.+)$", data):
        yield _path(match[2]), f"md5:{match[1].decode()}"


def _lines(tree: Walker, name: str) -> list[bytes]:
    return (_read(tree, f"{_DPKG_INFO}/{name}", MAX_LIST) or b"").splitlines()


def _path(line: bytes) -> RootPath:
    if len(line) >= PATH_MAX:
        raise PackageError("dpkg's database", "it has a path that is too long", "use another image")
    return normal(b"/".join((b"", line.strip(b"/"))).decode("utf-8", "surrogateescape"))


def _placed(files: Iterable[tuple[RootPath, str]], tree: Walker) -> tuple[OwnedFile, ...]:
    """The files where they lie: a package may have them where there is a link to a directory now."""
    found = []
    for number, (path, checksum) in enumerate(files):
        if number >= MAX_FILES:
            raise PackageError("the package database", f"it has more than {MAX_FILES} files", "use another image")
        where = tree.locate(path)
        entry = tree.lstat(where.path) if where.blocked is None else None
        if entry is not None and not _is_directory(entry, checksum, tree):
            found.append(OwnedFile(where.path, checksum))
    return tuple(found)


def _is_directory(entry: Entry, checksum: str, tree: Walker) -> bool:
    """Whether it is a directory, or a link in the place of one: dpkg's lists do not tell them from files."""
    if entry.kind is not Kind.SYMLINK or checksum:
        return entry.kind is Kind.DIRECTORY
    there = tree.walk(entry.path).entry
    return there is not None and there.kind is Kind.DIRECTORY


def _names(tree: Walker, path: str) -> tuple[str, ...]:
    entry = tree.walk(path).entry
    if entry is None or entry.kind is not Kind.DIRECTORY:
        return ()
    names = tree.base.listdir(entry.path)
    if len(names) > MAX_PACKAGES * 10:
        raise PackageError(path, "it has too many files", "use another image")
    return names


def _read(tree: Walker, path: str, limit: int) -> bytes | None:
    """The bytes of a file; None if there is none.

    :raises PackageError: it has more than `limit`.
    """
    entry = tree.find_file(path)
    if entry is None or entry.content is None:
        return None
    if entry.size > limit:
        raise PackageError(path, f"it has more than {limit} bytes", "use another image")
    return read_all(entry.content, limit)
