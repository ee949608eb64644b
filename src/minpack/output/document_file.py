"""A file that a command writes a document to, in place of an earlier one of its kind alone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.errors import OutputError
from minpack.host.atomic import new_file, opened_directly
from minpack.host.overwrite import file_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.host.overwrite import HostInput

_START = 1 << 16


class DocumentFile:
    """Where a document goes.

    :param inputs: what it must not replace.
    :param mark: what every document of the kind has near its start.
    :param kind: what that is called, with an article.
    :param force: it may replace a file of another kind.
    :raises OutputError: it cannot be written there, as far as that shows before.
    """

    def __init__(self, path: str, inputs: Iterable[HostInput], mark: bytes, kind: str, *, force: bool = False) -> None:
        self._path = path
        self._inputs = tuple(inputs)
        place = file_place(path, self._inputs, force=True)
        self._direct = place.direct
        if not (place.direct or force) and not _may_be_replaced(place.path, mark):
            raise OutputError(path, f"the existing file is not {kind}", "choose another name with -o")

    def write(self, data: bytes) -> None:
        """Write the document, whole or not at all.

        :raises OutputError: it cannot be written.
        """
        with opened_directly(self._path) if self._direct else new_file(self._path, self._inputs, force=True) as out:
            out.write(data)


def _may_be_replaced(path: str, mark: bytes) -> bool:
    """Whether there is nothing at `path`, or a file that is empty or of the kind that has `mark`."""
    with suppress(FileNotFoundError):
        with open(path, "rb") as file:
            start = file.read(_START)
        return not start or mark in start
    return True
