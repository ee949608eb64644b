"""Compressing a layer: the same bytes on every machine, on as many threads as there are.

A layer is a sequence of gzip members, one for each block of the tar, so that
blocks are compressed side by side and nothing has to hold the layer. A large
file has blocks of its own: what it compresses to depends on its bytes alone,
and can be kept for other layers. The sizes below and the compressor's version
fix the bytes; the number of threads does not (docs/decisions/gzip-members.md).
"""

from __future__ import annotations

import hashlib
from collections import deque
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from minpack.errors import ChangedInputError
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression

if TYPE_CHECKING:
    from collections.abc import Sequence
    from queue import SimpleQueue
    from typing import Protocol

    from minpack.content import Content
    from minpack.digest import Writable

    class KeptFile(Protocol):
        """What a file was compressed to before."""

        def is_of(self, content: Content) -> bool:
            """Whether it is what `content` compresses to, undamaged. Called on any thread, before `copy_to`."""

        def copy_to(self, out: Writable) -> None:
            """Write it to `out`."""

    class FileCache(Protocol):
        """Knows what files were compressed to, with the setting and compressor of one layer."""

        def find(self, content: Content) -> KeptFile | None:
            """What is most likely kept of `content`."""

        def ready(self, content: Content) -> Sequence[ReadyMember]:
            """The first members of `content`, made before; those of what is still the same are used."""

        def note(self, content: Content, compressed: CompressedFile) -> None:
            """`content` was compressed, and has been written."""


BLOCK_SIZE = 1 << 20
#: `small` gains by longer members: a layer below this is one member.
SMALL_BLOCK_SIZE = 8 << 20
#: A file of at least so many bytes has gzip members of its own. Headers and smaller files share members.
OWN_MEMBERS = 64 << 10
#: The most bytes of blocks that are compressed or wait for it, however many threads there are.
MAX_UNDER_WAY = 128 << 20
GZIP_LEVELS = {Compression.BALANCED: 6, Compression.SMALL: 12}
ZSTD_LEVELS = {Compression.ZSTD: 12, Compression.ZSTD_SMALL: 19}
#: How far back zstd finds what it has seen, as a power of two: as far as every decoder should go (RFC 8878, 3.1.1.1.2).
ZSTD_WINDOW_LOG = 23
#: The shortest match that is looked for, where that is not the level's own: with the 5 bytes of level 12 machine code
#: becomes larger than gzip makes it, whose shortest has 3.
_ZSTD_MIN_MATCH = {Compression.ZSTD: 4}


class CompressedFile(NamedTuple):
    """What a file was compressed to: where in the layer it begins, the sizes of its members, and their SHA-256.

    `content` tells of what: the SHA-256 of the SHA-256 of each block, one for each member.
    """

    at: int
    members: tuple[int, ...]
    sha256: str
    content: str


class ReadyMember(NamedTuple):
    """A gzip member, and the SHA-256 of the block that it was made of."""

    block: bytes
    member: bytes | bytearray


def ready_member(block: memoryview, compression: Compression) -> ReadyMember:
    """The member of a block, made before its turn."""
    return ReadyMember(hashlib.sha256(block).digest(), _gzip(block, GZIP_LEVELS[compression]))


class Compressor:
    """Takes blocks and writes them on as they are; what `Compression.NONE` does."""

    block_size = BLOCK_SIZE
    #: See `minpack.tar.write.TarStream`.
    own_blocks = 0

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

    def begin_file(self, content: Content) -> bool:  # noqa: ARG002
        """Blocks of `content` alone follow; True if none of them is wanted, being known."""
        return False

    def end_file(self) -> None:
        """The file that was begun has ended, if its blocks were wanted."""

    def close(self) -> None:
        """Everything taken has been written when this returns."""

    def abandon(self) -> None:
        """Stop without writing more."""


class ZstdCompressor(Compressor):
    """One zstd frame over the whole stream, on one thread: more would change the bytes."""

    def __init__(self, out: Writable, compression: Compression) -> None:
        super().__init__(out)
        import zstandard  # noqa: PLC0415

        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVELS[compression], window_log=ZSTD_WINDOW_LOG, write_checksum=True, **_zstd_min_match(compression)
        )
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    def take(self, block: memoryview) -> memoryview:
        """Take a block; the buffer to fill next. Waits while as many blocks are under way as there are buffers."""
        self._out.write(self._stream.compress(block))
        return memoryview(block.obj)

    def close(self) -> None:
        """Everything taken has been compressed and written when this returns."""
        self._out.write(self._stream.flush())


def _zstd_min_match(compression: Compression) -> dict[str, int]:
    return {"min_match": _ZSTD_MIN_MATCH[compression]} if compression in _ZSTD_MIN_MATCH else {}


class _OpenFile:
    """A file whose members are being written."""

    def __init__(self, content: Content, ready: Sequence[ReadyMember] = ()) -> None:
        self.content = content
        self.ready = iter(ready)
        self.jobs = 0
        self.ended = False
        self._at = 0
        self._members: list[int] = []
        self._sum = hashlib.sha256()
        self._blocks = hashlib.sha256()

    def add(self, member: bytes | bytearray, block: bytes, at: int) -> None:
        """`member` was written, and begins at `at`; `block` is the digest of what it holds."""
        self._at = at if not self._members else self._at
        self._members.append(len(member))
        self._sum.update(member)
        self._blocks.update(block)

    @property
    def written(self) -> CompressedFile | None:
        """What it was compressed to, if that is all written."""
        if not self.ended or len(self._members) < self.jobs:
            return None
        return CompressedFile(self._at, tuple(self._members), self._sum.hexdigest(), self._blocks.hexdigest())


class _Job:
    """One block on its way through a thread, or a file that is known."""

    def __init__(
        self,
        block: memoryview,
        file: _OpenFile | None,
        kept: KeptFile | None = None,
        ready: ReadyMember | None = None,
    ) -> None:
        self.block = block
        self.file = file
        self.kept = kept
        self.ready = ready
        self.result: bytes | bytearray = b""
        #: The SHA-256 of the block of a file.
        self.digest = b""
        self.error: BaseException | None = None
        self.done = Event()


class GzipCompressor(Compressor):
    """One gzip member a block, compressed on threads, written in order.

    A thread is started with each block until there are enough, so that a small layer starts one.
    """

    own_blocks = OWN_MEMBERS

    def __init__(
        self, out: Writable, level: int, threads: int, block_size: int, files: FileCache | None = None
    ) -> None:
        super().__init__(out)
        self.block_size = block_size
        self._level = level
        self._files = files
        self._file: _OpenFile | None = None
        self._written = 0
        self._pending: deque[_Job] = deque()
        self._jobs: SimpleQueue[_Job | None] = simple_queue()
        self._free: list[memoryview] = []
        #: For each thread one block it works on and one that waits; there is one more, which is being filled.
        self._most = max(1, min(2 * threads, MAX_UNDER_WAY // block_size))
        self._threads: list[Thread] = []
        self._wanted_threads = min(threads, self._most)
        self._stopped = False

    def take(self, block: memoryview) -> memoryview:
        """Take a block; the buffer to fill next. Waits while as many blocks are under way as there are buffers."""
        ready: ReadyMember | None = None
        if self._file is not None:
            self._file.jobs += 1
            ready = next(self._file.ready, None)
        self._put(_Job(block, self._file, ready=ready))
        return self._free.pop() if self._free else memoryview(bytearray(self.block_size))

    def begin_file(self, content: Content) -> bool:
        """Blocks of `content` alone follow; True if none of them is wanted, as its members are kept."""
        if self._files is None:
            return False
        kept = self._files.find(content)
        if kept is not None:
            self._put(_Job(memoryview(b""), _OpenFile(content), kept))
            return True
        self._file = _OpenFile(content, self._files.ready(content))
        return False

    def end_file(self) -> None:
        """The file that was begun has ended."""
        if self._file is not None:
            self._file.ended = True
            self._note(self._file)
            self._file = None

    def close(self) -> None:
        """Everything taken has been compressed and written when this returns."""
        while self._pending:
            self._write_first()
        self.abandon()

    def abandon(self) -> None:
        """Stop without writing more: blocks that wait are dropped, and the threads have ended when this returns."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._threads = []

    def _put(self, job: _Job) -> None:
        self._pending.append(job)
        if len(self._threads) < self._wanted_threads:
            self._start_thread()
        if self._threads:
            self._jobs.put(job)
        else:
            self._run(job)
        while len(self._pending) > self._most or (self._pending and self._pending[0].done.is_set()):
            self._write_first()

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
        if job.file is not None and job.block.nbytes == 0:
            self._write_known(job.file, job.kept)
            return
        self._write(job.result, job.file, job.digest)
        self._free.append(memoryview(job.block.obj))

    def _write(self, member: bytes | bytearray, file: _OpenFile | None, digest: bytes) -> None:
        self._out.write(member)
        if file is not None:
            file.add(member, digest, self._written)
        self._written += len(member)
        if file is not None:
            self._note(file)

    def _write_known(self, file: _OpenFile, kept: KeptFile | None) -> None:
        """Write what is kept of a file; it is compressed here if that turned out to be something else, or damaged."""
        if kept is not None:
            counting = _Counting(self._out)
            kept.copy_to(counting)
            self._written += counting.size
            return
        buffer, at, size = memoryview(bytearray(self.block_size)), 0, file.content.size
        with file.content.open() as reader:
            while at < size:
                count = reader.readinto_at(buffer[: min(self.block_size, size - at)], at)
                if not count:
                    raise ChangedInputError(file.content.where, size, at)
                at += count
                file.ended = at == size
                file.jobs += 1
                self._write(_gzip(buffer[:count], self._level), file, hashlib.sha256(buffer[:count]).digest())

    def _note(self, file: _OpenFile) -> None:
        compressed = file.written
        if compressed is not None and self._files is not None:
            self._files.note(file.content, compressed)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(job)

    def _run(self, job: _Job) -> None:
        try:
            if self._stopped:
                pass
            elif job.kept is None:
                job.digest = hashlib.sha256(job.block).digest() if job.file is not None else b""
                is_ready = job.ready is not None and job.ready.block == job.digest
                job.result = job.ready.member if job.ready and is_ready else _gzip(job.block, self._level)
                job.ready = None
            elif job.file is not None and not job.kept.is_of(job.file.content):
                job.kept = None
        except BaseException as error:  # noqa: BLE001 - raised again where the block is waited for
            job.error = error
        job.done.set()


class _Counting:
    """Passes bytes on and knows their number."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data` on."""
        self._out.write(data)
        self.size += len(data)


def simple_queue() -> SimpleQueue[Any]:
    """An empty queue that a signal may interrupt at any time: it is not Python's code, as other locks and queues are.

    It is `queue.SimpleQueue`, without what `queue` imports besides.
    """
    try:
        from _queue import SimpleQueue  # noqa: PLC0415 - not for layers that are stored as they are
    except ImportError:
        from queue import SimpleQueue  # noqa: PLC0415 - as above; a Python may have it there alone
    return SimpleQueue()


def _gzip(block: memoryview, level: int) -> bytes | bytearray:
    """One gzip member; its header has no name and no time."""
    from deflate import gzip_compress  # noqa: PLC0415

    member: bytes | bytearray = gzip_compress(block, level)
    return member


def gzip_member(block: bytes, compression: Compression) -> bytes | bytearray:
    """The gzip member that a layer has for a block, with that setting."""
    return _gzip(memoryview(block), GZIP_LEVELS[compression])


def block_size_of(compression: Compression) -> int:
    """The most bytes of the tar that a gzip member has."""
    return SMALL_BLOCK_SIZE if compression is Compression.SMALL else BLOCK_SIZE


def made_by(compression: Compression) -> str:
    """What the bytes of a layer depend on besides its tar: the setting and the compressor's version."""
    if compression is Compression.NONE:
        return str(compression)
    if compression in ZSTD_LEVELS:
        import zstandard  # noqa: PLC0415

        version = f"zstandard {zstandard.__version__}"
        found = (ZSTD_LEVELS[compression], ZSTD_WINDOW_LOG, *_zstd_min_match(compression).values())
        level = ".".join(map(str, found))
    else:
        import deflate  # noqa: PLC0415

        version, level = f"deflate {deflate.__version__}", str(GZIP_LEVELS[compression])
    return f"{compression} {level} {version}"


def compressor(compression: Compression, out: Writable, threads: int, files: FileCache | None = None) -> Compressor:
    """The compressor that writes to `out`; neither `threads` nor `files` changes the bytes."""
    if compression is Compression.NONE:
        return Compressor(out)
    if compression in ZSTD_LEVELS:
        return ZstdCompressor(out, compression)
    size = block_size_of(compression)
    return GzipCompressor(out, GZIP_LEVELS[compression], max(1, threads), size, files)
