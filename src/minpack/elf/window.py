"""`Window`: the bytes of one ELF file, read only where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import MalformedElfError

if TYPE_CHECKING:
    from minpack.content import Reader

#: One read of this many bytes has the header, the program headers, the notes and the interpreter of nearly every file.
HEAD = 4096


class Window:
    """One open ELF file: its first bytes, and bounded reads of the rest."""

    def __init__(self, reader: Reader, size: int, name: str) -> None:
        self.reader = reader
        self.size = size
        self.name = name
        self.head = reader.read_at(0, HEAD)

    def error(self, offset: int, reason: str) -> MalformedElfError:
        """What to raise when the bytes at `offset` say what cannot be true."""
        return MalformedElfError(self.name, offset, reason)

    def read(self, offset: int, size: int, what: str, said_at: int) -> bytes:
        """Exactly `size` bytes from `offset`.

        :param what: what they are, with its article, for messages.
        :param said_at: the offset of the bytes that say so.
        :raises MalformedElfError: they are not all in the file.
        """
        end = offset + size
        if end > self.size:
            raise self.error(said_at, f"{what} would end at byte {end} of a file of {self.size} bytes")
        data = self.peek(offset, size)
        if len(data) != size:
            raise self.error(said_at, f"{what} could not be read whole")
        return data

    def peek(self, offset: int, size: int) -> bytes:
        """The bytes from `offset` that the file has, `size` at most."""
        end = offset + size
        return self.head[offset:end] if end <= len(self.head) else self.reader.read_at(offset, size)
