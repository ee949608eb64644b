"""Contents of which a test says what is known without reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minpack.content import BytesContent

if TYPE_CHECKING:
    from minpack.content import Reader


class Unkeyed(NamedTuple):
    """Bytes that only reading tells, as those of a file that may change."""

    data: bytes
    where: str = "made"

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def open(self) -> Reader:
        """A reader of the bytes."""
        return BytesContent(self.data).open()


class Unread(NamedTuple):
    """The key of bytes that may not be read."""

    size: int
    key: str
    where: str = "made"

    def open(self) -> Reader:
        """Nothing."""
        raise AssertionError("it is read")
