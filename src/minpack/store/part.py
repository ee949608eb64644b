"""`Part`: a file on its way into the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.store.blob import BLOB, Blob, sum_of

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
        """How many bytes it has."""
        return os.fstat(self.descriptor).st_size

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
        """Make it empty."""
        os.ftruncate(self.descriptor, 0)

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

    def keep(self, sha256: str, kind: str = BLOB) -> Blob:
        """Make the file a blob with the sum `sha256`, which the caller has computed from it and closes.

        :param kind: TAR for what a tarball holds; the sum is that of the tarball then, or its own where it is verified.
        :raises StoreError: it cannot be renamed.
        """
        import fcntl  # noqa: PLC0415

        name = f"{sha256}.{kind}"
        where = f"{self._directory.path}/{name}" if self.rename(name) else "a temporary file"
        if self._resumable:
            # The blob keeps the file open, and others may be waiting for it.
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        blob = Blob(self.descriptor, self.size, sha256, where)
        self.descriptor = -1
        return blob

    def close(self) -> None:
        """Close the file, and remove it unless it was kept or, if `resumable`, has something; again does no harm."""
        if self.descriptor < 0:
            return
        if self._name and not (self._resumable and self.size):
            self._directory.remove(self._name)
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
