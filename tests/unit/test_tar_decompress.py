"""Taking off compression: the same bytes as the formats' own programs, and never a silent loss."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import subprocess
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import deflate
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.content import BytesContent
from minpack.errors import ArchiveError
from minpack.tar import decompress
from minpack.tar.decompress import Packing, decompress_to, limit_for, packing_of
from support.tarmaker import V7, archive, header, member
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.digest import Writable


def noise(size: int) -> bytes:
    """Bytes that cannot be compressed, always the same."""
    return hashlib.shake_128(b"noise").digest(size)


#: Half of it compresses well, half not at all; more than one piece of output and of input.
DATA = archive(
    member("text", b"a line that comes again and again\n" * 50_000),
    member("noise", noise(900_000)),
)
SOME = archive(member("text", b"some text\n" * 400))
#: So many zeros make a bomb.
ZEROS = 1 << 28


def zstd(data: bytes) -> bytes:
    """One frame with a sum."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)


PACKERS: dict[Packing, Callable[[bytes], bytes]] = {
    Packing.GZIP: lambda data: gzip.compress(data, 6, mtime=0),
    Packing.XZ: lambda data: lzma.compress(data, preset=1),
    Packing.BZIP2: lambda data: bz2.compress(data, 1),
    Packing.ZSTD: zstd,
}
PROGRAMS = {Packing.GZIP: "gzip", Packing.XZ: "xz", Packing.BZIP2: "bzip2", Packing.ZSTD: "zstd"}
ALL = pytest.mark.parametrize("packing", PACKERS)


def unpacked(data: bytes, limit: int = 1 << 34) -> bytes:
    """What `data` holds, by its first bytes."""
    content = BytesContent(data)
    out = io.BytesIO()
    size = decompress_to(content, out, packing_of(content, "base"), "base", limit)
    assert size == len(out.getvalue())
    return out.getvalue()


def refused(data: bytes, limit: int = 1 << 34) -> str:
    """Why `data` is refused."""
    with pytest.raises(ArchiveError) as caught:
        unpacked(data, limit)
    assert caught.value.base == "base"
    assert caught.value.hint
    return caught.value.reason


@ALL
def test_each_format_is_known_by_its_first_bytes(packing: Packing) -> None:
    """The format is told without a name."""
    assert packing_of(BytesContent(PACKERS[packing](DATA)), "base") is packing


@ALL
def test_each_format_gives_the_bytes_back(packing: Packing) -> None:
    """What was compressed comes out, byte by byte."""
    assert unpacked(PACKERS[packing](DATA)) == DATA


@pytest.mark.tool
@ALL
def test_files_of_the_formats_own_programs_are_read(packing: Packing) -> None:
    """What gzip, xz, bzip2 and zstd write at their best and fastest comes out whole."""
    for level in ("-1", "-9"):
        done = subprocess.run([need_tool(PROGRAMS[packing]), level, "-c"], input=DATA, capture_output=True, check=True)
        assert unpacked(done.stdout) == DATA


@ALL
def test_several_members_in_a_row_are_one_file(packing: Packing) -> None:
    """Members, streams and frames follow each other, empty ones too."""
    pack = PACKERS[packing]
    parts = [DATA[:1000], b"", DATA[1000:2_000_000], DATA[2_000_000:]]
    assert unpacked(b"".join(pack(part) for part in parts)) == DATA


def test_members_of_one_size_are_all_read() -> None:
    """Layers are made of gzip members of one size: the last one's size is then the first one's too."""
    data = SOME * 3
    assert unpacked(b"".join(deflate.gzip_compress(SOME) for _ in range(3))) == data
    other = bytes(reversed(SOME))
    assert unpacked(bytes(deflate.gzip_compress(SOME) + deflate.gzip_compress(other))) == SOME + other


@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("whole", [0, 1 << 30])
def test_gzip_is_the_same_at_once_and_in_pieces(level: int, whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way for small files and the way for large ones give the same bytes."""
    monkeypatch.setattr(decompress, "WHOLE_PACKED", whole)
    packed = gzip.compress(DATA, level, mtime=0)
    assert unpacked(packed) == DATA


def test_gzip_headers_may_have_every_field() -> None:
    """A name, a comment, an extra field and a sum of the header are passed over."""
    plain = gzip.compress(SOME, mtime=0)
    head = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03" + b"\x04\0extr" + b"name\0" + b"comment\0"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert unpacked(head + plain[10:]) == SOME


@pytest.mark.parametrize("count", [1, 511, 512, 70_000])
def test_zeros_behind_gzip_are_passed_over(count: int) -> None:
    """Tapes and block devices pad with zeros."""
    packed = gzip.compress(SOME, mtime=0)
    assert unpacked(packed + bytes(count)) == SOME
    assert unpacked(packed + bytes(count) + packed) == SOME * 2


def test_zeros_behind_xz_come_in_fours() -> None:
    """Stream padding is a multiple of four bytes; anything else is an error, as the format says."""
    packed = lzma.compress(SOME)
    assert unpacked(packed + bytes(8) + packed) == SOME * 2
    assert "6 zero bytes follow" in refused(packed + bytes(6))


@pytest.mark.parametrize("packing", [Packing.BZIP2, Packing.ZSTD])
def test_zeros_behind_other_formats_are_refused(packing: Packing) -> None:
    """bzip2 and zstd have no padding."""
    said = {Packing.BZIP2: "512 zero bytes follow its compressed data", Packing.ZSTD: "other data after"}
    assert said[packing] in refused(PACKERS[packing](SOME) + bytes(512))


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256])
def test_every_sum_of_xz_is_read(check: int) -> None:
    """All checks of the format are known."""
    assert unpacked(lzma.compress(DATA[:100_000], check=check)) == DATA[:100_000]


def test_every_shape_of_zstd_frame_is_read() -> None:
    """Frames with and without sum, size, and window, skippable ones before, between and behind."""
    skipped = b"\x5a\x2a\x4d\x18\x05\0\0\0skip!"
    for level in (1, 3, 19):
        for checksum in (True, False):
            for sized in (True, False):
                compressor = zstandard.ZstdCompressor(level, write_checksum=checksum, write_content_size=sized)
                for data in (b"", b"x", bytes(300_000), DATA[:70_000], DATA):
                    frame = compressor.compress(data)
                    assert unpacked(skipped + frame + skipped + frame + skipped) == data * 2


def test_zstd_frames_with_a_large_window_are_refused() -> None:
    """A window that would take gigabytes of memory is an error, not an allocation."""
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = stream.compress(DATA) + stream.flush()
    assert "memory" in refused(packed)


@ALL
def test_garbage_behind_the_end_is_refused(packing: Packing) -> None:
    """What follows the last member is an error, and not passed over."""
    packed = PACKERS[packing](SOME)
    for garbage in (
        b"x",
        b"garbage that is longer than a trailer",
        packed[:1],
        b"\x1f",
        noise(100_000),
    ):
        assert refused(packed + garbage)


def test_garbage_that_ends_as_the_file_did_is_refused() -> None:
    """A copy of the trailer behind garbage does not make the garbage part of the file."""
    packed = gzip.compress(SOME, mtime=0)
    assert "other data after" in refused(packed + b"garbage" + packed[-8:])


@ALL
def test_a_file_cut_anywhere_is_refused(packing: Packing) -> None:
    """Every cut but the one between two members is an error."""
    packed = PACKERS[packing](SOME)
    for cut in range(6, len(packed)):
        assert refused(packed[:cut])
        if cut > 8:
            assert refused(packed + packed[:cut])


def test_large_gzip_files_cut_anywhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is for those that are decompressed in pieces."""
    monkeypatch.setattr(decompress, "WHOLE_PACKED", 0)
    packed = gzip.compress(DATA, mtime=0)
    for cut in [*range(2, 20), 10_000, len(packed) // 2, *range(len(packed) - 12, len(packed))]:
        assert "ends too early" in refused(packed[:cut])


@ALL
def test_changed_bytes_are_found(packing: Packing) -> None:
    """A byte changed in the data or in the sums is an error wherever the format has a sum over it."""
    packed = bytearray(PACKERS[packing](DATA[-600_000:]))
    for at in (len(packed) // 3, len(packed) // 2, len(packed) - 5):
        packed[at] ^= 0x10
        assert refused(bytes(packed))
        packed[at] ^= 0x10
    assert unpacked(bytes(packed)) == DATA[-600_000:]


def test_a_false_size_or_sum_in_gzip_is_refused() -> None:
    """The trailer must be true: the sum and the size."""
    packed = gzip.compress(SOME, mtime=0)
    assert "incorrect data check" in refused(packed[:-8] + bytes(4) + packed[-4:])
    for size in (0, 1, len(SOME) - 1, len(SOME) + 1, 0xFFFFFFFF):
        assert "incorrect length check" in refused(packed[:-4] + size.to_bytes(4, "little"))


@ALL
def test_the_limit_holds(packing: Packing) -> None:
    """As many bytes as the limit are written, one more is refused."""
    packed = PACKERS[packing](DATA)
    assert unpacked(packed, len(DATA)) == DATA
    assert "unpacks to more than" in refused(packed, len(DATA) - 1)


def test_the_usual_limit_grows_with_the_file() -> None:
    """Small files may unpack to a gibibyte, larger ones to 200 times their size, none to more than 16 GiB."""
    assert [limit_for(size) for size in (100, 10 << 20, 1 << 40)] == [1 << 30, 2000 << 20, 16 << 30]


class Counted:
    """Counts what is written and keeps nothing."""

    size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Count `data`."""
        self.size += len(data)


def bomb(packing: Packing) -> bytes:
    """Many zeros, packed."""
    zeros = bytes(1 << 20)
    if packing is Packing.ZSTD:
        return zstd(zeros * 16) * (ZEROS >> 24)
    compressor: zlib._Compress | lzma.LZMACompressor | bz2.BZ2Compressor
    if packing is Packing.GZIP:
        compressor = zlib.compressobj(9, wbits=31)
    elif packing is Packing.XZ:
        compressor = lzma.LZMACompressor(preset=0)
    else:
        compressor = bz2.BZ2Compressor(9)
    return b"".join([*(compressor.compress(zeros) for _ in range(ZEROS >> 20)), compressor.flush()])


@ALL
def test_a_bomb_stops_at_the_limit_in_bounded_memory(packing: Packing) -> None:
    """Zeros packed a thousandfold and more stop at the limit, with little more than one piece in memory."""
    content = BytesContent(bomb(packing))
    limit = 16 << 20
    out: Writable = Counted()
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="unpacks to more than"):
            decompress_to(content, out, packing, "base", limit)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert isinstance(out, Counted)
    assert limit - (1 << 20) <= out.size <= limit


def test_a_size_that_gzip_cannot_reach_takes_no_memory() -> None:
    """A trailer that claims a hundred megabytes of a few bytes is not believed."""
    packed = gzip.compress(SOME, mtime=0)[:-4] + (100 << 20).to_bytes(4, "little")
    tracemalloc.start()
    try:
        refused(packed)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_plain_tars_are_known_with_and_without_magic() -> None:
    """A tar is known by its sum, also an old one without magic, an empty one, and one with a damaged header."""
    for head in (header("x"), header("x", magic=V7), bytes(512), header("x", checksum=b"0000000\0")):
        assert packing_of(BytesContent(head), "base") is Packing.NONE
    assert unpacked(SOME) == SOME


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"\x7fELF\x02\x01\x01", "ELF"),
        (b"PK\x03\x04rest", "zip"),
        (b"!<arch>\ndebian-binary", ".deb"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"just some bytes" * 100, "not a tar archive"),
    ],
)
def test_what_is_no_tarball_is_named(data: bytes, what: str) -> None:
    """The error says what the file is instead."""
    assert what in refused(data)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(PACKERS)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 60),
    st.binary(max_size=12),
)
def test_damage_gives_an_error_or_the_bytes(
    packing: Packing, changes: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    """Whatever is changed, cut off or added: some bytes within the limit, or ArchiveError."""
    data = bytearray(PACKERS[packing](SOME[:2000]))
    for at, value in changes:
        data[at % len(data)] = value
    content = BytesContent(bytes(data[: len(data) - cut]) + tail)
    out = Counted()
    message = ""
    try:
        decompress_to(content, out, packing, "base", 1 << 20)
    except ArchiveError as error:
        message = error.message
    assert out.size <= 1 << 20
    assert len(message) < 1000
