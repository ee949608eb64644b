"""`Part`: a file on its way into the store."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import release
from minpack.store.blob import BLOB, StoredBlob, sum_of

if TYPE_CHECKING:
    from minpack.store.directory import Directory


class Part:
    """A file to fill, open for reading and writing; with an empty `name` it has none in any directory.

    Leaving its ``with`` block closes it and removes it unless it was kept. If
    `resumable`, what was written stays for the next attempt.
    """

    def __init__(self, directory: Directory, descriptor: int, name: str, *, resumable: bool = False) -> None:
        self.descriptor = descriptor
        self._directory = directory
        self._name = name
        self._resumable = resumable

    @property
    def size(self) -> int:
        """How many bytes it has.

        :raises StoreError: the disk is broken.
        """
        try:
            return os.fstat(self.descriptor).st_size
        except OSError as error:
            raise self._directory.broken(error) from error

    def write(self, data: bytes | bytearray | memoryview, at: int) -> None:
        """Write all of `data`, `at` bytes into the file.

        :raises StoreError: the disk is full or broken.
        """
        rest = memoryview(data)
        try:
            while rest:
                count = os.pwrite(self.descriptor, rest, at)
                rest, at = rest[count:], at + count
        except OSError as error:
            raise self._directory.broken(error) from error

    def clear(self) -> None:
        """Make it empty.

        :raises StoreError: the disk is broken.
        """
        try:
            os.ftruncate(self.descriptor, 0)
        except OSError as error:
            raise self._directory.broken(error) from error

    def sum(self, algorithm: str) -> str:
        """The sum of all its bytes, in hexadecimal.

        :raises StoreError: the disk does not give them back.
        """
        try:
            return sum_of(self.descriptor, algorithm)
        except OSError as error:
            raise self._directory.broken(error) from error

    def rename(self, name: str) -> bool:
        """Give the file its final name; False without a directory, or if another process removed it.

        :raises StoreError: it cannot be done.
        """
        named = bool(self._name) and self._directory.rename(self._name, name)
        self._name = ""
        return named

    def keep(self, sha256: str, kind: str = BLOB) -> StoredBlob:
        """Make the file a blob with the sum `sha256`, which the caller has computed from it and closes.

        :param kind: TAR for what a tarball holds; the sum is that of the tarball then, or its own where it is verified.
        :raises StoreError: it cannot be renamed.
        """
        import fcntl  # noqa: PLC0415

        name = f"{sha256}.{kind}"
        where = f"{self._directory.path}/{name}" if self.rename(name) else "a temporary file"
        if self._resumable:
            # The blob keeps the file open, and others may be waiting for it: until it is closed at the latest.
            with suppress(OSError):
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        blob = StoredBlob(self.descriptor, self.size, sha256, where)
        self.descriptor = -1
        return blob

    def close(self) -> None:
        """Close the file, and remove it unless it was kept or, if `resumable`, has something; again does no harm."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor < 0:
            return
        if self._name and not (self._resumable and _has_bytes(descriptor)):
            self._directory.remove(self._name)
        release(descriptor)

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _has_bytes(descriptor: int) -> bool:
    """Whether something was written to an open file, as far as the system says."""
    try:
        return os.fstat(descriptor).st_size > 0
    except OSError:
        return False
