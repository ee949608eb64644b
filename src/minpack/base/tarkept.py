"""Compressed tarballs that were opened before: the tar kept unpacked, and what lies where in it.

The index is a record of the store under the tarball's SHA-256, beside the tar. Nothing of the tar counts before the
piece that it is in has the sum that the index says; a damaged tar is unpacked again, unseen by whoever reads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import FileReader, RangeContent, reason_of, release
from minpack.errors import InputError, StoreError
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind
from minpack.store.blob import TAR
from minpack.store.prune import MOST_BYTES, prune

if TYPE_CHECKING:
    from collections.abc import Set

    from minpack.content import Reader
    from minpack.store.store import Store

_SCHEMA = "minpack.base-index/1"
#: The most bytes of an index; one of 500,000 entries has some 50 million.
_MOST_INDEX = 256 << 20
#: No tar that takes more of the store than this is kept: it would push out all others.
MOST_TAR_BYTES = MOST_BYTES // 4
#: A tar is summed in pieces of this size; the headers of an ELF file are in one.
PIECE = 1 << 16
_SUM = 32
#: Gives a descriptor of the tar, unpacked anew.
Unpack = Callable[[], int]
_Row = tuple[str, str, int, int, int, int, int, str, int | None]


class KeptTar:
    """An open kept tar; the base that it is of closes it.

    :param name: what to call it in messages.
    :param sha256: the sum of the tarball.
    :param sums: the SHA-256 of each piece, one after another.
    :param unpack: what to do where it is damaged.
    """

    def __init__(self, descriptor: int, name: str, sha256: str, sums: bytes, unpack: Unpack) -> None:
        self.descriptor = descriptor
        self.sha256 = sha256
        self._name = name
        self._sums = sums
        self._unpack = unpack
        self._good = bytearray(len(sums) // _SUM)

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
                raise InputError(self._name, reason_of(error)) from error
            finally:
                release(unpacked)
            if not self._is_good(number):
                raise InputError(self._name, "it changed while it was read")
        self._good[number] = 1

    def _is_good(self, number: int) -> bool:
        piece = b""
        with suppress(OSError):
            piece = os.pread(self.descriptor, PIECE, number * PIECE)
        return hashlib.sha256(piece).digest() == self._sums[number * _SUM : (number + 1) * _SUM]


class KeptContent(NamedTuple):
    """`size` bytes of a kept tar, from `start` on."""

    tar: KeptTar
    start: int
    size: int
    where: str

    @property
    def key(self) -> str:
        """See `content.key_of`: the tarball's sum, and where in the tar."""
        return f"tar:{self.tar.sha256}:{self.start}:{self.size}"

    def open(self) -> Reader:
        """A reader that checks what it reads."""
        return _KeptReader(self)


class _KeptReader(FileReader):
    def __init__(self, content: KeptContent) -> None:
        super().__init__(content.tar.descriptor, content.start, content.size, owned=False, where=content.where)
        self._tar = content.tar
        self._from = content.start
        self._most = content.size

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
    """A kept tar with its entries, as `tarindex.index_of` gives them."""

    tar: KeptTar
    entries: Mapping[RootPath, Entry]
    implied: Set[RootPath]


def find_kept(store: Store, sha256: str, name: str, unpack: Callable[[], int]) -> Kept | None:
    """What the store has of the tarball with that sum; None if it has not all of it.

    :param name: what to call the base in messages.
    :param unpack: gives a descriptor of the tar, unpacked anew, should the kept one be damaged.
    """
    record = store.record(_record(sha256), _SCHEMA, _MOST_INDEX)
    if record is None:
        return None
    # The record has the sum it was written with, so it is as `keep_tar` made it.
    size, sums = int(str(record["size"])), bytes.fromhex(str(record["sums"]))
    descriptor = store.find_tar(sha256, size)
    if descriptor is None:
        return None

    def unpack_again() -> int:
        store.drop_tar(sha256)
        return unpack()

    tar = KeptTar(descriptor, name, sha256, sums, unpack_again)
    rows: list[_Row] = record["entries"]  # type: ignore[assignment]
    implied: list[RootPath] = record["implied"]  # type: ignore[assignment]
    return Kept(tar, _Entries(rows, tar, name), frozenset(implied))


def keep_tar(
    store: Store, sha256: str, tar: RangeContent, entries: Mapping[RootPath, Entry], implied: Set[RootPath]
) -> None:
    """Keep the unpacked `tar` of the tarball with that sum, and its index, as far as the store takes them."""
    if tar.size > MOST_TAR_BYTES:
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
        values = {
            "size": tar.size,
            "sums": sums.hex(),
            "entries": [_row(entry) for entry in entries.values()],
            "implied": sorted(implied),
        }
        # Last: whoever finds the index finds the tar.
        store.keep_record(_record(sha256), _SCHEMA, values)
        prune(store)


def _record(sha256: str) -> str:
    return f"index-{sha256}"


def _row(entry: Entry) -> _Row:
    content = entry.content
    start, size = (content.start, content.size) if isinstance(content, RangeContent) else (-1, 0)
    return (entry.path, str(entry.kind), entry.mode, entry.uid, entry.gid, start, size, entry.link, entry.inode)


class _Entries(Mapping[RootPath, Entry]):
    """The entries of an index, each made when it is first asked for."""

    def __init__(self, rows: list[_Row], tar: KeptTar, name: str) -> None:
        self._rows = {RootPath(row[0]): row for row in rows}
        self._made: dict[RootPath, Entry] = {}
        self._tar = tar
        self._name = name

    def __getitem__(self, path: RootPath) -> Entry:
        made = self._made.get(path)
        if made is None:
            _, kind, mode, uid, gid, start, size, link, inode = self._rows[path]
            content = KeptContent(self._tar, start, size, f"{path} in {self._name}") if start >= 0 else None
            made = self._made[path] = Entry(path, Kind(kind), mode, uid, gid, content, link, inode)
        return made

    def get(self, path: RootPath, default: Entry | None = None) -> Entry | None:  # type: ignore[override]
        """The entry, or `default`."""
        return self[path] if path in self._rows else default

    def __iter__(self) -> Iterator[RootPath]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
