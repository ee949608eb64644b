"""Writing a layer: entries to a tar, hashed for the diff ID, compressed and hashed for the digest, in one pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.digest import Digest, HashingWriter
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import BLOCK_SIZE, compressor
from minpack.oci.compression import Compression
from minpack.oci.documents import Descriptor
from minpack.tar.write import TarStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Writable
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.tar.write import BlockConsumer


class Layer(NamedTuple):
    """A layer that has been written; `unpacked_size` is that of its tar, in bytes."""

    descriptor: Descriptor
    diff_id: Digest
    unpacked_size: int
    comment: str


class _Tee:
    """Hashes each block, then hands it on, and reports progress."""

    def __init__(self, consumer: BlockConsumer, progress: Progress, task: str, total: int) -> None:
        self._consumer = consumer
        self._progress = progress
        self._task = task
        self._total = total
        self._done = 0
        self.hash = hashlib.sha256()

    def take(self, block: memoryview) -> memoryview:
        self.hash.update(block)
        self._done += len(block)
        self._progress(self._task, min(self._done, self._total), self._total)
        return self._consumer.take(block)


class Tarred(NamedTuple):
    """What is known of a layer by its tar alone; `size` is in bytes."""

    diff_id: Digest
    size: int


class _Nowhere:
    """Takes blocks that are wanted for their hash alone."""

    def take(self, block: memoryview) -> memoryview:
        return memoryview(block.obj)


def tar_of(entries: Sequence[Entry], *, mtime: int, progress: Progress, comment: str) -> Tarred:
    """What `write_layer` would say of the layer's tar, which is written nowhere.

    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    tee = _Tee(_Nowhere(), progress, _task(comment), sum(entry.size for entry in entries))
    stream = TarStream(tee, memoryview(bytearray(BLOCK_SIZE)))
    stream.add(entries, mtime)
    stream.finish()
    return Tarred(Digest(tee.hash.hexdigest()), stream.size)


def _task(comment: str) -> str:
    return f"packing {comment}"


def write_layer(
    entries: Sequence[Entry],
    out: Writable,
    *,
    mtime: int,
    compression: Compression,
    threads: int,
    progress: Progress,
    comment: str,
) -> Layer:
    """Write the layer of `entries`, in their order, to `out`; its digests are of the bytes written.

    Memory is bounded by the block size and the number of threads, whatever the sizes of the files.

    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    plain = compression is Compression.NONE
    writer = HashingWriter(out)
    # A tar that is stored as it is has one digest, computed once.
    squeeze = compressor(compression, out if plain else writer, threads)
    tee = _Tee(squeeze, progress, _task(comment), sum(entry.size for entry in entries))
    try:
        stream = TarStream(tee, squeeze.buffer())
        stream.add(entries, mtime)
        stream.finish()
        squeeze.close()
    except BaseException:
        squeeze.abandon()
        raise
    diff_id = Digest(tee.hash.hexdigest())
    digest, size = (diff_id, stream.size) if plain else (writer.digest, writer.size)
    return Layer(Descriptor(compression.media_type, digest, size), diff_id, stream.size, comment)


def write_tar(entries: Sequence[Entry], out: Writable, *, mtime: int, progress: Progress) -> Layer:
    """Write the bare tar of `entries` to `out`: a layer without compression."""
    return write_layer(
        entries,
        out,
        mtime=mtime,
        compression=Compression.NONE,
        threads=1,
        progress=progress,
        comment="root file system",
    )
