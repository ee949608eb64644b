"""Writing a layer: entries to a tar, hashed for the diff ID, compressed and hashed for the digest, in one pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.content import sum_of
from minpack.digest import Digest, HashingWriter
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import BLOCK_SIZE, compressor, simple_queue
from minpack.oci.compression import Compression
from minpack.oci.documents import Descriptor
from minpack.paths import RootPath
from minpack.rootfs.entry import Kind
from minpack.tar.write import TarStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from queue import SimpleQueue
    from threading import Thread

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.oci.compress import Compressor, FileCache
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry


#: Smaller layers are hashed in the time that starting a thread takes.
HASHED_ASIDE = 2 << 20
#: So many pieces of a compressed layer, of some megabytes at the most, may wait to be written.
MOST_BEHIND = 4


class Layer(NamedTuple):
    """What is known of a layer from writing it; `unpacked_size` is that of its tar, in bytes.

    `sums` are the SHA-256 of its files, in hexadecimal, and `sha1` their SHA-1, if they were asked for.
    """

    descriptor: Descriptor
    diff_id: Digest
    unpacked_size: int
    comment: str
    sums: tuple[tuple[RootPath, str], ...] = ()
    sha1: tuple[tuple[RootPath, str], ...] = ()


class _Hash:
    """SHA-256 of blocks."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, block: memoryview) -> None:
        """Hash `block`, which must stay as it is until another one is added."""
        self._hash.update(block)

    def finish(self) -> Digest:
        """The digest of all blocks."""
        return Digest(self._hash.hexdigest())

    def abandon(self) -> None:
        """Nobody wants the digest any more."""


class _HashAside(_Hash):
    """The same on a thread of its own, while its caller writes the block and reads the next one."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: SimpleQueue[memoryview | None] = simple_queue()
        self._hashed: SimpleQueue[None] = simple_queue()
        self._thread: Thread | None = None
        self._alone = False
        self._error: BaseException | None = None

    def add(self, block: memoryview) -> None:
        """Hash `block` on the thread, once the block before it is hashed."""
        if self._thread is not None:
            self._check()
            self._hashed.get()
            self._check()
        elif not self._alone:
            self._start()
        if self._alone:
            super().add(block)
        else:
            self._blocks.put(block)

    def _start(self) -> None:
        from threading import Thread  # noqa: PLC0415 - as above

        # Before it is started: where a signal interrupts the start, `abandon` must know of it.
        self._thread = Thread(target=self._work, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system gives no more threads.
            self._thread, self._alone = None, True

    def finish(self) -> Digest:
        """The digest of all blocks."""
        self.abandon()
        self._check()
        return super().finish()

    def abandon(self) -> None:
        """Nobody wants the digest any more; the thread has ended when this returns."""
        if self._thread is not None:
            self._blocks.put(None)
            if self._thread.is_alive():
                self._thread.join()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            try:
                self._hash.update(block)
            except BaseException as error:  # noqa: BLE001 - raised again by who waits for the block, else for ever
                self._error = error
            self._hashed.put(None)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class _WriterAside:
    """Writes on a thread of its own what it is given, a few pieces behind: these must stay as they are."""

    def __init__(self, writer: Writable) -> None:
        self._writer = writer
        self._pieces: SimpleQueue[bytes | bytearray | memoryview | None] = simple_queue()
        self._room: SimpleQueue[None] = simple_queue()
        self._thread: Thread | None = None
        self._alone = False
        self._error: BaseException | None = None
        for _ in range(MOST_BEHIND):
            self._room.put(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data` on, soon."""
        if self._thread is None and not self._alone:
            self._start()
        if self._alone:
            self._writer.write(data)
            return
        self._room.get()
        self._check()
        self._pieces.put(data)

    def _start(self) -> None:
        from threading import Thread  # noqa: PLC0415 - as above

        # Before it is started: where a signal interrupts the start, `abandon` must know of it.
        self._thread = Thread(target=self._work, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system gives no more threads.
            self._thread, self._alone = None, True

    def close(self) -> None:
        """All is written when this returns."""
        self.abandon()
        self._check()

    def abandon(self) -> None:
        """Nothing more comes; the thread has ended when this returns."""
        if self._thread is not None:
            self._pieces.put(None)
            if self._thread.is_alive():
                self._thread.join()

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            try:
                if self._error is None:
                    self._writer.write(piece)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever writes more, or closes
                self._error = error
            self._room.put(None)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class _Tee:
    """Hashes each block and hands it to a compressor that wants it, and reports progress."""

    def __init__(self, squeeze: Compressor | None, progress: Progress, task: str, total: int, hashing: _Hash) -> None:
        self._progress = progress
        self._task = task
        self._total = total
        self._done = 0
        self._hashing = hashing
        self._squeeze = squeeze
        self._known = False

    def take(self, block: memoryview) -> memoryview:
        self._hashing.add(block)
        self._done += len(block)
        self._progress(self._task, min(self._done, self._total), self._total)
        if self._squeeze is None or self._known:
            return memoryview(block.obj)
        return self._squeeze.take(block)

    def begin_file(self, content: Content) -> bool:
        self._known = self._squeeze is not None and self._squeeze.begin_file(content)
        return self._known

    def end_file(self) -> None:
        if self._squeeze is not None and not self._known:
            self._squeeze.end_file()
        self._known = False


class Tarred(NamedTuple):
    """What is known of a layer by its tar alone; `size` is in bytes, `sums` and `sha1` are as a `Layer`'s."""

    diff_id: Digest
    size: int
    sums: tuple[tuple[RootPath, str], ...] = ()
    sha1: tuple[tuple[RootPath, str], ...] = ()


def tar_of(
    entries: Sequence[Entry],
    *,
    mtime: int,
    progress: Progress,
    comment: str,
    sums: bool = False,
    sha1: bool = False,
) -> Tarred:
    """What `write_layer` would say of the layer's tar, which is written nowhere.

    :param sums: compute the SHA-256 of each file.
    :param sha1: and its SHA-1.

    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    hashing = _Hash()
    tee = _Tee(None, progress, _task(comment), sum(entry.size for entry in entries), hashing)
    stream = TarStream(tee, memoryview(bytearray(BLOCK_SIZE)), sums=sums, sha1=sha1)
    stream.add(entries, mtime)
    stream.finish()
    return Tarred(hashing.finish(), stream.size, tuple(stream.sums.items()), tuple(stream.sha1.items()))


def sums_of(entries: Sequence[Entry], algorithm: str = "sha256") -> tuple[tuple[RootPath, str], ...]:
    """The sum of each file, as a `Layer` has them, where nothing else reads the files.

    :param algorithm: ``sha256`` or ``sha1``.
    :raises ChangedInputError: a file is shorter than when it was planned.
    """
    sums: dict[RootPath, str] = {}
    for entry in entries:
        if entry.kind is Kind.HARDLINK:
            sums[entry.path] = sums[RootPath(entry.link)]
        elif entry.content is not None:
            sums[entry.path] = sum_of(entry.content, algorithm)
    return tuple(sums.items())


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
    files: FileCache | None = None,
    sums: bool = False,
    sha1: bool = False,
) -> Layer:
    """Write the layer of `entries`, in their order, to `out`; its digests are of the bytes written.

    :param files: what knows files that were compressed before. It never changes the bytes.
    :param sums: compute the SHA-256 of each file.
    :param sha1: and its SHA-1.

    Memory is bounded by the block size and the number of threads, whatever the sizes of the files.

    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    plain = compression is Compression.NONE
    # Where files are known, reading the tar and writing what is known of it take about as long.
    writer = HashingWriter(out)
    aside = _WriterAside(writer) if files is not None and threads > 1 else None
    # A tar that is stored as it is has one digest, computed once.
    squeeze = compressor(compression, out if plain else aside or writer, threads, files)
    size = sum(entry.size for entry in entries)
    hashing = _HashAside() if plain and threads > 1 and size > HASHED_ASIDE else _Hash()
    try:
        tee = _Tee(squeeze, progress, _task(comment), size, hashing)
        stream = TarStream(tee, squeeze.buffer(), squeeze.own_blocks, sums=sums, sha1=sha1)
        stream.add(entries, mtime)
        stream.finish()
        squeeze.close()
        if aside is not None:
            aside.close()
    except BaseException:
        squeeze.abandon()
        hashing.abandon()
        if aside is not None:
            aside.abandon()
        raise
    diff_id = hashing.finish()
    digest, size = (diff_id, stream.size) if plain else (writer.digest, writer.size)
    found = tuple(stream.sums.items()), tuple(stream.sha1.items())
    return Layer(Descriptor(compression.media_type, digest, size), diff_id, stream.size, comment, *found)


def write_tar(entries: Sequence[Entry], out: Writable, *, mtime: int, progress: Progress, sums: bool = False) -> Layer:
    """Write the bare tar of `entries` to `out`: a layer without compression."""
    return write_layer(
        entries,
        out,
        mtime=mtime,
        compression=Compression.NONE,
        threads=1,
        progress=progress,
        comment="root file system",
        sums=sums,
    )
