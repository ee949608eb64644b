"""The rules for a layer's tar, under which every engine unpacks the same tree (OCI image-spec, layer.md)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import ArchiveError, InputError
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.paths import ROOT, RootPath, parent, sort_key
from minpack.rootfs.entry import Kind
from minpack.tar import members, zstd
from minpack.tar.decompress import MAX_UNPACKED
from minpack.tar.header import BLOCK, number, padded
from minpack.tar.read import Member, read_members
from minpack.tar.write import END, MAX_OCTAL_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content, Reader
    from minpack.oci.json_node import Issues


class _Attributes(NamedTuple):
    """What all names of one file share."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    capability: bytes = b""


class _Stream:
    """Bytes that come in pieces, as content that is read from the front to the back, and hashed on the way.

    Reading may go back no further than to the offset of the last read.
    """

    #: Not known before the end; the reader of tars takes it for a limit.
    size = MAX_UNPACKED

    def __init__(self, pieces: Iterator[bytes | memoryview], where: str) -> None:
        self.where = where
        self.hash = hashlib.sha256()
        #: The number of bytes that came so far.
        self.total = 0
        self._pieces = pieces
        self._held = bytearray()

    def open(self) -> Reader:
        """The one stream, however often it is opened."""
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        while self.total < offset + size and self._more(offset):
            pass
        start = offset - (self.total - len(self._held))
        assert start >= 0, "internal error: a stream was read backwards"
        return bytes(self._held[start : start + size])

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end."""
        piece = self.read_at(offset, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def rest(self, offset: int) -> bool:
        """Read to the end; whether all bytes from `offset` on are zeros."""
        zeros = True
        while True:
            start = max(0, offset - (self.total - len(self._held)))
            zeros = zeros and not self._held[start:].strip(b"\0")
            if not self._more(self.total):
                return zeros

    def _more(self, needed: int) -> bool:
        """Take in the next piece and drop what lies before the offset `needed`; whether there was one."""
        del self._held[: max(0, needed - (self.total - len(self._held)))]
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self.hash.update(piece)
        self._held += piece
        self.total += len(piece)
        if self.total > MAX_UNPACKED:
            raise ArchiveError(self.where, f"it unpacks to more than {MAX_UNPACKED} bytes")
        return True

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class TreeRules:
    """Checks the members of one layer after another.

    :param created: the time that all members have, in seconds since 1970; None to check none.
    """

    def __init__(self, created: int | None) -> None:
        self._created = created
        self._lower: dict[RootPath, _Attributes] = {}
        self._here: dict[RootPath, _Attributes] = {}
        self._last: tuple[bytes, ...] = ()

    def begin_layer(self) -> None:
        """The members that come now lie in a layer upon those before."""
        self._lower |= self._here
        self._here = {}
        self._last = ()

    def check(self, member: Member, header: bytes) -> Iterator[str]:
        """What is wrong with a member; `header` is its last header block."""
        path = RootPath("/" + member.name.rstrip("/"))
        yield from _name_issues(member)
        yield from self._place_issues(member, path)
        here = self._here[path] = _Attributes(member.kind, member.mode, member.uid, member.gid, member.capability)
        lower = self._lower.get(path)
        if lower is not None and (here.kind is not Kind.DIRECTORY or lower != here):
            yield "a layer below has something else there"
        yield from header_issues(header, self._created)

    def _place_issues(self, member: Member, path: RootPath) -> Iterator[str]:
        """Once, sorted, behind its directory, and behind what it is a hard link to."""
        if path in self._here:
            yield "duplicate entry"
        key = sort_key(path)
        if key < self._last:
            yield "it is not sorted"
        self._last = key
        above = self._here.get(parent(path))
        if parent(path) != ROOT and (above is None or above.kind is not Kind.DIRECTORY):
            yield "its directory is not there before it"
        if member.kind is Kind.HARDLINK:
            target = self._here.get(RootPath(f"/{member.link}"))
            if target is None or target.kind is not Kind.FILE:
                yield f"{member.link!r}, which it is a hard link to, is not a file before it"
            elif target[1:] != (member.mode, member.uid, member.gid, member.capability):
                yield f"its mode, owner or capabilities are not those of {member.link!r}, which it is a hard link to"


def header_issues(header: bytes, created: int | None) -> Iterator[str]:
    """What is wrong with a header block that names and sizes are not.

    :param created: the time it must have; None for any.
    """
    if header[265:329].strip(b"\0"):
        yield "it has the names of its owners"
    if created is not None and created <= MAX_OCTAL_SIZE and number(header[136:148]) != created:
        yield "its time is not the image's"


def filling_issues(reader: Reader, member: Member) -> Iterator[str]:
    """What is wrong with the bytes between a member's data and the next header."""
    if reader.read_at(member.start + member.size, -member.size % BLOCK).strip(b"\0"):
        yield "its last block is filled with something else than zeros"


def check_layer(content: Content, media_type: str, diff_id: Digest | None, tree: TreeRules, issues: Issues) -> None:
    """Check the bytes of one layer and the tree in it.

    :param diff_id: what the configuration says; None if it says nothing.
    :param tree: has seen the layers below.
    """
    tree.begin_layer()
    end = 0
    try:
        with content.open() as reader:
            stream = _Stream(_unpacked(reader, content, media_type), content.where)
            try:
                for member in read_members(stream, content.where):
                    end = member.start + padded(member.size)
                    header = stream.read_at(member.start - BLOCK, BLOCK)
                    for what in (*tree.check(member, header), *filling_issues(stream, member)):
                        issues.add(f"{member.name!r}: {what}")
            except ArchiveError as error:
                issues.add(error.reason)
                end = stream.total
            _check_end(stream, end, issues)
            found = Digest(stream.hash.hexdigest())
            if diff_id is not None and found != diff_id:
                issues.add(f"its diff ID is {found}, and the configuration says {diff_id}")
    except (ArchiveError, InputError) as error:
        issues.add(error.reason)


def _check_end(stream: _Stream, end: int, issues: Issues) -> None:
    if not stream.rest(end):
        issues.add("there is data after its last member")
    elif stream.total != end + len(END):
        issues.add(f"{stream.total - end} zeros follow its last member; expected {len(END)}")


def _unpacked(reader: Reader, content: Content, media_type: str) -> Iterator[bytes | memoryview]:
    """The bytes of the layer's tar, of every gzip member and every zstd frame."""
    if media_type == mediatypes.LAYER_GZIP:
        return members.decompressed(reader, members.gzip_format(), content.where)
    if media_type == mediatypes.LAYER_ZSTD:
        return iter(zstd.decompressed(reader, content.size, content.where))
    return (reader.read_at(at, members.PIECE_SIZE) for at in range(0, content.size, members.PIECE_SIZE))


def _name_issues(member: Member) -> Iterator[str]:
    parts = member.name.removesuffix("/").split("/")
    if member.kind is Kind.SPECIAL:
        yield "it is not a file, directory or link"
    if member.name.endswith("/") != (member.kind is Kind.DIRECTORY):
        yield "directories end with a slash, and nothing else"
    if any(part in ("", ".", "..") for part in parts):
        yield "its name is not relative and plain"
    if any(part.startswith(".wh.") for part in parts):
        yield "whiteouts have such names"
