"""Layers that are made in the background: the same as in their turn, or none at all."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import BytesContent
from minpack.errors import ChangedInputError, StoreError
from minpack.layers import background
from minpack.layers.background import BackgroundLayers
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, file
from minpack.store.blob import LAYER
from minpack.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.content import Reader
    from minpack.oci.layer import Layer

HOW = LayerOptions(0, Compression.BALANCED, 2, no_progress)
DATA = b"".join(b"%07d\n" % (number * number) for number in range(300_000))


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The directory of a store."""
    return str(tmp_path / "store")


def entries(data: bytes = DATA) -> tuple[Entry, ...]:
    """One file."""
    return (file(RootPath("/app"), BytesContent(data), 0o755),)


def taken(one: BackgroundLayers, what: tuple[Entry, ...], how: LayerOptions = HOW) -> tuple[bytes, Layer] | None:
    """What is written of the layer, and the layer; None for none."""
    out = io.BytesIO()
    layer = one.take(what, out, how)
    assert layer is not None or out.getvalue() == b""
    return None if layer is None else (out.getvalue(), layer)


def fresh(what: tuple[Entry, ...], how: LayerOptions = HOW) -> tuple[bytes, Layer]:
    """The layer, made in its turn."""
    out = io.BytesIO()
    with open_store(None) as store:
        layer = write_kept_layer(what, out, store, how, "test")
    return out.getvalue(), layer


@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.SMALL, Compression.ZSTD])
def test_it_is_the_layer_made_in_its_turn(place: str, compression: Compression) -> None:
    """First made, then found in the store: bytes and layer are the same, and it is had once."""
    how = HOW._replace(compression=compression)
    for _ in range(2):
        with BackgroundLayers(place) as one:
            one.begin(entries(), how, "test")
            assert taken(one, entries(), how) == fresh(entries(), how)
            assert taken(one, entries(), how) is None
    assert not [name for name in os.listdir(place) if name.endswith(".tmp")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_several_are_made_one_after_the_other(place: str, order: tuple[int, int]) -> None:
    """Each is the layer made in its turn, in whatever order they are taken."""
    layers = (entries(), entries(DATA[::-1]))
    with BackgroundLayers(place) as begun:
        for layer in layers:
            begun.begin(layer, HOW, "test")
        for number in order:
            assert taken(begun, layers[number]) == fresh(layers[number])


@pytest.mark.parametrize("what", ["content", "mode", "more", "time", "setting"])
def test_another_layer_is_not_taken_for_it(place: str, what: str) -> None:
    """What was planned in the end decides: if that is something else, nothing is written."""
    wanted, how = entries(), HOW
    if what == "content":
        wanted = entries(DATA[:-1] + b"x")
    elif what == "mode":
        wanted = (entries()[0]._replace(mode=0o700),)
    elif what == "more":
        wanted = (*entries(), file(RootPath("/b"), BytesContent(b"")))
    elif what == "time":
        how = HOW._replace(mtime=1)
    else:
        how = HOW._replace(compression=Compression.SMALL)
    with BackgroundLayers(place) as one:
        one.begin(entries(), HOW, "test")
        assert taken(one, wanted, how) is None


@pytest.mark.parametrize("why", ["no store", "small", "large", "uncompressed"])
def test_what_is_not_worth_it_is_not_begun(place: str, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """No thread is started without a store, for a small layer, for one the store would not keep, or for a bare tar."""
    what, how, directory = entries(), HOW, None if why == "no store" else place
    if why == "small":
        what = entries(b"small")
    elif why == "large":
        monkeypatch.setattr(background, "MOST_LAYER_BYTES", 1 << 20)
    elif why == "uncompressed":
        how = HOW._replace(compression=Compression.NONE)
    before = threading.active_count()
    with BackgroundLayers(directory) as one:
        one.begin(what, how, "test")
        assert threading.active_count() == before
        assert taken(one, what, how) is None
    assert not os.path.exists(place)


class Endless:
    """A content of many bytes that takes long to read."""

    where = "endless"
    size = 500 << 20

    def __init__(self) -> None:
        self.started = threading.Event()

    def open(self) -> Reader:
        """A reader of zeros."""
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        """Zeros."""
        return bytes(size)

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Zeros."""
        self.started.set()
        return len(buffer)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def test_what_nobody_takes_is_given_up(place: str) -> None:
    """Leaving the block ends the threads before the layer is done, and leaves nothing in the store."""
    content = Endless()
    before = threading.active_count()
    with BackgroundLayers(place) as one:
        one.begin((file(RootPath("/app"), content),), HOW, "test")
        one.begin(entries(), HOW, "test")
        assert content.started.wait(20)
    assert threading.active_count() == before
    assert os.listdir(place) == []


def test_what_waits_for_its_turn_is_given_up(place: str) -> None:
    """Another image's layer, which is still wanted, is not waited for."""
    turn = threading.Lock()
    turn.acquire()
    late = threading.Timer(10, turn.release)
    late.start()
    with BackgroundLayers(place, turn) as one:
        one.begin(entries(), HOW, "test")
    assert turn.locked()
    late.cancel()


class Short(Endless):
    """A content that has become shorter."""

    size = 2 << 20

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fewer bytes than there should be."""
        return min(len(buffer), max(0, 1000 - offset))


def test_an_error_comes_where_the_layer_is_wanted(place: str) -> None:
    """A file that has become shorter is told when the layer is taken; if nobody takes it, nothing is."""
    what = (file(RootPath("/app"), Short()),)
    with BackgroundLayers(place) as one:
        one.begin(what, HOW, "test")
        with pytest.raises(ChangedInputError):
            taken(one, what)
    with BackgroundLayers(place) as one:
        one.begin(what, HOW, "test")


def test_a_store_that_fails_is_no_reason_to_fail(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full the layer is made in its turn, as without a store."""

    def full(*_: object) -> None:
        raise StoreError(place, "no space left on device")

    monkeypatch.setattr("minpack.store.part.Part.write", full)
    with BackgroundLayers(place) as one:
        one.begin(entries(), HOW, "test")
        assert taken(one, entries()) is None


def test_progress_is_told_by_who_waits(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the layer reports how far it is, in its own thread."""
    monkeypatch.setattr(background, "_PAUSE", 0.001)
    told: list[tuple[str, int, int | None, int]] = []

    def progress(task: str, done: int, total: int | None) -> None:
        told.append((task, done, total, threading.get_ident()))

    how = HOW._replace(progress=progress, compression=Compression.ZSTD)
    with BackgroundLayers(place) as one:
        one.begin(entries(), how, "test")
        assert taken(one, entries(), how) is not None
    assert {thread for *_, thread in told} <= {threading.get_ident()}
    assert told[-1][:3] == ("packing test", len(DATA), len(DATA))


def test_a_damaged_layer_is_made_again(place: str) -> None:
    """What became of the kept layer is not seen."""
    with BackgroundLayers(place) as one:
        one.begin(entries(), HOW, "test")
        expected = taken(one, entries())
    (layer,) = (name for name in os.listdir(place) if name.endswith(".layer"))
    path = os.path.join(place, layer)
    with open(path, "r+b") as out:
        out.write(b"damaged")
    with BackgroundLayers(place) as one:
        one.begin(entries(), HOW, "test")
        assert taken(one, entries()) == expected
    with open_store(place) as store:
        assert store.find(layer.partition(".")[0], LAYER).blob is not None


class Waiting(BytesContent):
    """Bytes of which the last million are there once somebody has got something of the layer."""

    got = threading.Event()

    def open(self) -> Any:
        reader = super().open()
        whole = reader.readinto_at

        def readinto_at(buffer: memoryview, offset: int) -> int:
            if offset + len(buffer) > len(self.data) - 1_000_000:
                assert self.got.wait(20), "nothing of the layer came before it was made"
            return whole(buffer, offset)

        reader.readinto_at = readinto_at  # type: ignore[method-assign]
        return reader


class Noting(io.BytesIO):
    """Keeps what is written, and lets the content go on."""

    def write(self, data: Any, /) -> int:
        Waiting.got.set()
        return super().write(data)


def test_a_layer_is_followed_while_it_is_made(place: str) -> None:
    """What else wants its bytes gets them as they come, and all of them in the end; a layer that is there goes once."""
    Waiting.got.clear()
    entries = (file(RootPath("/app"), Waiting(os.urandom(6_000_000))),)
    options = LayerOptions(0, Compression.BALANCED, 2, no_progress)
    for time in ("first", "again"):
        out, others = io.BytesIO(), list[Noting]()

        def also(others: list[Noting] = others) -> Noting:
            others.append(Noting())
            return others[-1]

        with BackgroundLayers(place) as layers:
            layers.begin(entries, options, "x")
            layer = layers.take(entries, out, options, also)
        assert layer is not None
        if time == "first":
            assert [one.getvalue() for one in others] == [out.getvalue()]
        assert len(out.getvalue()) == layer.descriptor.size
