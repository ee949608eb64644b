"""Compressing a layer: the same bytes on every machine, on as many threads as there are.

A layer is a sequence of gzip members, one for each block of the tar, so that
blocks are compressed side by side and nothing has to hold the layer. The
block size and the compressor's version fix the bytes; the number of threads
does not (docs/decisions/gzip-members.md).
"""

from __future__ import annotations

from collections import deque
from threading import Event, Thread
from typing import TYPE_CHECKING

from minpack.oci.compression import Compression

if TYPE_CHECKING:
    from queue import SimpleQueue

    from minpack.digest import Writable


BLOCK_SIZE = 1 << 20
#: `small` gains by longer members: a layer below this is one member.
SMALL_BLOCK_SIZE = 8 << 20
#: The most bytes of blocks that are compressed or wait for it, however many threads there are.
MAX_UNDER_WAY = 128 << 20
GZIP_LEVELS = {Compression.BALANCED: 6, Compression.SMALL: 12}
ZSTD_LEVELS = {Compression.ZSTD: 12, Compression.ZSTD_SMALL: 19}


class Compressor:
    """Takes blocks and writes them on as they are; what `Compression.NONE` does."""

    block_size = BLOCK_SIZE

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._other: memoryview | None = None

    def buffer(self) -> memoryview:
        """The first buffer to fill."""
        return memoryview(bytearray(self.block_size))

    def take(self, block: memoryview) -> memoryview:
        """Take a block; the buffer to fill next, which is another one: this one may still be hashed."""
        self._out.write(block)
        free, self._other = self._other, memoryview(block.obj)
        return free if free is not None else self.buffer()

    def close(self) -> None:
        """Everything taken has been written when this returns."""

    def abandon(self) -> None:
        """Stop without writing more."""


class ZstdCompressor(Compressor):
    """One zstd frame over the whole stream, on one thread: more would change the bytes."""

    def __init__(self, out: Writable, level: int) -> None:
        super().__init__(out)
        import zstandard  # noqa: PLC0415

        self._stream = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()

    def take(self, block: memoryview) -> memoryview:
        """See `Compressor.take`."""
        self._out.write(self._stream.compress(block))
        return memoryview(block.obj)

    def close(self) -> None:
        """See `Compressor.close`."""
        self._out.write(self._stream.flush())


class _Job:
    """One block on its way through a thread."""

    def __init__(self, block: memoryview) -> None:
        self.block = block
        self.result: bytes | bytearray = b""
        self.error: BaseException | None = None
        self.done = Event()


class GzipCompressor(Compressor):
    """One gzip member a block, compressed on threads, written in order.

    A thread is started with each block until there are enough, so that a small layer starts one.
    """

    def __init__(self, out: Writable, level: int, threads: int, block_size: int) -> None:
        from queue import SimpleQueue  # noqa: PLC0415 - not for layers that are stored as they are

        super().__init__(out)
        self.block_size = block_size
        self._level = level
        self._pending: deque[_Job] = deque()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._free: list[memoryview] = []
        #: For each thread one block it works on and one that waits; there is one more, which is being filled.
        self._most = max(1, min(2 * threads, MAX_UNDER_WAY // block_size))
        self._threads: list[Thread] = []
        self._wanted_threads = min(threads, self._most)
        self._stopped = False

    def take(self, block: memoryview) -> memoryview:
        """See `Compressor.take`; waits while as many blocks are under way as there are buffers."""
        job = _Job(block)
        self._pending.append(job)
        if len(self._threads) < self._wanted_threads:
            self._start_thread()
        if self._threads:
            self._jobs.put(job)
        else:
            self._run(job)
        while len(self._pending) > self._most or (self._pending and self._pending[0].done.is_set()):
            self._write_first()
        return self._free.pop() if self._free else memoryview(bytearray(self.block_size))

    def close(self) -> None:
        """See `Compressor.close`."""
        while self._pending:
            self._write_first()
        self.abandon()

    def abandon(self) -> None:
        """See `Compressor.abandon`; blocks that wait are dropped, and the threads have ended when this returns."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._threads = []

    def _start_thread(self) -> None:
        thread = Thread(target=self._work, daemon=True)
        # First: where a signal interrupts the start, `abandon` must know of the thread, which may run.
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more: those that there are do it, or the caller's own.
            self._threads.remove(thread)
            self._wanted_threads = len(self._threads)

    def _write_first(self) -> None:
        job = self._pending.popleft()
        job.done.wait()
        if job.error is not None:
            raise job.error
        self._out.write(job.result)
        self._free.append(memoryview(job.block.obj))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(job)

    def _run(self, job: _Job) -> None:
        try:
            if not self._stopped:
                job.result = _gzip(job.block, self._level)
        except BaseException as error:  # noqa: BLE001 - raised again where the block is waited for
            job.error = error
        job.done.set()


def _gzip(block: memoryview, level: int) -> bytes | bytearray:
    """One gzip member; its header has no name and no time."""
    from deflate import gzip_compress  # noqa: PLC0415

    member: bytes | bytearray = gzip_compress(block, level)
    return member


def made_by(compression: Compression) -> str:
    """What the bytes of a layer depend on besides its tar: the setting and the compressor's version."""
    if compression is Compression.NONE:
        return str(compression)
    if compression in ZSTD_LEVELS:
        import zstandard  # noqa: PLC0415

        version, level = f"zstandard {zstandard.__version__}", ZSTD_LEVELS[compression]
    else:
        import deflate  # noqa: PLC0415

        version, level = f"deflate {deflate.__version__}", GZIP_LEVELS[compression]
    return f"{compression} {level} {version}"


def compressor(compression: Compression, out: Writable, threads: int) -> Compressor:
    """The compressor that writes to `out`; `threads` does not change the bytes."""
    if compression is Compression.NONE:
        return Compressor(out)
    if compression in ZSTD_LEVELS:
        return ZstdCompressor(out, ZSTD_LEVELS[compression])
    size = BLOCK_SIZE if compression is Compression.BALANCED else SMALL_BLOCK_SIZE
    return GzipCompressor(out, GZIP_LEVELS[compression], max(1, threads), size)
