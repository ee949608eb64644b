"""`OpenPackage`: a package of Debian's archive that was fetched, its files as entries in a merged /usr."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.tar_index import index_of
from minpack.base.tar_table import OpenTar, TarTable
from minpack.content import RangeContent
from minpack.deb.contents import MERGED
from minpack.deb.package import read_control, read_deb
from minpack.errors import ArchiveError, InputError, LockedError, PackageError, reason_of
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind
from minpack.store.blob import TAR, sum_of
from minpack.tar.decompress import Packing, decompress_to, packing_of

if TYPE_CHECKING:
    from minpack.deb.package import Deb, DebControl
    from minpack.deb.packages import DebianPackage
    from minpack.debian.archive import Source
    from minpack.store.blob import StoredBlob
    from minpack.store.part import Part
    from minpack.store.store import Store

_DATA_SCHEMA = "minpack.deb-data/1"
_MOVED = frozenset(part.decode() for part in MERGED)


class OpenPackage:
    """Its files can be read until it is closed.

    :param deb: the .deb file.
    :param data: its data tar, uncompressed.
    :param number: tells its hard links from those of other packages.
    """

    def __init__(self, source: Source, deb: StoredBlob, data: RangeContent, number: int) -> None:
        self.package: DebianPackage = source.package
        self.suite = source.suite
        self.url = source.url
        self._lock = source.lock
        self.entries = _merged_entries(data, str(self.package), number)
        self._deb = deb
        self.unpacked: StoredBlob | None = None

    def control(self) -> DebControl:
        """What the package says of itself.

        :raises PackageError: it is damaged, or another package than the index says.
        :raises LockedError: it is another package than the lock says.
        """
        control = read_control(_parts(self._deb, str(self.package)))
        said = (control.fields.get("Package"), control.fields.get("Version"))
        if said != (self.package.name, self.package.version):
            if self._lock:
                now = f"{said[0]} {said[1]}"
                raise LockedError(self._lock, (("package", self.package.name, self.package.version, now),))
            reason = f"it says that it is {said[0]} {said[1]}"
            raise PackageError(
                f"package {self.package}", reason, "the archive contradicts itself; try another --mirror"
            )
        return control

    def sum(self, algorithm: str) -> str:
        """The sum of its file, in hexadecimal.

        :raises InputError: it cannot be read.
        """
        try:
            return sum_of(self._deb.fileno(), algorithm)
        except OSError as error:
            raise InputError(self._deb.where, reason_of(error)) from error

    def close(self) -> None:
        """Close its files; once more does no harm."""
        self._deb.close()
        if self.unpacked is not None:
            self.unpacked.close()


def open_package(source: Source, deb: StoredBlob, store: Store, number: int) -> OpenPackage:
    """The package whose verified file is `deb`, which it closes, and which is closed if it cannot be opened.

    Its data is kept uncompressed too: unpacking it is what takes long.

    :param number: see `OpenPackage`.
    :raises PackageError: it is damaged, or holds what could leave the root.
    """
    package = source.package
    unpacked: StoredBlob | None = None
    try:
        data = _parts(deb, str(package)).data
        try:
            packing = packing_of(data, str(package))
            if packing is not Packing.NONE:
                unpacked = _unpacked(package, data, packing, store)
                data = RangeContent(unpacked.fileno(), 0, unpacked.size, str(package))
            opened = OpenPackage(source, deb, data, number)
        except ArchiveError as error:
            raise PackageError(f"package {package}", error.reason, error.hint) from error
    except BaseException:
        deb.close()
        if unpacked is not None:
            unpacked.close()
        raise
    opened.unpacked = unpacked
    return opened


def _parts(deb: StoredBlob, name: str) -> Deb:
    return read_deb(RangeContent(deb.fileno(), 0, deb.size, f"package {name}"))


def _unpacked(package: DebianPackage, data: RangeContent, packing: Packing, store: Store) -> StoredBlob:
    """The package's data tar: the one kept, else unpacked now and kept."""
    name = f"deb-data-{package.sha256}"
    record = store.record(name, _DATA_SCHEMA) or {}
    sha256 = str(record.get("sha256", ""))
    kept = store.find(sha256, TAR).blob if re.fullmatch("[0-9a-f]{64}", sha256) else None
    if kept is not None:
        return kept
    with store.draft() as part:
        decompress_to(data, _Filling(part), packing, str(package))
        blob = part.keep(part.sum("sha256"), TAR)
    store.keep_record(name, _DATA_SCHEMA, {"sha256": blob.sha256})
    return blob


class _Filling:
    """Writes to a part of the store, one piece behind the other."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._at = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`."""
        self._part.write(bytes(data), self._at)
        self._at += len(data)


def _merged_entries(data: RangeContent, name: str, number: int) -> dict[RootPath, Entry]:
    """The package's entries by path, where they lie once /bin, /lib and so on are links into /usr."""
    found: dict[RootPath, Entry] = {}
    table = TarTable(index_of(data, name).table, OpenTar(data.descriptor, name, data.start))
    implied = table.implied()
    for path, entry in table.items():
        top, _, below = path[1:].partition("/")
        moved = top in _MOVED
        if (moved and not below) or path in implied:
            continue  # the directory or the link itself: the base has its own
        inode = entry.inode << 20 | number if entry.inode is not None else None
        new = RootPath(f"/usr{path}") if moved else path
        if new in found and found[new].kind is not Kind.DIRECTORY:
            raise PackageError(f"package {name}", f"it has {new!r} twice, below / and below /usr")
        found[new] = entry._replace(path=new, inode=inode)
    return found
