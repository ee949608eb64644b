"""Decompressing gzip, xz and bzip2 files: one member after another, in bounded pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from minpack.errors import ArchiveError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minpack.content import Reader

#: The most bytes read, and the most decompressed, at a time.
READ_SIZE = 64 * 1024
PIECE_SIZE = 1024 * 1024
#: Memory that xz may use; ``xz -9`` takes 65 MiB.
XZ_MEMORY = 256 * 1024**2
GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\0"
BZIP2_MAGIC = b"BZh"
DAMAGED = "it is damaged or was cut short; copy, download or make it again"


class Decoder(Protocol):
    """What `bz2` and `lzma` have for one stream."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without input."""

    @property
    def unused_data(self) -> bytes:
        """What was behind the stream's end in the input."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in `data`; up to `max_length` bytes that come out."""


class CompressionFormat(NamedTuple):
    """How one format is decompressed.

    `decoder` makes a decoder for one member, which starts with `magic`. Zeros
    may follow a member in multiples of `padding`; if that is 0, none may.
    `errors` are what the decoder raises for damaged data.
    """

    decoder: Callable[[], Decoder]
    magic: bytes
    padding: int
    errors: tuple[type[Exception], ...]


def gzip_format() -> CompressionFormat:
    """RFC 1952; zeros behind the end come from tapes and block devices, and gzip(1) passes over them."""
    from zlib import error  # noqa: PLC0415

    return CompressionFormat(_Inflater, GZIP_MAGIC, 1, (error,))


def xz_format() -> CompressionFormat:
    """The .xz file format, where stream padding has multiples of four bytes (section 2.2)."""
    from lzma import FORMAT_XZ, LZMADecompressor, LZMAError  # noqa: PLC0415

    return CompressionFormat(lambda: LZMADecompressor(FORMAT_XZ, memlimit=XZ_MEMORY), XZ_MAGIC, 4, (LZMAError,))


def bzip2_format() -> CompressionFormat:
    """The format of bzip2(1), which has no padding."""
    from bz2 import BZ2Decompressor  # noqa: PLC0415

    return CompressionFormat(BZ2Decompressor, BZIP2_MAGIC, 0, (OSError, ValueError))


def decompressed(
    reader: Reader, form: CompressionFormat, name: str, behind: Callable[[int], object] | None = None
) -> Iterator[bytes]:
    """What all members hold, in pieces of at most `PIECE_SIZE`.

    :param name: what to call the file in errors.
    :param behind: takes the offset of what follows the last member, where that is something else; without it, that is
        an error.
    :raises ArchiveError: a member is damaged or cut short, or something else follows the last.
    """
    source = _Source(reader)
    while True:
        yield from _member(source, form, name)
        end = source.at
        zeros = source.skip_zeros()
        rest = source.peek(len(form.magic))
        padded = not zeros or (form.padding and zeros % form.padding == 0)
        if padded and not rest:
            return
        if padded and rest == form.magic:
            continue
        if behind is None:
            raise ArchiveError(name, something_follows(zeros), DAMAGED)
        behind(end)
        return


def something_follows(zeros: int = 0) -> str:
    """The reason for an error about what is behind compressed data: zeros first, if any."""
    if zeros:
        return f"{zeros} zero bytes follow its compressed data"
    return "there is other data after its compressed data"


def _member(source: _Source, form: CompressionFormat, name: str) -> Iterator[bytes]:
    """The bytes of the member that `source` is at; `source` is behind it then."""
    decoder = form.decoder()
    while not decoder.eof:
        hungry = decoder.needs_input
        data = source.take() if hungry else b""
        try:
            piece = decoder.decompress(data, PIECE_SIZE)
        except form.errors as error:
            raise ArchiveError(name, f"its compressed data is damaged: {error}", DAMAGED) from error
        if piece:
            yield piece
        elif hungry and not data and not decoder.eof:
            raise ArchiveError(name, "its compressed data ends too early", DAMAGED)
    source.give_back(decoder.unused_data)


class _Inflater:
    """One member of a gzip file as a `Decoder`; zlib checks its sum and size."""

    def __init__(self) -> None:
        from zlib import MAX_WBITS, decompressobj  # noqa: PLC0415

        self._inflate = decompressobj(MAX_WBITS | 16)  # zlib.h: 16 is for gzip's header and trailer

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail or data, max_length)


class _Source:
    """The bytes of a file in order, in pieces."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._at = 0
        self._rest = b""

    @property
    def at(self) -> int:
        """The offset of the next piece."""
        return self._at - len(self._rest)

    def take(self) -> bytes:
        """The next piece; empty at the end."""
        data, self._rest = self._rest, b""
        return data or self._read()

    def give_back(self, data: bytes) -> None:
        """Let the next piece be `data`, the end of the last one."""
        self._rest = data

    def skip_zeros(self) -> int:
        """Pass over zeros; their number."""
        count = 0
        while data := self.take():
            rest = data.lstrip(b"\0")
            count += len(data) - len(rest)
            if rest:
                self.give_back(rest)
                break
        return count

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; they are not taken."""
        if len(self._rest) < size:
            self._rest += self._read()
        return self._rest[:size]

    def _read(self) -> bytes:
        data = self._reader.read_at(self._at, READ_SIZE)
        self._at += len(data)
        return data
