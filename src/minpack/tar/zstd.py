"""Decompressing zstd files (RFC 8878): frame after frame, in bounded pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from minpack.errors import ArchiveError
from minpack.tar.members import DAMAGED, PIECE_SIZE, READ_SIZE, something_follows
from minpack.tar.window import TarWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from minpack.content import Reader

MAGIC = b"\x28\xb5\x2f\xfd"
#: A skippable frame has any of 16 first bytes, then these (section 3.1.2).
SKIPPABLE = tuple(bytes((first,)) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
#: The largest window that is read; `zstd` without --long reads up to this too.
MAX_WINDOW = 128 * 1024**2
_RLE_BLOCK = 1


def decompressed(
    reader: Reader, size: int, name: str, behind: Callable[[int], object] | None = None
) -> Iterator[memoryview]:
    """What all frames of a file of `size` bytes hold; each piece is good until the next is asked for.

    :param name: what to call the file in errors.
    :param behind: as in `members.decompressed`.
    :raises ArchiveError: a frame is damaged, cut short or needs too much memory, or something else follows the last.
    """
    from zstandard import ZstdDecompressor, ZstdError  # noqa: PLC0415

    # The decompressor does not tell a file that was cut from a whole one.
    end = _frames_end(reader, size, name, whole=behind is None)
    decompressor = ZstdDecompressor(max_window_size=MAX_WINDOW)
    buffer = memoryview(bytearray(PIECE_SIZE))
    source = cast("IO[bytes]", _Stream(reader, end))  # its `read` is all that is called
    with decompressor.stream_reader(source, read_size=READ_SIZE, read_across_frames=True) as stream:
        while True:
            try:
                count = stream.readinto(buffer)
            except ZstdError as error:
                raise ArchiveError(name, f"its compressed data is damaged: {error}", DAMAGED) from error
            if not count:
                break
            yield buffer[:count]
    if behind is not None and end < size:
        behind(end)


def is_one_frame(reader: Reader, size: int, name: str) -> bool:
    """Whether the `size` bytes are one frame that takes no dictionary, and nothing else.

    :param name: what to call the file in errors.
    :raises ArchiveError: it is cut short.
    """
    window = TarWindow(reader)
    head = window.read(0, 5)
    if head[:4] != MAGIC or head[4:] == b"" or head[4] & 3:
        return False
    return _frame_end(window, 0, size) == _frames_end(reader, size, name, whole=True)


def _frames_end(reader: Reader, size: int, name: str, *, whole: bool) -> int:
    """Follow the frames and their blocks by the sizes written in them; where they end, if `whole` at the file's end."""
    window = TarWindow(reader)
    at = 0
    while at < size:
        magic = window.read(at, 4)
        if magic in SKIPPABLE:
            at += 8 + int.from_bytes(window.read(at + 4, 4), "little")
        elif magic == MAGIC:
            at = _frame_end(window, at, size)
        elif whole:
            raise ArchiveError(name, something_follows(), DAMAGED)
        else:
            break
    if at > size:
        raise ArchiveError(name, "its compressed data ends too early", DAMAGED)
    return at


def _frame_end(window: TarWindow, at: int, size: int) -> int:
    """Where the frame at `at` ends; beyond `size` if it was cut (RFC 8878, sections 3.1.1.1 and 3.1.1.2)."""
    descriptor = int.from_bytes(window.read(at + 4, 1), "little")
    single_segment, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    dictionary_id = (0, 1, 2, 4)[descriptor & 3]
    content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
    at += 5 + (1 - single_segment) + dictionary_id + content_size
    last = False
    while not last:
        if at + 3 > size:
            return size + 1
        block = int.from_bytes(window.read(at, 3), "little")
        last = bool(block & 1)
        at += 3 + (1 if block >> 1 & 3 == _RLE_BLOCK else block >> 3)
    return at + 4 * checksum


class _Stream:
    """A `Reader` as a file that is read in order, up to `end`."""

    def __init__(self, reader: Reader, end: int) -> None:
        self._reader = reader
        self._end = end
        self._at = 0

    def read(self, size: int) -> bytes:
        data = self._reader.read_at(self._at, min(size, self._end - self._at))
        self._at += len(data)
        return data
