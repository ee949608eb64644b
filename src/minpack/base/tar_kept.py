"""Compressed tarballs that were opened before: the tar kept unpacked, and what lies where in it.

Both are in the store under the tarball's SHA-256. Nothing of the tar counts before the piece that it is in has the sum
that the index says; a damaged tar is unpacked again, unseen by whoever reads.

    magic     8 bytes, the format with its version
    sum       SHA-256 of all that follows
    size      u64, that of the tar
    pieces    u32, the number of sums
    sums      the SHA-256 of each piece of the tar
    table     what `tartable.build_table` made
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING

from minpack.base.tar_table import MAX_TABLE, OpenTar, TarTable
from minpack.content import FileReader, release
from minpack.errors import InputError, StoreError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.store.blob import INDEX, TAR
from minpack.store.prune import prune
from minpack.store.store import MOST_BYTES
from minpack.tar.decompress import MAX_UNPACKED

if TYPE_CHECKING:
    from minpack.content import RangeContent, Reader
    from minpack.store.store import Store

#: Another number for every change of what an index holds: those of other versions do not count.
_MAGIC = b"mpindex3"
_HEAD = Struct("<QI")
SUM = 32
#: Where what has the sum begins in an index, behind magic and sum.
SUMMED = len(_MAGIC) + SUM
#: No tar that takes more of the store than this is kept: it would push out all others.
MOST_TAR_BYTES = MOST_BYTES // 4
#: A tar is summed in pieces of this size; the headers of an ELF file are in one.
PIECE = 1 << 16
#: The most bytes of an index, which are read at once; whatever is written has fewer.
_MOST_INDEX = MAX_TABLE + MAX_UNPACKED // PIECE * SUM + 4096
#: Gives a descriptor of the tar, unpacked anew.
Unpack = Callable[[], int]


class KeptTar(OpenTar):
    """An open kept tar; the base that it is of closes it.

    :param name: what to call it in messages.
    :param sha256: the sum of the tarball.
    :param sums: the SHA-256 of each piece, one after another.
    :param unpack: what to do where it is damaged; a tar that begins elsewhere than its file cannot be unpacked.
    :param size: how many bytes the tar has.
    :param start: where it begins in the open file.
    """

    def __init__(
        self, descriptor: int, name: str, sha256: str, sums: bytes, unpack: Unpack, size: int, start: int = 0
    ) -> None:
        super().__init__(descriptor, name, start)
        self._sha256 = sha256
        self._size = size
        self._sums = sums
        self._unpack = unpack
        self._good = bytearray(len(sums) // SUM)

    def key(self, start: int, size: int) -> str:
        """What identifies these bytes without reading them: the tarball's sum, and where in the tar they are."""
        return f"tar:{self._sha256}:{start}:{size}"

    def open(self, start: int, size: int, where: str) -> Reader:
        """A reader that checks what it reads."""
        return _KeptReader(self, start, size, where)

    def check(self, start: int, size: int) -> None:
        """Let the bytes be those of the tarball: whatever else lies there is replaced.

        :raises MinpackError: it had to be unpacked anew, and could not be, or the tarball is another one by then.
        """
        for number in range(start // PIECE, (start + size + PIECE - 1) // PIECE):
            if number < len(self._good) and not self._good[number]:
                self._check_piece(number)

    def _check_piece(self, number: int) -> None:
        if not self._is_good(number):
            unpacked = self._unpack()
            try:
                os.dup2(unpacked, self.descriptor, inheritable=False)
            except OSError as error:
                raise InputError(self.name, reason_of(error)) from error
            finally:
                release(unpacked)
            if not self._is_good(number):
                raise InputError(self.name, "it changed while it was read")
        self._good[number] = 1

    def _is_good(self, number: int) -> bool:
        piece, at = b"", number * PIECE
        with suppress(OSError):
            piece = os.pread(self.descriptor, min(PIECE, self._size - at), self.start + at)
        return hashlib.sha256(piece).digest() == self._sums[number * SUM : (number + 1) * SUM]


class _KeptReader(FileReader):
    def __init__(self, tar: KeptTar, start: int, size: int, where: str) -> None:
        super().__init__(tar.descriptor, tar.start + start, size, owned=False, where=where)
        self._tar = tar
        self._from = start
        self._most = size

    def read_at(self, offset: int, size: int) -> bytes:
        self._check(offset, size)
        return super().read_at(offset, size)

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        self._check(offset, len(buffer))
        return super().readinto_at(buffer, offset)

    def _check(self, offset: int, size: int) -> None:
        size = min(size, self._most - offset)
        if offset >= 0 and size > 0:
            self._tar.check(self._from + offset, size)


class Kept(NamedTuple):
    """A kept tar with its entries."""

    tar: KeptTar
    table: TarTable


def find_kept(store: Store, sha256: str, name: str, unpack: Callable[[], int]) -> Kept | None:
    """What the store has of the tarball with that sum; None if it has not all of it.

    :param name: what to call the base in messages.
    :param unpack: gives a descriptor of the tar, unpacked anew, should the kept one be damaged.
    """
    data = find_summed(store, sha256, _MAGIC)
    if data is None:
        return None
    # It has the sum it was written with, so it is as `keep_tar` made it.
    size, pieces = _HEAD.unpack_from(data, SUMMED)
    at = SUMMED + _HEAD.size
    sums = data[at : at + pieces * SUM]
    descriptor = store.find_tar(sha256, size)
    if descriptor is None:
        return None

    def unpack_again() -> int:
        store.drop_tar(sha256)
        return unpack()

    tar = KeptTar(descriptor, name, sha256, sums, unpack_again, size)
    return Kept(tar, TarTable(data, tar, at + len(sums)))


def keep_tar(store: Store, sha256: str, tar: RangeContent, table: bytearray) -> None:
    """Keep the unpacked `tar` of the tarball with that sum, and its index, as far as the store takes them.

    Nothing is kept that `find_kept` would not take.
    """
    if tar.size > MOST_TAR_BYTES or len(table) > MAX_TABLE:
        return
    with suppress(StoreError):
        part = store.begin()
        if part is None:
            return
        sums = bytearray()
        with part, tar.open() as reader:
            buffer = memoryview(bytearray(16 * PIECE))
            at = 0
            while count := reader.readinto_at(buffer, at):
                part.write(buffer[:count], at)
                for start in range(0, count, PIECE):
                    sums += hashlib.sha256(buffer[start : min(start + PIECE, count)]).digest()
                at += count
            part.keep(sha256, TAR).close()
        # Last: whoever finds the index finds the tar.
        keep_summed(store, sha256, _MAGIC, (_HEAD.pack(tar.size, len(sums) // SUM), sums, table))
        prune(store)


def find_summed(store: Store, name: str, magic: bytes) -> bytes | None:
    """The kept index of that name and format, which begins at `SUMMED`; None if it is not there, or damaged.

    :param name: 64 hexadecimal digits: the sum of what it is of.
    :param magic: the format with its version.
    """
    data = store.find_index(name, _MOST_INDEX)
    if data is None or data[:SUMMED] != magic + hashlib.sha256(memoryview(data)[SUMMED:]).digest():
        return None
    return data


def keep_summed(store: Store, name: str, magic: bytes, pieces: Sequence[bytes | bytearray]) -> None:
    """Keep an index, where the store takes it.

    :raises StoreError: the disk is full or broken.
    """
    part = store.begin()
    if part is None:
        return
    summed = hashlib.sha256()
    for piece in pieces:
        summed.update(piece)
    with part:
        at = 0
        for piece in (magic + summed.digest(), *pieces):
            part.write(piece, at)
            at += len(piece)
        part.keep(name, INDEX).close()
