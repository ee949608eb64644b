"""The file that gets the digest of an image: just that, without the end of a line, as podman writes it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from minpack.errors import OutputError
from minpack.host.atomic import new_file, opened_directly
from minpack.host.overwrite import file_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.digest import Digest
    from minpack.host.overwrite import HostInput

_LONGEST = 100
_HINT = "choose another name with --digest-file"


class DigestFile:
    """Where a digest goes: `path`, or nowhere if that is None.

    :param inputs: what it must not replace.
    :param force: it may replace a file that holds something other than a digest.
    :raises OutputError: it cannot be written there, as far as that shows before.
    """

    def __init__(self, path: str | None, inputs: Iterable[HostInput], *, force: bool = False) -> None:
        self._path = path
        self._direct = False
        self._inputs = tuple(inputs)
        if path is not None:
            self._direct = self._place(path, force=force)

    def write(self, digest: Digest) -> None:
        """Write `digest`.

        :raises OutputError: it cannot be written.
        """
        if self._path is None:
            return
        with opened_directly(self._path) if self._direct else new_file(self._path, self._inputs, force=True) as out:
            out.write(str(digest).encode())

    def _place(self, path: str, *, force: bool) -> bool:
        """Whether it is a device or a pipe, which is written to as it is."""
        try:
            place = file_place(path, self._inputs, force=True)
        except OutputError as error:
            error.hint = _HINT
            raise
        if not place.direct and not force and not _holds_digest(place.path):
            raise OutputError(path, "the existing file is not a digest", _HINT)
        return place.direct


def check_apart(path: str, output: str | None, stdout: IO[bytes] | None) -> None:
    """Raise `OutputError` if the digest would take the place of the image, or be written behind it.

    :param output: where the image goes, if it goes to a file; `stdout` is open if that is ``-``.
    """
    same = output is not None and stdout is None and os.path.realpath(path) == os.path.realpath(output)
    if stdout is not None:
        with suppress(OSError):
            same = os.path.samestat(os.stat(path), os.fstat(stdout.fileno()))
    if same:
        raise OutputError(path, "the image goes there", _HINT)


def _holds_digest(path: str) -> bool:
    """Whether there is nothing at `path`, or a file that is empty or holds a digest alone."""
    with suppress(FileNotFoundError):
        with open(path, "rb") as file:
            text = file.read(_LONGEST)
        return re.fullmatch(rb"(sha256:[0-9a-f]{64}\s*)?", text) is not None
    return True
