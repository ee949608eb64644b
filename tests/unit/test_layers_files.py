"""Files that were compressed for another layer: found by content, and never a reason for other bytes."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent
from minpack.layers import files as layer_files
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.layers.files import CompressedFiles
from minpack.oci import compress
from minpack.oci.compress import BLOCK_SIZE, OWN_MEMBERS
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, file
from minpack.store.store import Store, open_store
from support.contents import Unkeyed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.content import Content

HOW = LayerOptions(0, Compression.BALANCED, 2, no_progress)
WORDS = b"".join(hashlib.sha256(b"%d" % n).digest() * 2 for n in range(40_000))
LARGE = WORDS[: 2 * BLOCK_SIZE + 77]
OTHER = WORDS[100 : 100 + OWN_MEMBERS]
CHANGED = WORDS[200 : 200 + OWN_MEMBERS]


def entries(*contents: Content) -> tuple[Entry, ...]:
    """A layer of files with these contents."""
    return tuple(file(RootPath(f"/{number}"), content, 0o755) for number, content in enumerate(contents))


def written(store: Store, what: tuple[Entry, ...], how: LayerOptions = HOW) -> bytes:
    """The layer as it is written with this store."""
    out = io.BytesIO()
    layer = write_kept_layer(what, out, store, how, "test")
    assert layer.descriptor.digest.hex == hashlib.sha256(out.getvalue()).hexdigest()
    return out.getvalue()


def fresh(what: tuple[Entry, ...], how: LayerOptions = HOW) -> bytes:
    """The layer as it is written without any store."""
    with open_store(None) as none:
        return written(none, what, how)


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the blocks that are compressed from now on."""
    sizes: list[int] = []
    gzip = compress._gzip

    def counted(block: memoryview, level: int) -> bytes | bytearray:
        sizes.append(len(block))
        return gzip(block, level)

    monkeypatch.setattr(compress, "_gzip", counted)
    return sizes


@pytest.mark.parametrize("kind", [BytesContent, Unkeyed])
@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.SMALL])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_of_another_layer_is_not_compressed_again(
    store: Store, compressed: list[int], kind: Callable[[bytes], Content], compression: Compression, threads: int
) -> None:
    """What two layers share is compressed once, wherever it lies in them; the bytes are those without a store."""
    how = LayerOptions(0, compression, threads, no_progress)
    written(store, entries(kind(LARGE), kind(OTHER)), how)
    second = entries(kind(CHANGED), kind(b"small"), kind(LARGE))
    expected = fresh(second, how)
    compressed.clear()
    assert written(store, second, how) == expected
    assert len(CHANGED) in compressed
    assert sum(compressed) < len(CHANGED) + 4096, "headers, and what is new"


def test_a_file_of_this_host_is_compared(store: Store, tmp_path: Path, compressed: list[int]) -> None:
    """A file that is as one was is taken from its layer, whatever its path and time."""
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(LARGE)

    def host(name: str) -> Content:
        return FileContent(str(tmp_path / name), len(LARGE))

    written(store, entries(host("one"), BytesContent(OTHER)))
    second = entries(host("two"), BytesContent(CHANGED))
    expected = fresh(second)
    compressed.clear()
    assert written(store, second) == expected
    assert sum(compressed) < len(CHANGED) + 4096


def test_a_change_that_the_mark_does_not_see(store: Store) -> None:
    """A file that differs where the mark does not look is compressed anew, and found from then on."""
    changed = bytearray(LARGE)
    changed[len(LARGE) // 3] ^= 1
    written(store, entries(Unkeyed(LARGE), BytesContent(OTHER)))
    second = entries(Unkeyed(bytes(changed)), BytesContent(CHANGED))
    assert written(store, second) == fresh(second)
    third = entries(Unkeyed(bytes(changed)), BytesContent(OTHER))
    assert written(store, third) == fresh(third)


@pytest.mark.parametrize("kind", [BytesContent, Unkeyed])
@pytest.mark.parametrize("damage", ["flipped", "short", "missing", "header"])
def test_a_damaged_layer_does_not_count(
    store: Store, place: Path, kind: Callable[[bytes], Content], damage: str
) -> None:
    """Whatever became of the layer that has the file, the bytes are what they would be without."""
    written(store, entries(kind(LARGE), kind(OTHER)))
    (layer,) = place.glob("*.layer")
    data = bytearray(layer.read_bytes())
    middle = len(data) // 2
    match damage:
        case "flipped":
            data[middle] ^= 1
        case "short":
            del data[-1]
        case "header":
            # What no decoder minds: the time in a member's header.
            data[data.index(b"\x1f\x8b\x08", 20) + 4] = 1
    layer.write_bytes(data)
    if damage == "missing":
        layer.unlink()
    second = entries(kind(LARGE), kind(CHANGED))
    assert written(store, second) == fresh(second)
    assert written(store, entries(kind(LARGE), kind(OTHER))) == fresh(entries(kind(LARGE), kind(OTHER)))


@pytest.mark.parametrize(
    "change",
    [
        {"at": -1},
        {"at": 1 << 40},
        {"members": ""},
        {"members": "1"},
        {"members": "-1 5"},
        {"members": f"{1 << 40}"},
        {"members": "x"},
        {"sha256": ""},
        {"layer": "../x"},
        {"layer": 7},
        {"size": "x"},
        {"size": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [BytesContent, Unkeyed])
def test_a_record_that_says_something_else(
    store: Store, place: Path, kind: Callable[[bytes], Content], change: dict[str, object]
) -> None:
    """Whatever a record says, the bytes are what they would be without."""
    written(store, entries(kind(LARGE), kind(OTHER)))
    for path in place.glob("file-*.json"):
        record = dict(store.record(path.stem, layer_files.SCHEMA) or {})
        schema = str(record.pop("schema"))
        store.keep_record(path.stem, schema, {**record, **change})
    second = entries(kind(LARGE), kind(CHANGED))
    assert written(store, second) == fresh(second)


def test_a_single_large_file_is_not_looked_for(store: Store, place: Path) -> None:
    """The layer of a program alone is known as that layer: nothing more is noted of it."""
    written(store, entries(BytesContent(LARGE), BytesContent(b"small")))
    assert not list(place.glob("file-*"))


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.NONE])
def test_other_settings_have_no_members(store: Store, place: Path, compression: Compression) -> None:
    """One zstd frame has no part that another layer could take."""
    written(store, entries(BytesContent(LARGE), BytesContent(OTHER)), HOW._replace(compression=compression))
    assert not list(place.glob("file-*"))


def test_few_layers_are_open_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of more layers than may be open are compressed again."""
    monkeypatch.setattr(layer_files, "MOST_LAYERS", 2)
    pieces = [BytesContent(WORDS[at : at + OWN_MEMBERS]) for at in range(0, 8 * 64, 64)]
    for at in range(0, len(pieces), 2):
        written(store, entries(*pieces[at : at + 2]))
    assert written(store, entries(*pieces)) == fresh(entries(*pieces))


def test_files_of_other_versions_do_not_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version of the compressor made is not found."""
    written(store, entries(BytesContent(LARGE), BytesContent(OTHER)))
    with CompressedFiles(store, Compression.BALANCED) as found:
        assert found.find(BytesContent(LARGE)) is not None
    with CompressedFiles(store, Compression.SMALL) as found:
        assert found.find(BytesContent(LARGE)) is None
    monkeypatch.setattr("deflate.__version__", "0.0.0")
    with CompressedFiles(store, Compression.BALANCED) as found:
        assert found.find(BytesContent(LARGE)) is None


class Full(io.BytesIO):
    """Takes nothing."""

    def write(self, data: object, /) -> int:
        raise OSError(28, "No space left on device")


def test_what_cannot_be_written_is_told(store: Store) -> None:
    """Layers of several files are written a few pieces behind, and the error comes all the same; no thread is left."""
    before = threading.active_count()
    what = entries(BytesContent(LARGE), BytesContent(OTHER))
    with pytest.raises(OSError, match="No space left"):
        write_kept_layer(what, Full(), store, HOW, "test")
    assert threading.active_count() == before
