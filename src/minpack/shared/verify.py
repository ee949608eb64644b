"""Whether what a shared cache has is what minpack compresses the same to: it is compressed again, and compared."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.errors import SumMismatchError
from minpack.shared.members import members_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.content import Content
    from minpack.oci.compress import CompressedFile, ReadyMember
    from minpack.shared.names import LayerSetting
    from minpack.store.blob import StoredBlob

_HINT = "someone wrote it with another compressor: leave this cache out, or delete its tags and write them again"


def refuse_other_form(cache: str, what: str, expected: str, actual: str) -> None:
    """Raise `SumMismatchError` if the SHA-256 of what is compressed here is not that of what the cache has.

    :param what: the file, or the layer.
    """
    if expected != actual:
        raise SumMismatchError(f"{what} in the shared cache {cache}", "SHA-256", expected, actual, _HINT)


class ComparedLayer:
    """Takes the bytes of a layer that is compressed again, to be compared with those of the `blob`.

    It is the layer's file cache too, which knows of no file and learns where in the layer each is.

    :param paths: the paths of the files, by the `id` of their contents.
    """

    def __init__(self, blob: StoredBlob, setting: LayerSetting, paths: Mapping[int, str]) -> None:
        self._blob = blob
        self._setting = setting
        self._paths = paths
        self._sum = hashlib.sha256()
        self._at = 0
        #: Where each member begins, and its SHA-256.
        self._members: list[tuple[int, bytes]] = []
        self._files: list[tuple[int, int, str]] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next member of the layer, or of zstd the next bytes."""
        self._sum.update(data)
        self._members.append((self._at, hashlib.sha256(data).digest()))
        self._at += len(data)

    def find(self, _content: Content) -> None:
        """Nothing: all is to be compressed."""

    def ready(self, _content: Content) -> Sequence[ReadyMember]:
        """Nothing either."""
        return ()

    def note(self, content: Content, compressed: CompressedFile) -> None:
        """Learn where a file is."""
        end = compressed.at + sum(compressed.members)
        self._files.append((compressed.at, end, self._paths.get(id(content), content.where)))

    def check(self, cache: str, layer: str) -> None:
        """Raise `SumMismatchError` if the cached layer is another, for the first file in it that is."""
        actual, expected = self._blob.sha256, self._sum.hexdigest()
        what = self._first_file() if actual != expected and self._setting.is_gzip else ""
        refuse_other_form(cache, what or f"the layer of {layer}", expected, actual)

    def _first_file(self) -> str:
        """The path of the first file with members in another form; empty if none has."""
        members = members_of(self._blob.open(), self._blob.size, self._setting.block_size)
        differing = []
        with self._blob.open() as reader:
            for (at, expected), member in zip(self._members, members, strict=False):
                if hashlib.sha256(reader.read_at(member.at, member.size)).digest() != expected:
                    differing.append(at)
        return next((path for start, end, path in self._files if any(start <= at < end for at in differing)), "")
