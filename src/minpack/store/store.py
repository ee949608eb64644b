"""`Store`: a directory of blobs, records and unfinished downloads, safe to share and safe to lose.

    <sha256>.blob    a download, by the SHA-256 of its bytes
    <sha256>.layer   a compressed layer, likewise
    <sha256>.tar     what a compressed tarball holds, by the SHA-256 of the tarball
    <sha256>.index   what lies where in that, likewise
    <name>.json      a record: one JSON object with its schema and the SHA-256 of its own bytes
    <key>.part       an unfinished download, locked with flock(2) while it is written
    <random>.tmp     a file being written, locked likewise; after a kill it stays and means nothing

A file gets its name by rename(2) when it is whole, so readers see all of it or
nothing. Nothing is synced to the disk: what is opened is hashed, and what is
damaged counts as absent. What is found gets a new time, so that the oldest files
are those that nobody asked for longest; `minpack.store.prune` removes them first.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import release
from minpack.errors import StoreError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.store.blob import BLOB, INDEX, LAYER, TAR, StoredBlob, sum_of
from minpack.store.directory import Directory, StoredFile, open_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.store.part import Part
    from minpack.store.turn import Turn

#: What a store may take, in bytes; `minpack.store.prune` sees to it.
MOST_BYTES = 2 << 30
#: More bytes than any record may have, unless the caller expects more.
_RECORD_LIMIT = 1 << 20
#: So often a file is made or opened anew that another process removed or finished at that moment. A file system that
#: gives it another number each time looks the same.
_TRIES = 100
#: How a record begins, up to its own sum, and what stands between that and the rest.
_SUM, _BEHIND_SUM = b'{"sum": "', b'", '
_REST = len(_SUM) + 64 + len(_BEHIND_SUM)

#: All names that files of a store have.
_NAME = rf"[a-z0-9._-]+\.({BLOB}|{LAYER}|{TAR}|{INDEX}|json|part|tmp)"
#: What names of records are made of, and how long they are at most. A pattern takes longer to compile than to use.
_RECORD_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_RECORD_NAME = 200


class Found(NamedTuple):
    """What the store has; `note` says why a blob that was there does not count."""

    blob: StoredBlob | None
    note: str = ""


class Store:
    """What is kept between runs. Made by `open_store`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @property
    def problem(self) -> str:
        """Why downloads are not kept, as far as known; empty where they are and where nobody asked for it."""
        return self._directory.problem

    @property
    def keeps(self) -> bool:
        """Whether there is a directory; it may not be writable all the same."""
        return self._directory.is_open

    def files(self) -> tuple[StoredFile, ...]:
        """Every file there is, in no order.

        :raises StoreError: the directory cannot be read.
        """
        return self._directory.files()

    def remove(self, name: str) -> None:
        """Remove the file `name`, if it is there and can be removed; whoever has it open can go on reading."""
        self._directory.remove(name)

    def remove_left_behind(self, name: str) -> bool | None:
        """Remove the unfinished file `name` unless a process writes to it; whether it did. None where none can tell."""
        from minpack.store.turn import try_lock  # noqa: PLC0415 - where something was left behind

        descriptor = self._directory.open(name, os.O_RDONLY)
        if descriptor is None:
            return False
        try:
            locked = try_lock(descriptor)
            # A file that was finished meanwhile has another name now.
            if locked and self._directory.names(name, descriptor):
                self._directory.remove(name)
        except (OSError, StoreError):
            # The disk is broken: nobody can tell.
            return None
        finally:
            release(descriptor)
        return locked

    def remove_others(self) -> None:
        """Remove what has the name of a file of the store's and is none: a directory, a link, a pipe.

        :raises StoreError: the directory cannot be read.
        """
        for name in self._directory.others():
            if re.fullmatch(_NAME, name, re.ASCII):
                self._directory.remove(name)

    def begin(self) -> Part | None:
        """An empty file to fill; None where the store cannot be written.

        :raises StoreError: the disk is full or broken.
        """
        return self._temporary()

    def find(self, sha256: str, kind: str = BLOB) -> Found:
        """The blob with that sum, verified just now; the caller closes it. A damaged one is removed."""
        name = f"{sha256}.{kind}"
        descriptor = self._directory.open(name, os.O_RDONLY)
        if descriptor is None:
            return Found(None)
        size = _size(descriptor)
        if size is not None and _has_sum(descriptor, sha256):
            _touch(descriptor)
            return Found(StoredBlob(descriptor, size, sha256, f"{self._directory.path}/{name}"))
        release(descriptor)
        self._directory.remove(name)
        return Found(None, f"the stored copy {name} is damaged and was ignored")

    def put(self, data: bytes) -> StoredBlob:
        """Keep `data` if the store can be written; either way a blob of it, which the caller closes.

        :raises StoreError: the disk is full or broken.
        """
        with self.draft() as part:
            part.write(data, 0)
            return part.keep(part.sum("sha256"))

    def find_tar(self, sha256: str, size: int) -> int | None:
        """A descriptor of the kept tar of the tarball with that sum, which the caller closes; its bytes are unverified.

        None if it is not there, or has not `size` bytes.
        """
        return self.find_unverified(sha256, size, TAR)

    def find_unverified(self, sha256: str, size: int, kind: str) -> int | None:
        """A descriptor of that file, which the caller closes and whose bytes it checks.

        None if it is not there, or has not `size` bytes.
        """
        descriptor = self._directory.open(f"{sha256}.{kind}", os.O_RDONLY)
        if descriptor is not None and _size(descriptor) != size:
            release(descriptor)
            return None
        if descriptor is not None:
            _touch(descriptor)
        return descriptor

    def find_index(self, sha256: str, limit: int) -> bytes | None:
        """The bytes of the kept index of the tarball with that sum, unverified.

        None if it is not there, or has over `limit` bytes.
        """
        descriptor = self._directory.open(f"{sha256}.{INDEX}", os.O_RDONLY)
        if descriptor is None:
            return None
        try:
            size = _size(descriptor)
            if size is None or size > limit:
                return None
            data = os.pread(descriptor, size, 0)
            _touch(descriptor)
        except OSError:
            return None  # a disk that cannot give the bytes back
        finally:
            release(descriptor)
        return data

    def drop_tar(self, sha256: str) -> None:
        """Remove the kept tar of the tarball with that sum, if it is there and can be removed."""
        self._directory.remove(f"{sha256}.{TAR}")

    def record(self, name: str, schema: str, limit: int = _RECORD_LIMIT) -> Mapping[str, object] | None:
        """The record `name`; None if there is none, it is damaged or has over `limit` bytes, or another schema."""
        import json  # noqa: PLC0415

        descriptor = self._directory.open(_record_file(name), os.O_RDONLY)
        if descriptor is None:
            return None
        try:
            size = _size(descriptor)
            if size is None or size > limit:
                return None
            data = os.pread(descriptor, size, 0)
            if data[:_REST] != _summed(data[_REST:]):
                return None
            value = json.loads(data)
            _touch(descriptor)
        except (ValueError, RecursionError, OSError):
            return None
        finally:
            release(descriptor)
        if not isinstance(value, dict) or value.get("schema") != schema:
            return None
        del value["sum"]
        return value

    def keep_record(self, name: str, schema: str, values: Mapping[str, object], limit: int = _RECORD_LIMIT) -> None:
        """Write the record `name`, over an older one; nothing happens where the store cannot be written.

        :param name: lower-case letters, digits, ``.``, ``_`` and ``-``.
        :param limit: nothing happens either with more bytes, which whoever reads it would not take.
        :raises StoreError: the disk is full or broken.
        """
        import json  # noqa: PLC0415

        file = _record_file(name)
        rest = json.dumps({"schema": schema, **values}, sort_keys=True).encode()[1:]
        part = self._temporary() if _REST + len(rest) <= limit else None
        if part is None:
            return
        with part:
            part.write(_summed(rest) + rest, 0)
            part.rename(file)

    def drop_record(self, name: str) -> None:
        """Remove the record `name`, if it is there and can be removed."""
        self._directory.remove(_record_file(name))

    def draft(self) -> Part:
        """An empty file to fill: in the store, or without a name where the store cannot be written.

        :raises StoreError: there is no place for temporary files either, or the disk is full or broken.
        """
        return self._temporary() or self._anonymous()

    def part(self, key: str, turn: Turn | None = None) -> Part:
        """The unfinished download `key`, this process's own until it is closed; others wait.

        As `draft` where the store cannot be written, its file system has no locks, or whoever has it does not go on.

        :param turn: how long to wait for others, and who is told.
        :raises StoreError: as `draft`.
        """
        from minpack.store.part import Part  # noqa: PLC0415 - where something is kept
        from minpack.store.turn import Turn  # noqa: PLC0415 - for downloads alone

        turn = turn or Turn()
        name = f"{key}.part"
        for _ in range(_TRIES):
            descriptor = self._directory.open(name, os.O_RDWR | os.O_CREAT)
            if descriptor is None:
                break
            try:
                locked = turn.take(descriptor)
                # Whoever had it may have renamed it, being done, or removed it, having given up.
                if locked and self._directory.names(name, descriptor):
                    part, descriptor = Part(self._directory, descriptor, name, resumable=True), -1
                    return part
            except OSError as error:
                raise self._directory.broken(error) from error
            finally:
                if descriptor >= 0:
                    release(descriptor)
            if not locked:
                break
        return self.draft()

    def close(self) -> None:
        """Close the directory; blobs stay usable."""
        self._directory.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _temporary(self) -> Part | None:
        import fcntl  # noqa: PLC0415 - where something is kept

        from minpack.store.part import Part  # noqa: PLC0415 - as above

        for _ in range(_TRIES):
            name = f"{os.urandom(16).hex()}.tmp"
            descriptor = self._directory.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            if descriptor is None:
                return None
            # It stays locked as long as this process lives: who finds it unlocked may remove it.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part = Part(self._directory, descriptor, name)
            try:
                if self._directory.names(name, descriptor):
                    return part
            except StoreError:
                part.close()
                raise
            # It was found before it was locked.
            part.close()
        return None

    def _anonymous(self) -> Part:
        import tempfile  # noqa: PLC0415

        from minpack.store.part import Part  # noqa: PLC0415

        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                return Part(self._directory, os.dup(file.fileno()), "")
        except OSError as error:
            raise StoreError(
                "a temporary file", reason_of(error), "set TMPDIR to a directory that can be written"
            ) from error


def open_store(directory: str | None, *, make: bool = True) -> Store:
    """The store in `directory`, made with mode 0700 if it is missing; None for none.

    Without a directory, or with one that cannot be made, nothing is found and downloads are not kept.

    :param make: False for a store that is empty where the directory is missing.

    :raises StoreError: the directory is not fit for a store, see `open_directory`.
    """
    return Store(open_directory(directory, make=make))


def _record_file(name: str) -> str:
    if not name[:1].isalnum() or len(name) > _LONGEST_RECORD_NAME or not _RECORD_LETTERS.issuperset(name):
        raise ValueError(f"{name!r} is not a name of a record")
    return f"{name}.json"


def _summed(rest: bytes) -> bytes:
    """How a record begins whose other bytes are `rest`."""
    return _SUM + hashlib.sha256(rest).hexdigest().encode() + _BEHIND_SUM


def _touch(descriptor: int) -> None:
    """Let the file be the last used one, where it may be changed."""
    with suppress(OSError):
        os.utime(descriptor)


def _size(descriptor: int) -> int | None:
    """The size of an open file; None if the disk does not say."""
    try:
        return os.fstat(descriptor).st_size
    except OSError:
        return None


def _has_sum(descriptor: int, sha256: str) -> bool:
    try:
        return sum_of(descriptor, "sha256") == sha256
    except OSError:
        # A disk that cannot give the bytes back.
        return False
