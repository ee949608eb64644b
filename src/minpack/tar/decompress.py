"""Taking off a tarball's compression, known by its first bytes and never by its name.

All sums are checked; a file that is cut short is an error, and so is anything
behind its end, unless the caller takes that on itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.errors import ArchiveError
from minpack.tar import members, zstd
from minpack.tar.header import BLOCK, is_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minpack.content import Content, Reader
    from minpack.digest import Writable

#: No root file system unpacks to more than the first, nor to more than the third times its packed size if that is
#: more than the second; whatever does is meant to fill a disk.
MAX_UNPACKED = 16 * 1024**3
UNSUSPICIOUS = 1024**3
MAX_RATIO = 200
#: Up to these sizes a gzip file is decompressed in memory at once, in under half the time.
WHOLE_PACKED = 32 * 1024**2
WHOLE_UNPACKED = 128 * 1024**2
#: Deflate makes at most so many bytes of one ("Technical Details" at zlib.net).
DEFLATE_RATIO = 1032


class Packing(StrEnum):
    """How a tarball is compressed."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZSTD = "zstd"


_MAGICS = (
    (members.GZIP_MAGIC, Packing.GZIP),
    (members.XZ_MAGIC, Packing.XZ),
    (members.BZIP2_MAGIC, Packing.BZIP2),
    *((magic, Packing.ZSTD) for magic in (zstd.MAGIC, *zstd.SKIPPABLE)),
)
_OTHERS = (
    (b"\x7fELF", "an ELF file"),
    (b"PK\x03\x04", "a zip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (b"hsqs", "a squashfs image"),
    (b"!<arch>\n", "an ar archive, as .deb files are"),
    (b"0707", "a cpio archive"),
    (b"\x1f\x9d", "compressed with compress(1)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"<", "a text, perhaps a web page"),
)


def packing_of(content: Content, name: str) -> Packing:
    """How the tarball is compressed, by its first bytes.

    :param name: what to call it in errors.
    :raises ArchiveError: it is not a tar, nor compressed in a way that is known.
    """
    with content.open() as reader:
        head = reader.read_at(0, BLOCK)
    if is_header(head) or head == bytes(BLOCK):
        return Packing.NONE
    for magic, packing in _MAGICS:
        if head.startswith(magic):
            return packing
    if head[257:262] == b"ustar":
        return Packing.NONE  # a damaged one: reading it tells where
    what = next(
        (what for magic, what in _OTHERS if head.startswith(magic)), "not a tar archive" if head else "an empty file"
    )
    raise ArchiveError(name, f"it is {what}", "name a .tar, plain or compressed with gzip, xz, bzip2 or zstd")


def beginning_of(content: Content, packing: Packing, name: str, size: int) -> bytes:
    """The first bytes, `size` at most, that `content` unpacks to; whether it is whole is not looked at.

    :raises ArchiveError: even they cannot be had.
    """
    with content.open() as reader:
        if packing is Packing.GZIP:
            import zlib  # noqa: PLC0415 - it takes no more than these bytes

            try:
                return zlib.decompressobj(31).decompress(reader.read_at(0, size), size)
            except zlib.error as error:
                raise ArchiveError(name, f"its compressed data is damaged: {error}", members.DAMAGED) from error
        pieces = _pieces(reader, content.size, packing, name, MAX_UNPACKED, None)
        return bytes(next(iter(pieces), b"")[:size])


def limit_for(size: int) -> int:
    """The most bytes that a packed file of `size` bytes may unpack to."""
    return min(MAX_UNPACKED, max(UNSUSPICIOUS, MAX_RATIO * size))


def decompress_to(
    content: Content,
    out: Writable,
    packing: Packing,
    name: str,
    limit: int | None = None,
    behind: Callable[[int], object] | None = None,
) -> int:
    """Write the decompressed bytes of `content` to `out`; their number.

    :param packing: what `packing_of` says.
    :param name: what to call the tarball in errors.
    :param limit: the most bytes to write; by default `limit_for` its size.
    :param behind: takes the offset of what follows the end of the compressed data; without it, that is an error.
    :raises ArchiveError: it is damaged, cut short, has something behind its end, or unpacks to more than `limit`.
    :raises OSError: `out` raises it.
    """
    size = 0
    limit = limit_for(content.size) if limit is None else limit
    with content.open() as reader:
        for piece in _pieces(reader, content.size, packing, name, limit, behind):
            size += len(piece)
            if size > limit:
                raise ArchiveError(name, f"it unpacks to more than {limit} bytes", "no root file system is this large")
            out.write(piece)
    return size


def _pieces(
    reader: Reader, size: int, packing: Packing, name: str, limit: int, behind: Callable[[int], object] | None
) -> Iterable[bytes | bytearray | memoryview]:
    if packing is Packing.GZIP:
        whole = _gunzip_whole(reader, size, limit)
        return (whole,) if whole is not None else members.decompressed(reader, members.gzip_format(), name, behind)
    if packing is Packing.XZ:
        return members.decompressed(reader, members.xz_format(), name, behind)
    if packing is Packing.BZIP2:
        return members.decompressed(reader, members.bzip2_format(), name, behind)
    if packing is Packing.ZSTD:
        return zstd.decompressed(reader, size, name, behind)
    return _copied(reader, size)


def _copied(reader: Reader, size: int) -> Iterable[bytes]:
    return (reader.read_at(at, members.PIECE_SIZE) for at in range(0, size, members.PIECE_SIZE))


def _gunzip_whole(reader: Reader, size: int, limit: int) -> bytearray | None:
    """All that a small gzip file of one member holds, by libdeflate; None if it is anything else, or damaged."""
    from deflate import DeflateError, crc32, gzip_decompress  # noqa: PLC0415

    if not 18 <= size <= WHOLE_PACKED:  # noqa: PLR2004 - a header and a trailer
        return None
    data = reader.read_at(0, size)
    unpacked = int.from_bytes(data[-4:], "little")
    if len(data) != size or unpacked > min(WHOLE_UNPACKED, limit, size * DEFLATE_RATIO):
        return None
    try:
        whole: bytearray = gzip_decompress(data)
    except (DeflateError, ValueError, MemoryError):
        return None  # several members, or damaged: streaming tells which
    # It reads the first member only. That one ends with this sum and size: if they
    # are nowhere but at the end of the file, it is all there is.
    trailer = crc32(whole).to_bytes(4, "little") + unpacked.to_bytes(4, "little")
    return whole if data.find(trailer) == size - len(trailer) else None
