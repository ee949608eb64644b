"""The packages that are installed in a root, by the database of whatever manages it, and which files are theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import PackageFacts, PackageId
from minpack.content import read_all
from minpack.namedtuple import NamedTuple
from minpack.spec.debug import DEBUG_ROOT

if TYPE_CHECKING:
    from minpack.base.walk import Walker
    from minpack.paths import RootPath

_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
#: That of the tools in an image for debugging.
DEBUG_DATABASE = f"{DEBUG_ROOT}/lib/apk/db/installed"


class InstalledPackages(NamedTuple):
    """The packages of a root, with what each says of itself. `kind` is ``apk`` or ``deb``, as package URLs have it.

    `owners` says of which package a file is, by where it lies.
    """

    kind: str
    packages: dict[PackageId, PackageFacts]
    owners: dict[RootPath, PackageId]


def read_installed(root: Walker) -> InstalledPackages | None:
    """The packages of `root`; None if no database that is known says so.

    :raises MinpackError: the database is damaged, or cannot be read.
    """
    for path in _APK:
        data = _read(root, path)
        if data:
            return _apk(root, data)
    from minpack.debian.installed import DATABASES  # noqa: PLC0415 - for roots without apk

    return _dpkg(root) if any(root.walk(path).entry is not None for path in DATABASES) else None


def read_debug_tools(root: Walker) -> InstalledPackages | None:
    """The packages of the tools that `root` has for debugging; None if it has none.

    :raises MinpackError: as `read_installed`.
    """
    data = _read(root, DEBUG_DATABASE)
    return _apk(root, data) if data else None


def _read(root: Walker, path: str, most: int = 64 << 20) -> bytes:
    """The file at `path`; nothing where there is none, or one that is larger than any."""
    entry = root.find_file(path)
    small = entry is not None and entry.content is not None and entry.content.size <= most
    return read_all(entry.content, most) if small and entry is not None and entry.content is not None else b""


def _apk(root: Walker, data: bytes) -> InstalledPackages:
    from minpack.alpine.package_overlay import path_over  # noqa: PLC0415 - for such roots alone
    from minpack.alpine.packages import facts_of  # noqa: PLC0415 - as above
    from minpack.apk.installed import parse_installed  # noqa: PLC0415 - as above

    packages: dict[PackageId, PackageFacts] = {}
    owners: dict[RootPath, PackageId] = {}
    for one in parse_installed(data):
        id_ = PackageId(one.name, one.version, one.arch)
        packages[id_] = facts_of(one.lines)
        places = (path_over(root, file.path) for file in one.files)
        owners.update((path, id_) for path in places if path is not None)
    return InstalledPackages("apk", packages, owners)


def _dpkg(root: Walker) -> InstalledPackages:
    from minpack.debian.installed import InstalledDebianPackages  # noqa: PLC0415 - for such roots alone

    installed = InstalledDebianPackages(root)
    owners: dict[RootPath, PackageId] = {}
    for id_, paths in installed.files().items():
        for path in paths:
            owners.setdefault(path, id_)
    return InstalledPackages("deb", {id_: installed.facts(id_) for id_ in installed.files()}, owners)
