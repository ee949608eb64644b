"""The gzip streams that an apk file is a chain of (apk-v2(5)), inflated one by one in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.content import Reader

_GZIP_MAGIC = b"\x1f\x8b"
#: Plain, deflated and otherwise compressed (apk-v3(5)).
_ADB_MAGICS = (b"ADB.", b"ADBd", b"ADBc")
_PIECE = 1 << 16
_INFLATED = 1 << 20
DAMAGED = "it is damaged or was cut short; fetch it again"


class Stream(NamedTuple):
    """One gzip stream: `raw`, as it lies in the file, `data`, what it holds, and the offset `end` behind it."""

    raw: bytes
    data: bytes
    end: int


def read_stream(reader: Reader, start: int, limit: int, what: str, part: str) -> Stream:
    """The stream at offset `start`.

    :param limit: the most bytes it may hold.
    :param what: what to call the file in errors, and `part` the stream.
    :raises PackageError: there is none, it is damaged or cut short, or holds more than `limit`.
    """
    raw, data = bytearray(), bytearray()
    end = inflate(reader, start, limit, what, part, raw=raw.extend, out=data.extend)
    return Stream(bytes(raw), bytes(data), end)


def inflate(
    reader: Reader,
    start: int,
    limit: int,
    what: str,
    part: str,
    *,
    raw: Callable[[bytes], object],
    out: Callable[[bytes], object],
) -> int:
    """Inflate the stream at offset `start`; the offset behind it.

    :param raw: takes the stream's bytes as they lie in the file, in order.
    :param out: takes the bytes it holds.
    :raises PackageError: as `read_stream`.
    """
    from zlib import MAX_WBITS, decompressobj, error  # noqa: PLC0415

    _check_magic(reader.read_at(start, 4), what, part)
    stream = decompressobj(MAX_WBITS | 16)
    at, size = start, 0
    while not stream.eof:
        piece = rest = reader.read_at(at, _PIECE)
        if not piece:
            raise PackageError(what, f"it ends in the middle of its {part}", DAMAGED)
        while rest and not stream.eof:
            try:
                data = stream.decompress(rest, _INFLATED)
            except error as problem:
                raise PackageError(what, f"its {part} is damaged", DAMAGED) from problem
            size += len(data)
            if size > limit:
                raise PackageError(what, f"its {part} unpacks to more than {limit} bytes", "no real one is this large")
            out(data)
            rest = stream.unconsumed_tail
        used = len(piece) - len(stream.unused_data)
        raw(piece[:used])
        at += used
    return at


def _check_magic(head: bytes, what: str, part: str) -> None:
    if head in _ADB_MAGICS:
        raise PackageError(
            what,
            "it is in apk v3 format (ADB), which minpack does not read yet",
            "use a repository of apk v2 packages, such as Alpine's",
        )
    if head[:2] != _GZIP_MAGIC:
        reason = f"it ends before its {part}" if not head else f"its {part} is not a gzip stream"
        raise PackageError(what, reason, DAMAGED)
