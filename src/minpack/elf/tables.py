"""The tables that a file's dynamic section leads to, as regions of the file that are read in parts."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

from minpack.elf.dynamic import Dynamic
from minpack.elf.segments import extent_at, read_header, read_segments
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.elf.window import Window
    from minpack.errors import MalformedElfError


class Region(NamedTuple):
    """What is loaded at one address: `room` bytes from `offset` of the file; `said_at` is where the file says so."""

    window: Window
    offset: int
    room: int
    said_at: int

    def check(self, at: int, size: int) -> None:
        """Raise `MalformedElfError` if the region has fewer than `size` bytes from `at` on."""
        if at + size > self.room:
            reason = f"a table of at least {at + size} bytes, and its segment has {self.room}"
            raise self.window.error(self.said_at, reason)

    def read(self, at: int, size: int) -> bytes:
        """The `size` bytes that come `at` bytes into the region.

        :raises MalformedElfError: it ends before them.
        """
        self.check(at, size)
        return self.window.read(self.offset + at, size, "a table of the dynamic section", self.said_at)

    def most(self, at: int, size: int) -> bytes:
        """Up to `size` bytes that come `at` bytes into the region; fewer only at its end."""
        size = min(size, self.room - at)
        return self.read(at, size) if size > 0 else b""

    def error(self, at: int, reason: str) -> MalformedElfError:
        """What to raise when the bytes that come `at` bytes into the region say what cannot be true."""
        return self.window.error(self.offset + at, reason)


class Tables:
    """Where a file's tables are; `last` has the value of each dynamic tag.

    :raises MalformedElfError: the headers or the dynamic section cannot be true.
    """

    def __init__(self, window: Window) -> None:
        header = read_header(window)
        self._window = window
        self._segments = read_segments(window, header)
        self._dynamic = Dynamic(window, header, self._segments)
        self.last: Mapping[int, int] = self._dynamic.last
        self.machine = header.machine
        self.big_endian = header.layout.big_endian
        #: Whether the file is of the 64-bit class.
        self.wide = header.layout.bits == 64  # noqa: PLR2004 - the two classes there are
        #: The sign of the byte order as `struct` writes it.
        self.order = ">" if self.big_endian else "<"

    def region(self, tag: int) -> Region:
        """What the address in a tag that is there leads to.

        :raises MalformedElfError: no segment has it.
        """
        said_at = self._dynamic.offset_of(tag)
        extent = extent_at(self.last[tag], self._segments)
        if extent is None:
            raise self._window.error(said_at, f"a table at address {self.last[tag]:#x} is in no segment")
        return Region(self._window, *extent, said_at)

    def error(self, tag: int, reason: str) -> MalformedElfError:
        """What to raise when the value of a tag cannot be true; without the tag it blames the dynamic section."""
        return self._window.error(self._dynamic.offset_of(tag), reason)

    def words(self, data: bytes, code: str) -> array[int]:
        """Numbers of the file's byte order; `code` is one of array's."""
        values = array(code)
        values.frombytes(data[: len(data) // values.itemsize * values.itemsize])
        if self.big_endian != (sys.byteorder == "big"):
            values.byteswap()
        return values
