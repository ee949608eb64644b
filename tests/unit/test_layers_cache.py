"""Kept compressed layers: found by content, verified by diff ID and digest, and never a reason for other bytes."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent, key_of
from minpack.errors import StoreError
from minpack.layers import cache
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.layers.keys import layer_key, layer_mark
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, directory, file
from minpack.store.store import Store, open_store
from support.contents import Unkeyed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.oci.layer import Layer

BALANCED = LayerOptions(0, Compression.BALANCED, 2, no_progress)
SETTING = (BALANCED.compression, BALANCED.mtime)
WORDS = b"".join(hashlib.sha256(b"%d" % n).digest() * 2 for n in range(40_000))


def entries(data: bytes = WORDS) -> tuple[Entry, ...]:
    """A directory with a file of some megabytes that has no key, as those of a host have none, and a small one."""
    big = file(RootPath("/bin/app"), Unkeyed(data), 0o755)
    return (directory(RootPath("/bin")), big, file(RootPath("/bin/small"), BytesContent(b"small")))


def made(store: Store, what: tuple[Entry, ...] | None = None, how: LayerOptions = BALANCED) -> tuple[bytes, Layer]:
    """The layer as it is written with this store."""
    out = io.BytesIO()
    layer = write_kept_layer(entries() if what is None else what, out, store, how, "test")
    return out.getvalue(), layer


def fresh(what: tuple[Entry, ...] | None = None, how: LayerOptions = BALANCED) -> tuple[bytes, Layer]:
    """The layer as it is written without any store."""
    with open_store(None) as none:
        return made(none, what, how)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, nothing may be compressed."""

    def forbid() -> None:
        def compress(*_: object, **__: object) -> Layer:
            raise AssertionError("a layer is compressed")

        monkeypatch.setattr(cache, "write_layer", compress)

    return forbid


@pytest.mark.parametrize("compression", [c for c in Compression if c is not Compression.NONE])
def test_a_second_layer_is_copied(store: Store, idle: Callable[[], None], compression: Compression) -> None:
    """The same entries are compressed once; the second layer is the first, bytes and all that is known of them."""
    how = LayerOptions(0, compression, 2, no_progress)
    first = made(store, how=how)
    assert first == fresh(how=how)
    idle()
    assert made(store, how=how) == first


def test_an_uncompressed_layer_is_not_kept(store: Store, place: Path) -> None:
    """There is nothing to gain: the tar is written as it is."""
    made(store, how=LayerOptions(0, Compression.NONE, 1, no_progress))
    assert os.listdir(place) == []


@pytest.mark.parametrize("what", ["time", "setting", "mode", "content", "name", "version"])
def test_another_layer_is_made_anew(store: Store, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Whatever the bytes depend on makes another layer: the time, the setting, modes, names, contents."""
    made(store)
    how, other = BALANCED, entries()
    if what == "time":
        how = how._replace(mtime=1)
    elif what == "setting":
        how = how._replace(compression=Compression.ZSTD)
    elif what == "version":
        monkeypatch.setattr("deflate.__version__", "0.0.0")
        before = len(store.files())
        made(store)
        assert len(store.files()) == before + 1, "the same bytes, known under the other version too"
        return
    elif what == "mode":
        other = (*other[:-1], other[-1]._replace(mode=0o600))
    elif what == "name":
        other = (*other[:-1], other[-1]._replace(path=RootPath("/bin/other")))
    else:
        other = entries(WORDS[:-1] + b"x")
    assert made(store, other, how) == fresh(other, how)


def test_a_change_that_the_mark_does_not_see(store: Store) -> None:
    """Two programs that differ only where the mark does not look are told apart by their diff IDs."""
    changed = bytearray(WORDS)
    changed[len(WORDS) // 3] ^= 1
    other = entries(bytes(changed))
    assert key_of(other[1].content or BytesContent(b"")) == layer_key(other, *SETTING) == ""
    assert layer_mark(other, *SETTING) == layer_mark(entries(), *SETTING)
    made(store)
    assert made(store, other) == fresh(other)
    assert made(store) == fresh()


@pytest.mark.parametrize("ending", ["layer", "json"])
@pytest.mark.parametrize("damage", ["empty", "short", "long", "flipped", "directory", "missing"])
def test_damage_does_not_count(store: Store, place: Path, ending: str, damage: str) -> None:
    """Whatever became of a kept file, the layer is what it would be without, and kept again."""
    expected = made(store)
    (victim,) = place.glob(f"*.{ending}")
    data = victim.read_bytes()
    victim.unlink()
    middle = len(data) // 2
    match damage:
        case "empty":
            victim.write_bytes(b"")
        case "short":
            victim.write_bytes(data[:-1])
        case "long":
            victim.write_bytes(data + b"x")
        case "flipped":
            victim.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case "directory":
            victim.mkdir()
    assert made(store) == expected
    if damage != "directory":
        assert victim.read_bytes() == data


def test_a_layer_of_something_else_does_not_count(store: Store, place: Path) -> None:
    """A whole file under another layer's name is no more than a damaged one."""
    expected = made(store)
    made(store, entries(WORDS[::-1]))
    first, second = sorted(place.glob("*.layer"))
    first.write_bytes(second.read_bytes())
    second.unlink()
    assert made(store) == expected


def test_a_full_store_is_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Where the disk fills up meanwhile, the layer is whole and nothing is kept of it."""

    def full(*_: object) -> None:
        raise StoreError(str(place), "no space left on device")

    monkeypatch.setattr("minpack.store.part.Part.write", full)
    assert made(store) == fresh()
    assert os.listdir(place) == []


def test_a_layer_that_is_too_large_is_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """One layer may not push out all others."""
    monkeypatch.setattr(cache, "MOST_LAYER_BYTES", 1000)
    assert made(store) == fresh()
    assert os.listdir(place) == []


def test_writers_at_once(place: Path) -> None:
    """Threads with stores of their own on one directory all get the same bytes."""
    expected = fresh()
    found: list[tuple[bytes, Layer]] = []

    def write() -> None:
        with open_store(str(place)) as own:
            found.extend(made(own) for _ in range(3))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 12
    assert not list(place.glob("*.tmp"))


def test_a_program_is_found_wherever_it_lies(store: Store, tmp_path: Path, idle: Callable[[], None]) -> None:
    """Content counts, not path, time or inode: a program that was built again to the same bytes is found."""
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).write_bytes(WORDS)
        os.utime(tmp_path / name, (number, number))

    def layer(name: str) -> tuple[Entry, ...]:
        return (file(RootPath("/app"), FileContent(str(tmp_path / name), len(WORDS)), 0o755),)

    first = made(store, layer("one"))
    idle()
    assert made(store, layer("two")) == first
