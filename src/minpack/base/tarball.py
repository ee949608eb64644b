"""`TarballBase`: a tarball as a base, its files read where they lie in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from minpack.base.entries import EntriesBase
from minpack.content import RangeContent, file_status, reason_of, release, sum_of
from minpack.errors import BaseError, InputError
from minpack.namedtuple import NamedTuple
from minpack.tar.decompress import Packing, decompress_to, packing_of
from minpack.tar.spool import nameless_file, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry
    from minpack.store.store import Store

#: Where a compressed tarball is unpacked to unless a caller says otherwise.
TEMPORARY = "/tmp"  # noqa: S108 - the file made there has no name


class OpenFile(Protocol):
    """A regular file that is open for reading."""

    def fileno(self) -> int:
        """Its descriptor."""


class TarballBase(EntriesBase):
    """See `minpack.base.tree.Base`. Contents can be read until it is closed, by leaving its ``with`` block.

    :param descriptors: the open, uncompressed tar, and the tarball of a kept one, which the base closes.
    """

    def __init__(self, name: str, entries: Mapping[RootPath, Entry], implied: Set[RootPath], *descriptors: int) -> None:
        super().__init__(name, entries, implied)
        self._descriptors = descriptors

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
    :raises InputError: it cannot be opened or read, or is no regular file.
    :raises ArchiveError: it is no tarball, damaged, or holds what could leave its root.
    :raises BaseError: there is no room to unpack it.
    """
    descriptor = _open(source, name)
    try:
        tar = RangeContent(descriptor, 0, file_status(descriptor, name).st_size, name)
        packing = packing_of(tar, name)
        if packing is not Packing.NONE:
            return _open_packed(tar, packing, name, temporary, store, sha256)
        from minpack.base.tarindex import index_of  # noqa: PLC0415 - not for a tarball whose index is kept

        entries, implied = index_of(tar, name)
    except BaseException:
        release(descriptor)
        raise
    return TarballBase(name, entries, implied, descriptor)


def _open_packed(
    tarball: RangeContent, packing: Packing, name: str, temporary: str, store: Store | None, sha256: str
) -> TarballBase:
    """The compressed `tarball` as a base, which closes its descriptor."""
    keeps = store is not None and store.keeps
    # What was verified before is nobody's to write to; its time tells when it was used.
    written = _written(tarball) if not sha256 else None
    if store is not None and keeps:
        from minpack.base.tarkept import find_kept  # noqa: PLC0415 - only where something is kept

        sha256 = sha256 or sum_of(tarball)
        kept = find_kept(store, sha256, name, lambda: _unpack(tarball, packing, name, temporary)[0])
        if kept is not None:
            return TarballBase(name, kept.entries, kept.implied, kept.tar.descriptor, tarball.descriptor)
    unpacked, size = _unpack(tarball, packing, name, temporary)
    try:
        from minpack.base.tarindex import index_of  # noqa: PLC0415 - not for a tarball whose index is kept

        tar = RangeContent(unpacked, 0, size, name)
        entries, implied = index_of(tar, name)
        # What was written to since it was summed is not what the sum is of.
        if store is not None and keeps and written in (None, _written(tarball)):
            from minpack.base.tarkept import keep_tar  # noqa: PLC0415

            keep_tar(store, sha256, tar, entries, implied)
    except BaseException:
        release(unpacked)
        raise
    release(tarball.descriptor)
    return TarballBase(name, entries, implied, unpacked)


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
        raise InputError(where, "it is a directory" if stat.S_ISDIR(mode) else "it is no regular file")
    return descriptor


def _unpack(tar: RangeContent, packing: Packing, name: str, directory: str) -> tuple[int, int]:
    """The descriptor and the size of a new file without a name that holds the tar."""
    try:
        descriptor = nameless_file(directory)
    except OSError as error:
        raise _no_room(name, directory, error) from error
    try:
        return descriptor, decompress_to(tar, _Spool(descriptor, name, directory), packing, name)
    except BaseException:
        release(descriptor)
        raise


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
            raise _no_room(self.name, self.directory, error) from error


def _no_room(name: str, directory: str, error: OSError) -> BaseError:
    reason = f"it cannot be unpacked in {directory!r}: {reason_of(error)}"
    return BaseError(name, reason, "make room there, or set TMPDIR to a directory that has some")
