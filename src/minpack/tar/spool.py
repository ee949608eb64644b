"""Files without a name, for what is unpacked and read where it then lies."""

from __future__ import annotations

import os


def nameless_file(directory: str) -> int:
    """The descriptor of a new, empty file in `directory` that has no name there; the caller closes it.

    :raises OSError: it cannot be made.
    """
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):
        # Neither every system nor every file system has them; `tempfile` is slow to import.
        from tempfile import TemporaryFile  # noqa: PLC0415

        with TemporaryFile(dir=directory, buffering=0) as file:
            return os.dup(file.fileno())


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` to an open file.

    :raises OSError: the disk is full, or the like.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
