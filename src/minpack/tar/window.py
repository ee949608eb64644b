"""Small reads near each other, served from one large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minpack.content import Reader

#: One read of this many bytes has the headers of many links and small files.
WINDOW_SIZE = 64 * 1024


class TarWindow:
    """The part of a file that was read last."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._data = b""
        self._at = 0

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes at `at`; fewer only at the end of the file."""
        start = at - self._at
        if start < 0 or start + size > len(self._data):
            self._data = self._reader.read_at(at, max(size, WINDOW_SIZE))
            self._at, start = at, 0
        return self._data[start : start + size]
