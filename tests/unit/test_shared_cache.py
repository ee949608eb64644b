"""Layers and files that another machine compressed, from a registry: the same bytes, or none of them."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import BytesContent, FileContent
from minpack.errors import SumMismatchError
from minpack.oci import compress
from minpack.oci.compress import BLOCK_SIZE, OWN_MEMBERS
from minpack.oci.compression import Compression
from minpack.shared import remote as shared_remote
from minpack.shared.members import members_of
from support.contents import Unkeyed
from support.fakeregistry import FakeRegistry, other_bytes, silence, status, truncated
from support.sharedcaches import (
    NAME,
    Machine,
    blob_of,
    entries,
    gzip_member,
    of_rows,
    options,
    plain,
    recompressed,
    rewrite,
    rows,
    text,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

LARGE, SECOND, THIRD = text(1, BLOCK_SIZE + 70_077), text(2, 300_000), text(3, OWN_MEMBERS)
LAYER = entries(BytesContent(LARGE), BytesContent(SECOND), BytesContent(b"small"))


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A registry that does what it is told."""
    with FakeRegistry() as one:
        yield one


@pytest.fixture
def first(tmp_path: Path) -> Machine:
    """The machine that writes to the cache."""
    return Machine(tmp_path / "first")


@pytest.fixture
def second(tmp_path: Path) -> Machine:
    """One that reads it."""
    return Machine(tmp_path / "second")


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the blocks that are compressed to gzip members from now on."""
    sizes: list[int] = []
    gzip = compress._gzip

    def counted(block: memoryview, level: int) -> bytes | bytearray:
        sizes.append(len(block))
        return gzip(block, level)

    monkeypatch.setattr(compress, "_gzip", counted)
    return sizes


def filled(registry: FakeRegistry, machine: Machine, what: Any = LAYER) -> bytes:
    """The layer, which is in the cache now."""
    done = machine.write(what, options(registry.host, writes=True))
    assert not done.use.notes
    assert done.use.sent_layers == 1
    registry.clear()
    return done.data


@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.SMALL, Compression.ZSTD])
@pytest.mark.parametrize("keeps", [True, False])
def test_another_machine_takes_the_layer(
    registry: FakeRegistry, tmp_path: Path, compression: Compression, keeps: bool
) -> None:
    """It takes the layer whole, with a request for its name and one for its bytes, with a store and without."""
    data = filled(registry, Machine(tmp_path / "first", compression))
    done = Machine(tmp_path / "second" if keeps else None, compression).write(LAYER, options(registry.host))
    assert done.data == data == plain(LAYER, compression)
    assert (done.use.layers, done.use.compressed, done.use.received) == (1, 0, len(data))
    assert done.use.notes == ()
    assert len(registry.requests) == 2


def test_nothing_is_compressed(registry: FakeRegistry, first: Machine, second: Machine, compressed: list[int]) -> None:
    """The compressor is not called; a second run has the layer in the store, and asks nobody."""
    data = filled(registry, first)
    compressed.clear()
    assert second.write(LAYER, options(registry.host)).data == data
    registry.clear()
    again = second.write(LAYER, options(registry.host))
    assert (again.data, compressed, registry.requests) == (data, [], [])
    assert (again.use.layers, again.use.compressed) == (0, 0)


@pytest.mark.parametrize("kind", [BytesContent, Unkeyed])
def test_files_of_another_layer_are_taken(
    registry: FakeRegistry, first: Machine, second: Machine, compressed: list[int], kind: Callable[[bytes], Any]
) -> None:
    """What two layers share is not compressed again, wherever it lies; it takes few requests."""
    filled(registry, first)
    new = entries(kind(THIRD), kind(b"other"), kind(SECOND), kind(LARGE))
    expected = plain(new)
    compressed.clear()
    done = second.write(new, options(registry.host))
    assert done.data == expected
    assert done.use.files == 2
    assert len(THIRD) in compressed
    assert sum(compressed) == done.use.compressed < len(THIRD) + 8192
    # The layer's name, two that it is found by at the least, one table, one range.
    assert len(registry.requests) <= 8


def test_two_hundred_files_take_few_requests(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """Of a layer of 200 large files and one that is new all others are fetched together."""
    contents = [BytesContent(text(100 + number, OWN_MEMBERS + number)) for number in range(200)]
    filled(registry, first, entries(*contents))
    done = second.write(entries(*contents, BytesContent(THIRD)), options(registry.host))
    assert done.use.files == 200
    assert done.use.compressed < len(THIRD) + 300 * 1024
    assert len(registry.requests) <= 12


def test_a_registry_without_ranges(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """Files are compressed where the registry gives no parts of blobs; layers are taken as ever."""
    registry.switches.ranges = False
    data = filled(registry, first)
    new = entries(BytesContent(THIRD), BytesContent(SECOND), BytesContent(LARGE))
    done = second.write(new, options(registry.host))
    assert (done.data, done.use.files, done.use.notes) == (plain(new), 0, ())
    assert second.write(LAYER, options(registry.host)).use.layers == 1
    assert data


def test_a_file_that_changes_is_not_taken_for_what_it_was(
    registry: FakeRegistry, first: Machine, second: Machine, tmp_path: Path
) -> None:
    """A file of the host counts by what it holds."""
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, data in zip(paths, (LARGE, SECOND), strict=True):
        path.write_bytes(data)
    hosts = [FileContent(str(path), path.stat().st_size) for path in paths]
    filled(registry, first, entries(*hosts))
    assert second.write(entries(*hosts), options(registry.host)).use.layers == 1
    changed = bytearray(LARGE)
    changed[len(LARGE) // 3] ^= 1
    paths[0].write_bytes(changed)
    done = second.write(entries(*hosts), options(registry.host))
    assert done.data == plain(entries(BytesContent(bytes(changed)), BytesContent(SECOND)))
    assert (done.use.layers, done.use.files) == (0, 1)


# Writing


def test_writing_again_sends_nothing(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """A cache that has it gets one question for each layer; so does one that another machine filled."""
    filled(registry, first)
    for machine in (first, second):
        registry.clear()
        done = machine.write(LAYER, options(registry.host, writes=True))
        assert (done.use.sent, done.use.sent_layers, done.use.notes) == (0, 0, ())
        assert registry.received == 0
        assert registry.count("PUT") == 0


def test_writers_lose_nothing(registry: FakeRegistry, tmp_path: Path) -> None:
    """Of four that write at once, two the same and two with a part in common, all is there in the end."""
    layers = [LAYER, LAYER, entries(BytesContent(LARGE), BytesContent(THIRD)), entries(BytesContent(SECOND))]
    machines = [Machine(tmp_path / str(number)) for number in range(4)]
    threads = [
        threading.Thread(target=machine.write, args=(what, options(registry.host, writes=True)))
        for machine, what in zip(machines, layers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(registry.whole(NAME, tag) for tag in registry.tags(NAME))
    for number, what in enumerate(layers):
        done = Machine(tmp_path / f"reader{number}").write(what, options(registry.host))
        assert (done.use.layers, done.use.compressed, done.data) == (1, 0, plain(what))


def test_the_last_tag_is_the_layers(registry: FakeRegistry, first: Machine) -> None:
    """Each tag is given when all that it stands for is there, and the layer's own behind the others."""
    first.write(LAYER, options(registry.host, writes=True))
    assert all(whole for _, _, whole in registry.given)
    assert [tag.partition("-")[0] for _, tag, _ in registry.given][-1] == "layer"


def test_a_registry_that_moves_no_tags(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """Two layers with files in common are both written where a tag stands for one thing for ever."""
    registry.switches.immutable = True
    filled(registry, first)
    more = entries(BytesContent(LARGE), BytesContent(SECOND), BytesContent(THIRD))
    done = second.write(more, options(registry.host, writes=True))
    assert (done.use.sent_layers, done.use.notes) == (1, ())


# Caches that are broken, slow or hostile


def members(data: bytes, size: int = BLOCK_SIZE) -> bytes:
    """What is unpacked to `data`, in members of `size` bytes."""
    return b"".join(gzip_member(data[at : at + size]) for at in range(0, len(data), size))


def other_content(layer: bytes) -> bytes:
    """A bit of a file is another."""
    data = bytearray(unpacked(layer))
    data[1000] ^= 1
    return members(bytes(data))


def bomb(_: bytes) -> bytes:
    """As large as the layer may be, and a thousand times that unpacked."""
    return gzip_member(bytes(BLOCK_SIZE)) * 700


def one_large_member(layer: bytes) -> bytes:
    """No member of minpack's is so large."""
    return gzip_member(unpacked(layer) + bytes(64 << 20))


def named_member(layer: bytes) -> bytes:
    """The first member has a name, which gzip may have."""
    return gzip_member(unpacked(layer)[:BLOCK_SIZE], b"\x1f\x8b\x08\x08\0\0\0\0\0\xffname\0") + members(
        unpacked(layer)[BLOCK_SIZE:]
    )


def wrong_crc(layer: bytes) -> bytes:
    """Some programs take no notice of the sum of the first member."""
    data = unpacked(layer)
    return gzip_member(data[:BLOCK_SIZE], crc=1) + members(data[BLOCK_SIZE:])


#: What whoever may write the cache, or the registry itself, does to a layer that is there.
HOSTILE: dict[str, Callable[[FakeRegistry, bytes], None]] = {
    "other bytes than the digest's": lambda r, d: r.fail("GET", "/blobs/", other_bytes(bytes(len(d))), 9),
    "a body that is cut": lambda r, d: r.fail("GET", "/blobs/", truncated(100), 99),
    "a bomb": lambda r, d: rewrite(r, bomb(d)),
    "one member that is too large": lambda r, d: rewrite(r, one_large_member(d)),
    "other content of the same size": lambda r, d: rewrite(r, other_content(d)),
    "less content": lambda r, d: rewrite(r, members(unpacked(d)[:-512])),
    "more content": lambda r, d: rewrite(r, d + gzip_member(bytes(512))),
    "bytes behind the last member": lambda r, d: rewrite(r, d + b"\0"),
    "a header that hides a name": lambda r, d: rewrite(r, named_member(d)),
    "a wrong checksum": lambda r, d: rewrite(r, wrong_crc(d)),
    "another program's layer": lambda r, d: rewrite(r, plain(entries(BytesContent(SECOND)))),
    "no gzip at all": lambda r, d: rewrite(r, unpacked(d)),
    "a wrong size": lambda r, d: rewrite(r, size=len(d) - 1),
    "an enormous size": lambda r, d: rewrite(r, size=1 << 50),
    "another media type": lambda r, d: rewrite(r, mediaType="application/vnd.oci.image.layer.v1.tar"),
    "an image in its place": lambda r, d: rewrite(r, artifactType=""),
    "no layers": lambda r, d: rewrite(r, layers=[]),
    "layers that are none": lambda r, d: rewrite(r, layers=[{"digest": 1}]),
    "a manifest that is no JSON": lambda r, d: r.fail("GET", "/manifests/", other_bytes(b"{"), 9),
    "a manifest without end": lambda r, d: r.fail("GET", "/manifests/", other_bytes(b" " * (5 << 20)), 9),
    "errors of its own": lambda r, d: r.fail("GET", "", status(500), 99),
    "no login": lambda r, d: r.fail("GET", "/manifests/", status(401, error="UNAUTHORIZED"), 99),
    "too many requests for ever": lambda r, d: r.fail("GET", "", status(429, {"Retry-After": "55"}), 99),
    "a redirect to this host's files": lambda r, d: setattr(r.switches, "redirects", "file:///etc/passwd?"),
}


@pytest.mark.parametrize("way", HOSTILE)
def test_a_hostile_cache_changes_nothing(registry: FakeRegistry, first: Machine, second: Machine, way: str) -> None:
    """Whatever is wrong with a layer, it is made here, a note says so, and the cache is asked for nothing more."""
    data = filled(registry, first)
    HOSTILE[way](registry, data)
    started = time.monotonic()
    done = second.write(LAYER, options(registry.host))
    assert done.data == data, "as it would be without"
    (note,) = done.use.notes
    assert note.startswith(f"the shared cache {registry.host}/{NAME} is ignored: ")
    assert (done.use.layers, done.use.files) == (0, 0)
    assert len(registry.requests) <= 6
    assert time.monotonic() - started < 20
    # What was taken for the layer is not kept either.
    assert second.write(LAYER, None).data == data


@pytest.mark.parametrize("way", ["other content of the same size", "bytes behind the last member", "no layers"])
def test_who_may_write_the_cache_mends_it(registry: FakeRegistry, first: Machine, second: Machine, way: str) -> None:
    """What a writer finds to be wrong it writes again."""
    data = filled(registry, first)
    HOSTILE[way](registry, data)
    assert second.write(LAYER, options(registry.host, writes=True)).use.sent_layers == 1
    third = Machine(first.store.parent / "third" if first.store else None)
    assert third.write(LAYER, options(registry.host)).use.layers == 1


def test_a_silent_cache_is_not_waited_for(
    registry: FakeRegistry, first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that says nothing is given up after the time that one answer may take, once."""
    monkeypatch.setattr(shared_remote, "_ANSWER", 0.3)
    data = filled(registry, first)
    registry.fail("GET", "", silence(), 99)
    started = time.monotonic()
    done = second.write(LAYER, options(registry.host))
    assert done.data == data
    assert "the server stopped sending" in done.use.notes[0]
    assert time.monotonic() - started < 5


def zstd_frames(data: bytes) -> bytes:
    """Two frames that make up the same."""
    import zstandard

    pack = zstandard.ZstdCompressor(level=3).compress
    return pack(data[:1000]) + pack(data[1000:])


@pytest.mark.parametrize("change", [zstd_frames, lambda data: b"\x50\x2a\x4d\x18\x04\0\0\0more" + zstd_frames(data)])
def test_a_zstd_layer_is_one_frame(registry: FakeRegistry, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """Frames that some programs would read no further than the first of are refused."""
    import zstandard

    data = filled(registry, Machine(tmp_path / "first", Compression.ZSTD))
    rewrite(registry, change(zstandard.ZstdDecompressor().decompressobj().decompress(data)))
    done = Machine(tmp_path / "second", Compression.ZSTD).write(LAYER, options(registry.host))
    assert (done.data, done.use.layers) == (data, 0)
    assert "it is not one zstd frame" in done.use.notes[0]


def swapped(table: bytes) -> bytes:
    """Each sum stands at another member."""
    found = rows(table)
    sums = [row[0] for row in found]
    for row, other in zip(found, sums[1:] + sums[:1], strict=True):
        row[0] = other
    return of_rows(found)


def lying(table: bytes) -> bytes:
    """The first members hold more than they do."""
    found = rows(table)
    for row in found:
        row[2] = max(1, row[2] - 1)
    return of_rows(found)


def huge(table: bytes) -> bytes:
    """A member is said to hold more than minpack puts in one."""
    found = rows(table)
    found[0][2] = 1 << 31
    return of_rows(found)


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "the sums of others": swapped,
    "wrong sizes of contents": lying,
    "a huge member": huge,
    "a table that is cut": lambda table: table[: len(table) // 2],
    "a table of another layer": lambda table: table + of_rows([[bytes(32), 1000, 1000]]),
    "no table": lambda table: b"no table",
}


@pytest.mark.parametrize("way", TABLES)
def test_a_hostile_table_changes_nothing(registry: FakeRegistry, first: Machine, second: Machine, way: str) -> None:
    """Members that do not hold what a file has are not taken for it."""
    filled(registry, first)
    rewrite(registry, table=TABLES[way](blob_of(registry, 1)))
    new = entries(BytesContent(THIRD), BytesContent(SECOND), BytesContent(LARGE))
    done = second.write(new, options(registry.host))
    assert (done.data, done.use.files) == (plain(new), 0)


def test_members_that_are_changed_on_their_way(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """Other bytes in place of a part of a layer are noticed where the file is packed."""
    filled(registry, first)
    registry.watch = lambda request: (
        registry.fail("GET", "/blobs/", other_bytes(bytes(2_000_000))) if "Range" in request.headers else None
    )
    new = entries(BytesContent(THIRD), BytesContent(SECOND), BytesContent(LARGE))
    done = second.write(new, options(registry.host))
    assert (done.data, done.use.files) == (plain(new), 0)


# The one thing that is believed, and what verifies it


def sums_of(path: int) -> set[bytes]:
    """The sums of the blocks of one of the layer's large files."""
    data = (LARGE, SECOND)[path]
    return {hashlib.sha256(data[at : at + BLOCK_SIZE]).digest() for at in range(0, len(data), BLOCK_SIZE)}


@pytest.mark.parametrize("path", [0, 1])
def test_a_layer_in_another_form(registry: FakeRegistry, first: Machine, second: Machine, path: int) -> None:
    """It unpacks to the same; --verify-cache refuses it, and says whose it is and which file."""
    data = filled(registry, first)
    changed = recompressed(registry, sums_of(path))
    taken = second.write(LAYER, options(registry.host))
    assert taken.data == changed != data
    assert unpacked(taken.data) == unpacked(data)
    # From the store it is no other than from the cache.
    for machine in (second, Machine(None)):
        with pytest.raises(SumMismatchError, match=f"/{path} in the shared cache {registry.host}/{NAME}"):
            machine.write(LAYER, options(registry.host, verify=True))


@pytest.mark.parametrize("path", [0, 1])
def test_a_file_in_another_form(registry: FakeRegistry, first: Machine, second: Machine, path: int) -> None:
    """The same of a file that goes into a layer which is made here."""
    filled(registry, first)
    recompressed(registry, sums_of(path))
    new = entries(BytesContent(THIRD), BytesContent(SECOND), BytesContent(LARGE))
    with pytest.raises(SumMismatchError, match=f"/{2 - path} in the shared cache {registry.host}/{NAME}"):
        Machine(None).write(new, options(registry.host, verify=True))
    done = second.write(new, options(registry.host))
    assert done.use.files == 2
    assert unpacked(done.data) == unpacked(plain(new))
    with pytest.raises(SumMismatchError, match="in the shared cache"):
        second.write(new, options(registry.host, verify=True))


def test_the_next_cache_is_asked(registry: FakeRegistry, first: Machine, second: Machine) -> None:
    """Caches are read in their order; one that is wrong does not keep another from helping."""
    with FakeRegistry() as other:
        data = filled(other, first)
        filled(registry, Machine(None if first.store is None else first.store.parent / "third"))
        rewrite(registry, other_content(data))
        cache = options(registry.host)
        done = second.write(LAYER, cache._replace(reads=(*cache.reads, *options(other.host).reads)))
    assert (done.data, done.use.layers, len(done.use.notes)) == (data, 1, 1)


@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.ZSTD])
def test_what_is_verified_is_taken(registry: FakeRegistry, tmp_path: Path, compression: Compression) -> None:
    """A cache that minpack wrote passes; what was verified is not verified again."""
    data = filled(registry, Machine(tmp_path / "first", compression))
    second = Machine(tmp_path / "second", compression)
    done = second.write(LAYER, options(registry.host, verify=True))
    assert (done.data, done.use.layers, done.use.verified) == (data, 1, True)
    assert done.use.compressed > len(LARGE)
    assert second.write(LAYER, options(registry.host, verify=True)).use.compressed == 0


def test_tiny_members_take_time_by_their_number() -> None:
    """A cache that has a layer in the tiniest members, for which zlib copied the rest of each piece, blocks nobody."""
    many = gzip_member(b"a") * 40_000
    start = time.process_time()
    found = members_of(BytesContent(many).open(), len(many), BLOCK_SIZE)
    assert time.process_time() - start < 5
    assert len(found) == 40_000
    assert {one.size for one in found} == {len(many) // 40_000}
