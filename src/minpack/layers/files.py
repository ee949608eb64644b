"""Files that were compressed before, in whatever layer: what most images of one base share is compressed once.

Nothing is kept twice: a record says where in a kept layer a file's gzip members are, with their sum. The record is
named by the content's key or, where only reading tells the bytes, by a few of them. Then what is kept counts only if
the file is read and has the sum that the record has, so it never changes a result.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from threading import local
from typing import TYPE_CHECKING

from minpack.content import key_of
from minpack.errors import StoreError
from minpack.oci.compress import CompressedFile, block_size_of, made_by
from minpack.store.blob import LAYER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.oci.compress import ReadyMember
    from minpack.oci.compression import Compression
    from minpack.oci.documents import Descriptor
    from minpack.store.store import Store

SCHEMA = "minpack.compressed-file/2"
#: How many bytes of a content go into its mark, from the start, the middle and the end.
MARKED_BYTES = 4096
#: So many kept layers are open at once at the most.
MOST_LAYERS = 16
#: Bytes that are read at once: other threads may have the interpreter before each piece.
_PIECE = 4 << 20


def marks_of(content: Content) -> Iterable[bytes]:
    """Bytes from the start, the middle and the end of `content`."""
    with content.open() as reader:
        for at in (0, content.size // 2, content.size - MARKED_BYTES):
            yield reader.read_at(max(at, 0), MARKED_BYTES)


class _Buffers(local):
    """For each thread a buffer that is used again: making a large one takes as long as filling it."""

    def __init__(self) -> None:
        self._buffer = memoryview(b"")

    def get(self, size: int) -> memoryview:
        """One of `size` bytes."""
        if len(self._buffer) != size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer


class KeptMembers:
    """The gzip members of a file, in a kept layer that is open as `descriptor`; see `minpack.oci.compress.KeptFile`."""

    def __init__(self, descriptor: int, layer: str, where: CompressedFile, block_size: int, buffers: _Buffers) -> None:
        #: The SHA-256 of the layer.
        self.layer = layer
        self._descriptor = descriptor
        self._where = where
        self._block_size = block_size
        self._buffers = buffers
        self._is_same = False

    def is_of(self, content: Content) -> bool:
        """Whether the members are undamaged and `content` is what they were made of, by its key or its sums."""
        total, at = hashlib.sha256(), self._where.at
        end = at + sum(self._where.members)
        buffer = self._buffers.get(_PIECE)
        while at < end and (count := os.preadv(self._descriptor, [buffer[: end - at]], at)):
            total.update(buffer[:count])
            at += count
        return total.hexdigest() == self._where.sha256 and self.is_made_of(content)

    def is_made_of(self, content: Content) -> bool:
        """Whether `content` is what the members were made of, damaged or not. It is found out once that it is."""
        # A key fixes the bytes, and the record is named by it.
        self._is_same = self._is_same or bool(key_of(content)) or self._sum_of(content) == self._where.content
        return self._is_same

    def _sum_of(self, content: Content) -> str:
        """What `CompressedFile.content` would be."""
        total, size = hashlib.sha256(), self._block_size
        # Each piece may wait for the interpreter: several blocks are one.
        piece = max(1, _PIECE // size) * size
        buffer = self._buffers.get(piece)
        with content.open() as reader:
            for at in range(0, content.size, piece):
                data = buffer[: reader.readinto_at(buffer, at)]
                for start in range(0, len(data), size):
                    total.update(hashlib.sha256(data[start : start + size]).digest())
        return total.hexdigest()

    def copy_to(self, out: Writable) -> None:
        """Write the members to `out`, each compared with its sum."""
        at, end = self._where.at, self._where.at + sum(self._where.members)
        while at < end and (data := os.pread(self._descriptor, min(_PIECE, end - at), at)):
            out.write(data)
            at += len(data)


class CompressedFiles:
    """The files of kept layers that were made with one setting; see `minpack.oci.compress.FileCache`.

    Leave its ``with`` block to close the layers that were opened. One thread at a time may use it.
    """

    def __init__(self, store: Store, compression: Compression) -> None:
        self._store = store
        self._block_size = block_size_of(compression)
        self._buffers = _Buffers()
        self._made_by = made_by(compression)
        self._layers: dict[tuple[str, int], int | None] = {}
        self._names: dict[Content, str] = {}
        self._found: dict[Content, KeptMembers | None] = {}
        self._ready: dict[Content, list[ReadyMember]] = {}
        self._new: dict[str, CompressedFile] = {}
        #: What the files were compressed from, as far as they were looked at; see `CompressedFile.content`.
        self.sums: dict[Content, str] = {}

    def find(self, content: Content) -> KeptMembers | None:
        """The kept members that are most likely those of `content`; None if there are none."""
        if content not in self._found:
            self._found[content] = self._find(content)
        return self._found[content]

    def drop(self, content: Content) -> None:
        """What was found of `content` is of something else."""
        self._found[content] = None
        self.sums.pop(content, None)

    def make_ready(self, content: Content, member: ReadyMember) -> None:
        """Take the next member of `content`, made before its turn."""
        self._ready.setdefault(content, []).append(member)

    def ready(self, content: Content) -> Sequence[ReadyMember]:
        """The first members of `content`, which are had once."""
        return self._ready.pop(content, ())

    def _find(self, content: Content) -> KeptMembers | None:
        record = self._store.record(self._name(content), SCHEMA)
        try:
            if record is None:
                return None
            members = tuple(int(str(size)) for size in str(record["members"]).split())
            where = CompressedFile(int(str(record["at"])), members, str(record["sha256"]), str(record["content"]))
            layer = str(record["layer"])
            descriptor = self._layer(layer, int(str(record["size"])))
        except (KeyError, ValueError):
            return None
        if descriptor is None or not members or where.at < 0 or not all(0 < m <= 2 * self._block_size for m in members):
            return None
        self.sums[content] = where.content
        return KeptMembers(descriptor, layer, where, self._block_size, self._buffers)

    def note(self, content: Content, compressed: CompressedFile) -> None:
        """Remember where a file's members are in the layer."""
        self._new[self._name(content)] = compressed
        self.sums[content] = compressed.content

    def keep(self, layer: Descriptor) -> None:
        """The layer that was written, with all that was noted, is in the store now.

        :raises StoreError: the disk is full or broken.
        """
        for name, one in self._new.items():
            where = {**one._asdict(), "members": " ".join(map(str, one.members))}
            self._store.keep_record(name, SCHEMA, {"layer": layer.digest.hex, "size": layer.size, **where})

    def _name(self, content: Content) -> str:
        if content not in self._names:
            self._names[content] = self._name_of(content)
        return self._names[content]

    def _name_of(self, content: Content) -> str:
        name = hashlib.sha256(f"{SCHEMA}\0{self._made_by}\0{content.size}\0{key_of(content)}\0".encode())
        if not key_of(content):
            for piece in marks_of(content):
                name.update(piece)
        return f"file-{name.hexdigest()}"

    def _layer(self, sha256: str, size: int) -> int | None:
        known = self._layers
        if (sha256, size) not in known and len(known) < MOST_LAYERS:
            with suppress(StoreError):
                known[sha256, size] = self._store.find_unverified(sha256, size, LAYER)
        return known.get((sha256, size))

    def __enter__(self) -> CompressedFiles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the layers that were opened."""
        for descriptor in self._layers.values():
            if descriptor is not None:
                os.close(descriptor)
        self._layers = {}
