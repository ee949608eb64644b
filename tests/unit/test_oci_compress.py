"""Compressed layers: the same bytes on any number of threads, bounded memory, and no thread left behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import queue
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from minpack.content import BytesContent
from minpack.errors import ChangedInputError
from minpack.oci import layer, mediatypes
from minpack.oci.compress import (
    BLOCK_SIZE,
    MAX_UNDER_WAY,
    OWN_MEMBERS,
    GzipCompressor,
    compressor,
    simple_queue,
)
from minpack.oci.compression import Compression
from minpack.oci.layer import write_layer
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, file
from support.layerbytes import DATA, DIGESTS, packed
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minpack.content import Reader

TESTS = Path(__file__).parents[1]
GZIP = (Compression.BALANCED, Compression.SMALL)
#: How each member begins: no name, no time, and 0 or 2 for the slowest (RFC 1952, section 2.3).
GZIP_MAGIC = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def gunzip_members(data: bytes) -> Iterator[bytes]:
    """What each gzip member of `data` holds."""
    while data:
        inflate = zlib.decompressobj(31)
        yield inflate.decompress(data)
        assert inflate.eof
        data = inflate.unused_data


@pytest.mark.parametrize("compression", Compression)
def test_digests_are_those_of_the_bytes(compression: Compression) -> None:
    """A layer's digest and size are of what was written, its diff ID and unpacked size of the tar in it."""
    data, layer = packed(DATA, compression)
    plain, _ = packed(DATA, Compression.NONE)
    assert (layer.descriptor.digest.hex, layer.descriptor.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (layer.diff_id.hex, layer.unpacked_size) == (hashlib.sha256(plain).hexdigest(), len(plain))


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("threads", [2, 7])
def test_the_number_of_threads_does_not_change_the_bytes(compression: Compression, threads: int) -> None:
    """One, two and seven threads make the same layer."""
    assert packed(DATA * 4, compression, threads) == packed(DATA * 4, compression, 1)


@pytest.mark.parametrize(("compression", "digest"), DIGESTS.items())
def test_the_bytes_are_those_of_every_release(compression: Compression, digest: str) -> None:
    """A fixed input gives fixed bytes: an image made today can be made again.

    They change only with the versions of deflate and zstandard, which pyproject.toml pins, or on purpose.
    """
    assert hashlib.sha256(packed(DATA, compression)[0]).hexdigest() == digest


def test_media_types_say_how_a_layer_is_stored() -> None:
    """Each compression has the media type that the image-spec gives it."""
    types = {compression: compression.media_type for compression in Compression}
    assert types == {
        Compression.NONE: mediatypes.LAYER,
        Compression.BALANCED: mediatypes.LAYER_GZIP,
        Compression.SMALL: mediatypes.LAYER_GZIP,
        Compression.ZSTD: mediatypes.LAYER_ZSTD,
        Compression.ZSTD_SMALL: mediatypes.LAYER_ZSTD,
    }


@pytest.mark.parametrize(("compression", "most"), [(Compression.BALANCED, BLOCK_SIZE), (Compression.SMALL, 8 << 20)])
def test_a_large_file_has_members_of_its_own(compression: Compression, most: int) -> None:
    """The members of a file from 64 KiB on hold its bytes and nothing else, each as many as a member may have."""
    data = DATA * 4
    members = list(gunzip_members(packed(data, compression)[0]))
    assert b"".join(members) == packed(data, Compression.NONE)[0]
    assert members[1:-1] == [data[at : at + most] for at in range(0, len(data), most)]


def test_headers_and_small_files_share_members() -> None:
    """Whatever is between two large files is in one member, as long as it fits into one."""
    sizes = (OWN_MEMBERS - 1, 10, OWN_MEMBERS, OWN_MEMBERS - 1, 0)
    entries = [file(RootPath(f"/{number}"), BytesContent(DATA[:size])) for number, size in enumerate(sizes)]
    out, plain = io.BytesIO(), io.BytesIO()
    options: dict[str, Any] = {"mtime": 0, "threads": 2, "comment": "", "progress": no_progress}
    write_layer(entries, out, compression=Compression.BALANCED, **options)
    write_layer(entries, plain, compression=Compression.NONE, **options)
    before, large, behind = gunzip_members(out.getvalue())
    assert large == DATA[:OWN_MEMBERS]
    assert before + large + behind == plain.getvalue()


@pytest.mark.parametrize("compression", GZIP)
def test_what_a_large_file_compresses_to_depends_on_its_bytes_alone(compression: Compression) -> None:
    """Whatever lies before and behind it in the layer, its compressed form is in the layer."""
    large = DATA[1000:200_000]

    def layer(*contents: bytes) -> bytes:
        out = io.BytesIO()
        entries = [file(RootPath(f"/{number}"), BytesContent(data)) for number, data in enumerate(contents)]
        options: dict[str, Any] = {"mtime": 0, "threads": 2, "comment": "", "progress": no_progress}
        write_layer(entries, out, compression=compression, **options)
        return out.getvalue()

    alone = [len(member) for member in gunzip_members(layer(large))]
    assert alone[1] == len(large)
    compressed = layer(large).partition(GZIP_MAGIC)[2].partition(GZIP_MAGIC)[2]
    member = compressed.partition(GZIP_MAGIC)[0]
    for others in ((b"x", large), (DATA, large, b"y"), (b"z" * OWN_MEMBERS, b"x", large, large)):
        assert member in layer(*others)


@pytest.mark.parametrize("compression", GZIP)
def test_gzip_headers_have_no_name_and_no_time(compression: Compression) -> None:
    """The header of a member names no file, no time and no system."""
    data, _ = packed(DATA, compression)
    assert data[:8] == b"\x1f\x8b\x08\x00" + bytes(4)
    assert data[9] == 255


@pytest.mark.parametrize("compression", GZIP)
def test_layers_are_read_by_gzip(compression: Compression, tmp_path: Path) -> None:
    """gzip(1) and Python read all members."""
    data, _ = packed(DATA, compression)
    plain, _ = packed(DATA, Compression.NONE)
    assert gzip.decompress(data) == plain
    (tmp_path / "layer.gz").write_bytes(data)
    done = subprocess.run([need_tool("gzip"), "-dc", str(tmp_path / "layer.gz")], check=True, capture_output=True)
    assert (done.stdout == plain, done.stderr) == (True, b"")


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.ZSTD_SMALL])
def test_zstd_looks_back_as_far_as_every_decoder_does(compression: Compression) -> None:
    """8 MiB, which decoders should support (RFC 8878, 3.1.1.1.2)."""
    assert zstandard.get_frame_parameters(packed(b"x", compression)[0]).window_size == 8 << 20


def test_zstd_makes_machine_code_smaller_than_gzip_does() -> None:
    """It looks for matches as short as instructions are."""
    with open(sys.executable, "rb") as file:
        code = file.read(2 << 20)
    sizes = [len(packed(code, one)[0]) for one in (Compression.ZSTD_SMALL, Compression.ZSTD, Compression.BALANCED)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.ZSTD_SMALL])
def test_zstd_layers_are_one_frame_with_a_checksum(compression: Compression) -> None:
    """A zstd layer is one frame that ends with a checksum."""
    data, _ = packed(DATA, compression)
    plain, _ = packed(DATA, Compression.NONE)
    stream = zstandard.ZstdDecompressor().decompressobj()
    assert stream.decompress(data) == plain
    assert stream.unused_data == b""
    assert zstandard.get_frame_parameters(data).has_checksum


@pytest.mark.parametrize("compression", Compression)
def test_an_empty_tree_is_a_layer_too(compression: Compression) -> None:
    """A layer of no entries is the end of a tar."""
    out = io.BytesIO()
    options: dict[str, Any] = {"mtime": 0, "compression": compression, "threads": 2, "comment": ""}
    layer = write_layer([], out, progress=no_progress, **options)
    assert layer.diff_id.hex == hashlib.sha256(bytes(1024)).hexdigest()


def test_progress_reaches_the_end_and_never_passes_it() -> None:
    """What is reported grows up to the size of the files."""
    seen: list[int] = []

    def note(task: str, done: int, total: int | None) -> None:
        assert (task, total) == ("packing test", len(DATA))
        seen.append(done)

    entries = [file(RootPath("/data"), BytesContent(DATA))]
    options: dict[str, Any] = {"mtime": 0, "compression": Compression.BALANCED, "threads": 2, "comment": "test"}
    write_layer(entries, io.BytesIO(), progress=note, **options)
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)


class Endless:
    """A file of a tebibyte that is made while it is read."""

    size = 1 << 40
    where = "an endless file"

    def open(self) -> Reader:
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        return DATA[:size]

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        done = 0
        while done < len(buffer):
            piece = DATA[: len(buffer) - done]
            buffer[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Full:
    """Takes nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise OSError(28, "No space left on device")


def stopped_by(error: type[BaseException], run: Callable[[], object]) -> BaseException:
    """What `run` raises; it leaves no thread behind."""
    before = set(threading.enumerate())
    with pytest.raises(error) as caught:
        run()
    assert set(threading.enumerate()) == before
    return caught.value


def write(entry: Entry, out: Any, compression: Compression = Compression.BALANCED) -> None:
    """Write a layer on four threads."""
    options: dict[str, Any] = {"mtime": 0, "compression": compression, "threads": 4, "comment": ""}
    write_layer([entry], out, progress=no_progress, **options)


ENDLESS = file(RootPath("/data"), Endless())


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BALANCED, Compression.ZSTD])
def test_a_full_disk_ends_the_work(compression: Compression) -> None:
    """An error of what is written to comes out, and all threads have ended."""
    error = stopped_by(OSError, lambda: write(ENDLESS, Full(), compression))
    assert isinstance(error, OSError)
    assert error.errno == 28


def test_an_error_in_a_thread_comes_out() -> None:
    """What a thread raises is raised where its block would be written."""

    def run() -> None:
        # libdeflate has no such level.
        squeeze = GzipCompressor(io.BytesIO(), 99, 3, BLOCK_SIZE)
        buffer = squeeze.buffer()
        try:
            while True:
                buffer = squeeze.take(buffer)
        except BaseException:
            squeeze.abandon()
            raise

    assert "compresslevel" in str(stopped_by(ValueError, run))


def test_a_hash_that_fails_in_a_thread_comes_out() -> None:
    """What goes wrong there is raised where the hash is waited for, which would be for ever."""
    hashing = layer._HashAside()
    hashing._hash = None  # type: ignore[assignment] # a hash that cannot be computed
    hashing.add(memoryview(b"block"))
    for _ in range(2):
        with pytest.raises(AttributeError):
            hashing.add(memoryview(b"block"))
    with pytest.raises(AttributeError):
        hashing.finish()


def test_a_file_that_shrank_ends_the_work() -> None:
    """An input that is shorter than planned comes out as an error, and all threads have ended."""

    class Short(Endless):
        def readinto_at(self, buffer: memoryview, offset: int) -> int:
            return super().readinto_at(buffer, offset) if offset < 20 * BLOCK_SIZE else 0

    stopped_by(ChangedInputError, lambda: write(file(RootPath("/data"), Short()), io.BytesIO()))


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BALANCED, Compression.ZSTD])
def test_an_interrupt_ends_the_work(compression: Compression) -> None:
    """Ctrl-C while blocks are compressed is raised, and all threads have ended."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    class Nothing:
        def write(self, data: object) -> None:
            pass

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        stopped_by(KeyboardInterrupt, lambda: write(ENDLESS, Nothing(), compression))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BALANCED])
def test_without_threads_the_caller_does_all(compression: Compression) -> None:
    """Where the system gives no threads, the layer is the same."""
    before = threading.stack_size()
    # No address space has room for such a stack, so starting a thread fails.
    threading.stack_size(1 << 47)
    try:
        alone = packed(DATA, compression, 2)
    finally:
        threading.stack_size(before)
    assert alone == packed(DATA, compression, 2) == packed(DATA, compression, 1)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_while_a_thread_starts(monkeypatch: pytest.MonkeyPatch, number: int, when: str) -> None:
    """Whatever interrupts the start of a thread ends them all: none takes what another was to end with."""
    started: list[threading.Thread] = []

    class Interrupted(threading.Thread):
        def start(self) -> None:
            started.append(self)
            if len(started) < number or when == "after":
                super().start()
            if len(started) == number:
                raise KeyboardInterrupt

    monkeypatch.setattr("minpack.oci.compress.Thread", Interrupted)
    raised: list[bool] = []

    def pack() -> None:
        try:
            packed(DATA * 4, Compression.BALANCED, 2)
        except KeyboardInterrupt:
            raised.append(True)

    helper = threading.Thread(target=pack, daemon=True)
    helper.start()
    helper.join(20)
    assert raised == [True], "it waits for a thread that nobody ends"
    for thread in started:
        if thread.ident is not None:
            thread.join(20)
            assert not thread.is_alive()


def test_small_layers_start_one_thread() -> None:
    """No more threads are started than there are blocks, however many there could be."""
    before = threading.active_count()
    squeeze = compressor(Compression.BALANCED, io.BytesIO(), 64)
    squeeze.take(squeeze.buffer()[:1000])
    assert threading.active_count() == before + 1
    squeeze.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("compression", GZIP)
def test_many_threads_take_bounded_memory(compression: Compression) -> None:
    """However many threads there are, the blocks under way are bounded, and there is at least one."""
    squeeze = compressor(compression, io.BytesIO(), 1000)
    assert isinstance(squeeze, GzipCompressor)
    assert 1 <= squeeze._most <= MAX_UNDER_WAY // squeeze.block_size
    squeeze.close()


PACK = """
import sys
from test_oci_compress import Endless, write, file, RootPath, Compression

class Nothing:
    def write(self, data):
        pass

content = Endless()
content.size = int(sys.argv[1])
write(file(RootPath("/data"), content), Nothing(), Compression(sys.argv[2]))
status = open("/proc/self/status").read()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BALANCED, Compression.ZSTD])
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak")
def test_memory_does_not_grow_with_the_layer(compression: Compression) -> None:
    """The peak of a process that packs 600 MB is within 20 MB of one that packs 20 MB."""
    peaks = []
    for size in (20_000_000, 600_000_000):
        command = [sys.executable, "-c", PACK, str(size), compression]
        env = {"PYTHONPATH": f"{TESTS / 'unit'}:{TESTS}"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 20_000


def test_queues_are_those_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What threads wait at is `queue.SimpleQueue`, also of a Python that has it there alone."""
    assert isinstance(simple_queue(), queue.SimpleQueue)
    monkeypatch.setitem(sys.modules, "_queue", None)
    assert isinstance(simple_queue(), queue.SimpleQueue)
