"""Writing tar: headers that are the same everywhere, and the stream of a tree.

USTAR where a value fits, else a PAX extended header with sorted records
(POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header").
Names are relative, directories end with a slash, owner names are empty
(OCI image-spec, layer.md).
"""

from __future__ import annotations

from hashlib import sha1, sha256
from struct import Struct
from typing import TYPE_CHECKING

from minpack.errors import ChangedInputError
from minpack.paths import RootPath
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from minpack.content import Content
    from minpack.rootfs.entry import Entry

    class BlockConsumer(Protocol):
        """Takes a stream in blocks."""

        def take(self, block: memoryview) -> memoryview:
            """Take all of `block`; the buffer to fill next, which may be another one."""

        def begin_file(self, content: Content) -> bool:
            """The blocks until `end_file` hold the bytes of `content`, and nothing else; True if any size will do."""

        def end_file(self) -> None:
            """The last block of the file was taken."""


BLOCK = 512
END = bytes(2 * BLOCK)
#: The size of the blocks of a file whose blocks nobody wants one by one.
LARGE = 4 << 20
MAX_OCTAL_ID = 0o7777777
MAX_OCTAL_SIZE = 0o77777777777
#: A header's fields; `Struct.pack` fills each up with zeros.
_pack = Struct("100s 48s 8s c 100s 88s 167s").pack
#: "ustar\0" "00", two empty owner names of 32 bytes and two device numbers of 8.
_SAME = b"ustar\x0000".ljust(88, b"\0")
#: In the sum, the sum's own field is eight blanks.
_SAME_SUM = sum(_SAME) + sum(b"        ")
#: As GNU tar, libarchive, Docker and others have extended attributes.
_CAPABILITY = b"SCHILY.xattr.security.capability"
_TYPES = {Kind.FILE: b"0", Kind.HARDLINK: b"1", Kind.SYMLINK: b"2", Kind.DIRECTORY: b"5"}


def headers(entry: Entry, mtime: int) -> bytes:
    """The header blocks of `entry`: one, or three where PAX records are needed.

    :param mtime: seconds since 1970, not negative.
    """
    name = _encoded(entry.path[1:] + ("/" if entry.kind is Kind.DIRECTORY else ""))
    link = _encoded(entry.link[1:] if entry.kind is Kind.HARDLINK else entry.link)
    pax: dict[bytes, bytes] = {}
    prefix, short = _split(name, pax)
    if len(link) > 100 or not link.isascii():  # noqa: PLR2004 - the field's size
        pax[b"linkpath"] = link
        link = _ascii(link)
    uid, gid = _fit(b"uid", entry.uid, MAX_OCTAL_ID, pax), _fit(b"gid", entry.gid, MAX_OCTAL_ID, pax)
    size = _fit(b"size", entry.size if entry.kind is Kind.FILE else 0, MAX_OCTAL_SIZE, pax)
    mtime = _fit(b"mtime", mtime, MAX_OCTAL_SIZE, pax)
    if entry.capability:
        # On links too: to give a link its owner takes the attribute from the file (chown(2)).
        pax[_CAPABILITY] = entry.capability
    block = _block(short, entry.mode, uid, gid, size, mtime, _TYPES[entry.kind], link, prefix)
    if not pax:
        return block
    records = b"".join(_record(key, pax[key]) for key in sorted(pax))
    extended = _block(b"PaxHeaders.0/x", 0o644, 0, 0, len(records), 0, b"x", b"", b"")
    return extended + records + padding(len(records)) + block


def padding(size: int) -> bytes:
    """The zeros behind `size` bytes of data up to the next block."""
    return bytes(-size % BLOCK)


class TarStream:
    """Writes a tar in blocks of at most one size to a consumer, copying each file's bytes once.

    :param own_blocks: a file of at least so many bytes has blocks of its own, which depend on nothing else; 0 for none.
    :param sums: compute the SHA-256 of each file, for `sums`.
    :param sha1: and its SHA-1, for `sha1`.
    """

    def __init__(
        self,
        consumer: BlockConsumer,
        buffer: memoryview,
        own_blocks: int = 0,
        *,
        sums: bool = False,
        sha1: bool = False,
    ) -> None:
        self._consumer = consumer
        self._buffer = buffer
        self._own_blocks = own_blocks
        self._filled = 0
        self._hashed = sums
        self._hashed_twice = sums and sha1
        self._large: memoryview | None = None
        self.size = 0
        #: The SHA-256 of the files that were written, in hexadecimal, by all their names; and their SHA-1.
        self.sums: dict[RootPath, str] = {}
        self.sha1: dict[RootPath, str] = {}

    def add(self, entries: Iterable[Entry], mtime: int) -> None:
        """Write every entry in the order given.

        :raises ChangedInputError: a file is shorter than when it was planned.
        """
        for entry in entries:
            self.write(headers(entry, mtime))
            if entry.kind is Kind.FILE and entry.content is not None:
                if 0 < self._own_blocks <= entry.size:
                    self._flush()
                    self._copy_apart(entry.content, entry.path)
                else:
                    self._copy(entry.content, entry.path)
                self.write(padding(entry.size))
            elif self._hashed and entry.kind is Kind.HARDLINK:
                self.sums[entry.path] = self.sums[RootPath(entry.link)]
                if self._hashed_twice:
                    self.sha1[entry.path] = self.sha1[RootPath(entry.link)]

    def finish(self) -> None:
        """Write the end-of-archive blocks and hand over what is left."""
        self.write(END)
        self._flush()

    def write(self, data: bytes) -> None:
        """Write `data` into the stream."""
        start = 0
        while start < len(data):
            room = len(self._buffer) - self._filled
            piece = data[start : start + room]
            self._buffer[self._filled : self._filled + len(piece)] = piece
            start += len(piece)
            self._advance(len(piece))

    def _copy_apart(self, content: Content, path: RootPath) -> None:
        """Write a file in blocks of its own: large ones where only the whole counts, as each may wait for others."""
        buffer = self._buffer
        is_whole = self._consumer.begin_file(content)
        if is_whole:
            self._large = self._large or memoryview(bytearray(LARGE))
            self._buffer = self._large
        self._copy(content, path)
        self._flush()
        self._consumer.end_file()
        if is_whole:
            self._buffer = buffer

    def _copy(self, content: Content, path: RootPath) -> None:
        done, size, total = 0, content.size, sha256() if self._hashed else None
        other = sha1(usedforsecurity=False) if self._hashed_twice else None
        with content.open() as reader:
            while done < size:
                want = min(len(self._buffer) - self._filled, size - done)
                count = reader.readinto_at(self._buffer[self._filled : self._filled + want], done)
                if count != want:
                    raise ChangedInputError(content.where, size, done + count)
                done += count
                if total is not None:
                    total.update(self._buffer[self._filled : self._filled + count])
                if other is not None:
                    other.update(self._buffer[self._filled : self._filled + count])
                self._advance(count)
        if total is not None:
            self.sums[path] = total.hexdigest()
        if other is not None:
            self.sha1[path] = other.hexdigest()

    def _flush(self) -> None:
        if self._filled:
            self._buffer = self._consumer.take(self._buffer[: self._filled])
            self._filled = 0

    def _advance(self, count: int) -> None:
        self._filled += count
        self.size += count
        if self._filled == len(self._buffer):
            self._buffer = self._consumer.take(self._buffer)
            self._filled = 0


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ascii(name: bytes) -> bytes:
    """What stands in the 100-byte field when a PAX record has the true value."""
    return bytes(c if c < 128 else 0x3F for c in name[:100])  # noqa: PLR2004 - ASCII


def _split(name: bytes, pax: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """`name` as prefix and name field; a PAX record where it does not fit."""
    if name.isascii():
        if len(name) <= 100:  # noqa: PLR2004
            return b"", name
        at = name.rfind(b"/", 0, 156)
        while at > 0:
            if 0 < len(name) - at - 1 <= 100:  # noqa: PLR2004
                return name[:at], name[at + 1 :]
            at = name.rfind(b"/", 0, at)
    pax[b"path"] = name
    return b"", _ascii(name)


def _fit(key: bytes, value: int, limit: int, pax: dict[bytes, bytes]) -> int:
    if value <= limit:
        return value
    pax[key] = b"%d" % value
    return 0


def _record(key: bytes, value: bytes) -> bytes:
    """A PAX record; its length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d" % length + rest


def _block(
    name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, kind: bytes, link: bytes, prefix: bytes
) -> bytes:
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime)
    # Most of a header is zeros, and most of the rest the same in all: neither is summed again.
    total = sum(name + numbers + kind + link + prefix, _SAME_SUM)
    return _pack(name, numbers, b"%06o\0 " % total, kind, link, _SAME, prefix)
