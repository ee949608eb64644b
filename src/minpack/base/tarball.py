"""`TarballBase`: a tarball as a base, its files read where they lie in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from minpack.base.entries import EntriesBase
from minpack.base.tar_table import OpenTar, TarTable
from minpack.content import RangeContent, file_status, release, sum_of
from minpack.errors import ArchiveError, BaseError, InputError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.tar.decompress import Packing, decompress_to, packing_of
from minpack.tar.members import DAMAGED, something_follows
from minpack.tar.spool import nameless_file, write_all

if TYPE_CHECKING:
    from collections.abc import Set

    from minpack.paths import RootPath
    from minpack.store.store import Store

#: Where a compressed tarball is unpacked to unless a caller says otherwise.
TEMPORARY = "/tmp"  # noqa: S108 - the file made there has no name


class OpenFile(Protocol):
    """A regular file that is open for reading."""

    def fileno(self) -> int:
        """Its descriptor."""


class TarballBase(EntriesBase):
    """A tarball as a base. Contents can be read until it is closed, by leaving its ``with`` block.

    :param descriptors: the open, uncompressed tar, and the tarball of a kept one, which the base closes.
    """

    def __init__(self, name: str, table: TarTable, *descriptors: int, sha256: str = "") -> None:
        super().__init__(name, table)
        #: The sum of the tarball, where opening it took that.
        self.sha256 = sha256
        #: What of the tarball was not read.
        self.notes = table.notes
        self._table = table
        self._descriptors = descriptors

    @property
    def implied(self) -> Set[RootPath]:
        """The directories that have no member of their own."""
        return self._table.implied()

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory."""
        return self._table.listdir(path)

    def attributes(self) -> frozenset[str]:
        """The names of the members' extended attributes, but for file capabilities, which are read.

        :raises ArchiveError: it was written to since it was opened.
        :raises InputError: the system could not read it.
        """
        from minpack.tar.read import Tape  # noqa: PLC0415 - its headers are read again for this alone

        size = file_status(self._descriptors[0], self.name).st_size
        with self._table.tar.open(0, size, self.name) as reader:
            tape = Tape(reader, size, self.name)
            return frozenset(name for member in tape.members() for name in member.attributes)

    def close(self) -> None:
        """Close the files; done once, however often it is called."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            release(descriptor)

    def __enter__(self) -> TarballBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_tarball(
    source: str | OpenFile, name: str, *, temporary: str = TEMPORARY, store: Store | None = None, sha256: str = ""
) -> TarballBase:
    """The tarball as a base. It may be compressed: then it is unpacked into a file without a name.

    :param source: a path of this host, or an open file, which may be closed afterwards.
    :param name: what to call the base in messages.
    :param temporary: the directory to unpack in.
    :param store: where what was unpacked is kept, and taken from the next time; it stays open as long as the base.
    :param sha256: the tarball's sum, if that is known.
    :raises InputError: it cannot be opened or read, or is not a regular file.
    :raises ArchiveError: it is not a tarball, damaged, or holds what could leave its root.
    :raises BaseError: there is no room to unpack it.
    """
    descriptor = _open(source, name)
    try:
        tar = RangeContent(descriptor, 0, file_status(descriptor, name).st_size, name)
        packing = packing_of(tar, name)
        if packing is not Packing.NONE:
            return _open_packed(tar, packing, name, temporary, store, sha256)
        table = TarTable(_table(tar), OpenTar(descriptor, name))
    except BaseException:
        release(descriptor)
        raise
    return TarballBase(name, table, descriptor)


def _open_packed(
    tarball: RangeContent, packing: Packing, name: str, temporary: str, store: Store | None, sha256: str
) -> TarballBase:
    """The compressed `tarball` as a base, which closes its descriptor."""
    keeps = store is not None and store.keeps
    # What was verified before is nobody's to write to; its time tells when it was used.
    written = _written(tarball) if not sha256 else None
    if store is not None and keeps:
        from minpack.base.tar_kept import find_kept  # noqa: PLC0415 - only where something is kept

        sha256 = sha256 or sum_of(tarball)
        kept = find_kept(store, sha256, name, lambda: _unpack(tarball, packing, name, temporary).descriptor)
        if kept is not None:
            return TarballBase(name, kept.table, kept.tar.descriptor, tarball.descriptor, sha256=sha256)
    unpacked = _unpack(tarball, packing, name, temporary)
    try:
        tar = RangeContent(unpacked.descriptor, 0, unpacked.size, name)
        table = _table(tar, unpacked.unread)
        # What was written to since it was summed is not what the sum is of.
        if written not in (None, _written(tarball)):
            sha256 = ""
        elif store is not None and keeps:
            from minpack.base.tar_kept import keep_tar  # noqa: PLC0415

            keep_tar(store, sha256, tar, table)
    except BaseException:
        release(unpacked.descriptor)
        raise
    release(tarball.descriptor)
    return TarballBase(name, TarTable(table, OpenTar(unpacked.descriptor, name)), unpacked.descriptor, sha256=sha256)


def _table(tar: RangeContent, unread: int = 0) -> bytearray:
    """The entries of a tar.

    :param unread: how many bytes follow the compressed data that it was.
    """
    from minpack.base.tar_index import index_of  # noqa: PLC0415 - not for a tarball whose index is kept

    if not unread:
        return index_of(tar, tar.where).table
    index = index_of(tar, tar.where, (f"{unread} bytes after the base's compressed data were ignored",))
    if not index.has_end:
        # They may be what the rest of it has become.
        raise ArchiveError(tar.where, something_follows(), DAMAGED)
    return index.table


def _written(tarball: RangeContent) -> int:
    """When something was written to it last."""
    return file_status(tarball.descriptor, tarball.where).st_mtime_ns


def _open(source: str | OpenFile, name: str) -> int:
    """A descriptor of the base's own."""
    where = source if isinstance(source, str) else name
    try:
        if isinstance(source, str):
            # A FIFO would else be waited for.
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        else:
            descriptor = os.dup(source.fileno())
    except (OSError, ValueError) as error:
        raise InputError(where, reason_of(error) if isinstance(error, OSError) else str(error)) from error
    try:
        mode = file_status(descriptor, where).st_mode
    except InputError:
        release(descriptor)
        raise
    if not stat.S_ISREG(mode):
        release(descriptor)
        raise InputError(where, "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")
    return descriptor


class _Unpacked(NamedTuple):
    """A file without a name that holds a tar; `unread` bytes follow the compressed data that it was."""

    descriptor: int
    size: int
    unread: int


def _unpack(tar: RangeContent, packing: Packing, name: str, directory: str) -> _Unpacked:
    """The tar in a new file without a name, whose descriptor the caller closes."""
    try:
        descriptor = nameless_file(directory)
    except OSError as error:
        raise no_room(name, directory, error) from error
    behind: list[int] = []
    try:
        size = decompress_to(tar, _Spool(descriptor, name, directory), packing, name, behind=behind.append)
    except BaseException:
        release(descriptor)
        raise
    return _Unpacked(descriptor, size, tar.size - behind[0] if behind else 0)


class _Spool(NamedTuple):
    """Writes to an open file, and says what is wrong where it cannot."""

    descriptor: int
    name: str
    directory: str

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`.

        :raises BaseError: the disk is full, or the like.
        """
        try:
            write_all(self.descriptor, data)
        except OSError as error:
            raise no_room(self.name, self.directory, error) from error


def no_room(name: str, directory: str, error: OSError) -> BaseError:
    """The error that says that `name` cannot be unpacked in `directory`."""
    reason = f"it cannot be unpacked in {directory!r}: {reason_of(error)}"
    return BaseError(name, reason, "make room there, or set TMPDIR to a directory that has some")
