"""`TarballBase`: a tarball as a base, its files read where they lie in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from minpack.base.entries import EntriesBase
from minpack.base.tarindex import index_of
from minpack.content import RangeContent, reason_of
from minpack.errors import BaseError, InputError
from minpack.tar.decompress import Packing, decompress_to, packing_of
from minpack.tar.spool import nameless_file, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry

#: Where a compressed tarball is unpacked to unless a caller says otherwise.
TEMPORARY = "/tmp"  # noqa: S108 - the file made there has no name


class OpenFile(Protocol):
    """A regular file that is open for reading."""

    def fileno(self) -> int:
        """Its descriptor."""


class TarballBase(EntriesBase):
    """See `minpack.base.tree.Base`. Contents can be read until it is closed, by leaving its ``with`` block.

    :param descriptor: the open, uncompressed tar, which the base closes.
    """

    def __init__(self, name: str, entries: Mapping[RootPath, Entry], implied: Set[RootPath], descriptor: int) -> None:
        super().__init__(name, entries, implied)
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the file; done once, however often it is called."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> TarballBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_tarball(source: str | OpenFile, name: str, *, temporary: str = TEMPORARY) -> TarballBase:
    """The tarball as a base. It may be compressed: then it is unpacked into a file without a name.

    :param source: a path of this host, or an open file, which may be closed afterwards.
    :param name: what to call the base in messages.
    :param temporary: the directory to unpack in.
    :raises InputError: it cannot be opened or read, or is no regular file.
    :raises ArchiveError: it is no tarball, damaged, or holds what could leave its root.
    :raises BaseError: there is no room to unpack it.
    """
    descriptor = _open(source, name)
    try:
        tar = RangeContent(descriptor, 0, os.fstat(descriptor).st_size, name)
        packing = packing_of(tar, name)
        if packing is not Packing.NONE:
            unpacked, size = _unpack(tar, packing, name, temporary)
            os.close(descriptor)
            descriptor = unpacked
            tar = RangeContent(descriptor, 0, size, name)
        entries, implied = index_of(tar, name)
    except BaseException:
        os.close(descriptor)
        raise
    return TarballBase(name, entries, implied, descriptor)


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
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
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
        os.close(descriptor)
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
