"""Writing a tree of entries into a new directory of this host."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

from minpack.errors import ChangedInputError
from minpack.host.deep import reached
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath
from minpack.rootfs.capability import write_capability
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash as HASH

    from minpack.content import Content
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry

BUFFER_SIZE = 1 << 20


def write_directory(
    entries: Sequence[Entry],
    root: str,
    *,
    mtime: int,
    owners: bool,
    progress: Progress,
    sums: dict[RootPath, str] | None = None,
) -> tuple[RootPath, ...]:
    """Write `entries`, parents first, into the empty directory `root`, with their modes and `mtime`.

    The files are returned that did not get their capabilities: without `owners`, and where the system gives none.

    :param owners: give each file its owner and capabilities, which only root can; else the caller owns all.
    :param sums: takes the SHA-256 of each file, in hexadecimal.
    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises OSError: the disk is full, or the like.
    """
    # As bytes, so that names do not depend on the locale.
    top = os.fsencode(root)
    total, done = sum(entry.size for entry in entries), 0
    buffer = memoryview(bytearray(BUFFER_SIZE))
    for entry in entries:
        with reached(top + _encoded(entry.path)) as (name, above):
            hashed = sha256() if sums is not None else None
            _create(entry, name, above, top, _Copy(buffer, hashed))
            if owners:
                os.chown(name, entry.uid, entry.gid, dir_fd=above, follow_symlinks=False)
        if sums is not None and hashed is not None and entry.kind in (Kind.FILE, Kind.HARDLINK):
            sums[entry.path] = hashed.hexdigest() if entry.kind is Kind.FILE else sums[RootPath(entry.link)]
        done += entry.size
        progress("writing root file system", done, total)
    without: list[RootPath] = []
    # Modes and times go last and from below: a directory may be one nothing can be written to.
    for entry in reversed(entries):
        with reached(top + _encoded(entry.path)) as (name, above):
            if entry.kind is not Kind.SYMLINK:
                os.chmod(name, entry.mode, dir_fd=above)
            # Last of all: a new owner takes them away (chown(2)).
            if entry.capability and not (owners and _give(entry.capability, name, above)):
                without.append(entry.path)
            os.utime(name, (mtime, mtime), dir_fd=above, follow_symlinks=False)
    os.chmod(top, 0o755)  # noqa: S103 - the root of a root file system
    os.utime(top, (mtime, mtime))
    return tuple(reversed(without))


def _give(capability: bytes, name: bytes, above: int | None) -> bool:
    """Give a file its capabilities; whether the system took them."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        return write_capability(descriptor, capability)
    finally:
        os.close(descriptor)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Copy(NamedTuple):
    """What the bytes of a file go through: a buffer, and a sum if one is wanted."""

    buffer: memoryview
    total: HASH | None


def _create(entry: Entry, name: bytes, above: int | None, top: bytes, copy: _Copy) -> None:
    if entry.kind is Kind.DIRECTORY:
        os.mkdir(name, 0o700, dir_fd=above)
    elif entry.kind is Kind.SYMLINK:
        os.symlink(_encoded(entry.link), name, dir_fd=above)
    elif entry.kind is Kind.HARDLINK:
        with reached(top + _encoded(entry.link)) as (target, start):
            os.link(target, name, src_dir_fd=start, dst_dir_fd=above, follow_symlinks=False)
    elif entry.content is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=above)
        try:
            _copy(entry.content, descriptor, copy)
        finally:
            os.close(descriptor)


def _copy(content: Content, descriptor: int, copy: _Copy) -> None:
    done = 0
    with content.open() as reader:
        while done < content.size:
            count = reader.readinto_at(copy.buffer[: content.size - done], done)
            if count == 0:
                raise ChangedInputError(content.where, content.size, done)
            piece = copy.buffer[:count]
            if copy.total is not None:
                copy.total.update(piece)
            while piece:
                piece = piece[os.write(descriptor, piece) :]
            done += count
