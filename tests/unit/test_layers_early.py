"""Files that are worked on before their layer is known: less is left to do, and the bytes are the same."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent
from minpack.errors import InputError
from minpack.layers import cache, early
from minpack.layers.background import BackgroundLayers
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.layers.early import EarlyFiles
from minpack.oci import compress
from minpack.oci.compress import BLOCK_SIZE, OWN_MEMBERS
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, file
from minpack.store.store import open_store
from support.contents import Unkeyed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.content import Content, Reader

HOW = LayerOptions(0, Compression.BALANCED, 2, no_progress)
DATA = b"".join(b"%07d\n" % (number * number) for number in range(400_000))
LARGE, OTHER, THIRD = DATA[: 2 * BLOCK_SIZE + 77], DATA[100 : 100 + OWN_MEMBERS], DATA[300 : 300 + BLOCK_SIZE]


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The directory of a store."""
    return str(tmp_path / "store")


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


def entries(*contents: Content) -> tuple[Entry, ...]:
    """A layer of files with these contents."""
    return tuple(file(RootPath(f"/{number}"), content, 0o755) for number, content in enumerate(contents))


def fresh(what: tuple[Entry, ...], how: LayerOptions = HOW) -> bytes:
    """The layer, made in its turn without a store."""
    out = io.BytesIO()
    with open_store(None) as store:
        write_kept_layer(what, out, store, how, "test")
    return out.getvalue()


def made(place: str, prepared: tuple[Content, ...], what: tuple[Entry, ...], how: LayerOptions = HOW) -> bytes:
    """The layer, made in the background after all that could be done with what was prepared."""
    out = io.BytesIO()
    with BackgroundLayers(place) as layers:
        layers.prepare(prepared, how)
        wait(layers)
        layers.begin(what, how, "test")
        assert layers.take(what, out, how) is not None
    return out.getvalue()


def wait(layers: BackgroundLayers) -> None:
    """Until there is nothing more to do."""
    assert layers._early is not None
    assert layers._early._thread is not None
    layers._early._thread.join(20)


@pytest.mark.parametrize("kind", [BytesContent, Unkeyed])
@pytest.mark.parametrize("compression", [Compression.BALANCED, Compression.SMALL])
def test_what_is_ready_is_not_compressed_again(
    place: str, compressed: list[int], kind: Callable[[bytes], Content], compression: Compression
) -> None:
    """Each block is compressed once, before there is a layer or for it; the layer is the one made in its turn."""
    how = HOW._replace(compression=compression)
    contents = tuple(map(kind, (LARGE, OTHER, THIRD)))
    expected = fresh(entries(*contents), how)
    compressed.clear()
    assert made(place, contents[:2], entries(*contents), how) == expected
    assert sum(compressed) < len(LARGE) + len(OTHER) + len(THIRD) + 8192


def test_what_is_kept_and_the_same_is_not_read_again(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer of files that only reading tells is found by what was read early: its tar is not made again."""
    contents = tuple(map(Unkeyed, (LARGE, OTHER, b"small")))
    expected = made(place, contents, entries(*contents))

    def tar_of(*_: object, **__: object) -> None:
        raise AssertionError("the tar is made again")

    monkeypatch.setattr(cache, "tar_of", tar_of)
    assert made(place, contents, entries(*contents)) == expected
    # What was not known early is added when the layer is.
    assert made(place, contents[:1], entries(*contents)) == expected


@pytest.mark.parametrize("small", [b"SMALL", b"small"])
def test_a_layer_with_another_small_file_is_another(place: str, small: bytes) -> None:
    """The sums of small files count as those of large ones."""
    made(place, (Unkeyed(LARGE),), entries(Unkeyed(LARGE), Unkeyed(OTHER), Unkeyed(b"small")))
    what = entries(Unkeyed(LARGE), Unkeyed(OTHER), Unkeyed(small))
    assert made(place, (Unkeyed(LARGE),), what) == fresh(what)


def test_a_change_that_the_mark_does_not_see(place: str) -> None:
    """A file that differs where the mark does not look is another one."""
    changed = bytearray(LARGE)
    changed[len(LARGE) // 3] ^= 1
    made(place, (Unkeyed(LARGE),), entries(Unkeyed(LARGE), Unkeyed(OTHER)))
    contents = (Unkeyed(bytes(changed)), Unkeyed(OTHER))
    for _ in range(2):
        assert made(place, contents, entries(*contents)) == fresh(entries(*contents))


def test_a_kept_layer_that_is_damaged_does_not_count(place: str) -> None:
    """It was verified before it was wanted, or is made again."""
    contents = (Unkeyed(LARGE), Unkeyed(OTHER))
    expected = made(place, contents, entries(*contents))
    (layer,) = (name for name in os.listdir(place) if name.endswith(".layer"))
    with open(os.path.join(place, layer), "r+b") as out:
        out.seek(1000)
        out.write(b"damaged")
    assert made(place, contents, entries(*contents)) == expected


class Changing:
    """A content that has other bytes each time it is opened."""

    where = "changing"
    size = len(LARGE)

    def __init__(self) -> None:
        self.versions = [LARGE, LARGE[: BLOCK_SIZE + 5] + b"changed" + LARGE[BLOCK_SIZE + 12 :]]

    def open(self) -> Reader:
        """The first bytes, then the others."""
        return BytesContent(self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]).open()


def test_a_file_that_changed_meanwhile_is_packed_as_it_is(place: str, compressed: list[int]) -> None:
    """What was made ready of bytes that are others now is not used; that of those that are the same is."""
    # The mark is taken first.
    content = Changing()
    content.versions.insert(0, LARGE)
    expected = fresh(entries(Unkeyed(content.versions[-1]), Unkeyed(OTHER)))
    compressed.clear()
    assert made(place, (content,), entries(content, Unkeyed(OTHER))) == expected
    assert compressed.count(BLOCK_SIZE) == 3, "the first block once, the second twice"


def test_what_cannot_be_read_is_told_by_whoever_wants_it(place: str, tmp_path: Path) -> None:
    """A file that is gone ends nothing but its own layer."""
    gone = FileContent(str(tmp_path / "gone"), len(LARGE))
    what = entries(Unkeyed(LARGE), Unkeyed(OTHER))
    assert made(place, (gone, Unkeyed(LARGE)), what) == fresh(what)
    with pytest.raises(InputError):
        made(place, (gone,), entries(gone, Unkeyed(OTHER)))


def test_members_that_are_ready_take_little_memory(
    place: str, compressed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no more room, the rest waits for its turn."""
    monkeypatch.setattr(early, "MOST_READY", 1)
    with BackgroundLayers(place) as layers:
        layers.prepare((Unkeyed(LARGE), Unkeyed(THIRD)), HOW)
        wait(layers)
    assert compressed == [BLOCK_SIZE]


@pytest.mark.parametrize("why", ["no store", "shared", "bare", "zstd", "small"])
def test_what_is_not_worth_it_is_not_begun(place: str, why: str) -> None:
    """No thread is started without a store, for images that are made together, or where nothing is kept of files."""
    compressions = {"bare": Compression.NONE, "zstd": Compression.ZSTD}
    how = HOW._replace(compression=compressions.get(why, Compression.BALANCED))
    before = threading.active_count()
    turn = threading.Lock() if why == "shared" else None
    with BackgroundLayers(None if why == "no store" else place, turn) as layers:
        layers.prepare((Unkeyed(OTHER[:-1] if why == "small" else LARGE),), how)
        assert threading.active_count() == before
    assert not os.path.exists(place)


class Endless:
    """A content of many bytes."""

    where = "endless"
    size = 1 << 40

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


def test_what_nobody_wants_is_given_up(place: str) -> None:
    """Leaving the block ends the thread, whatever it does; so does a layer that does not wait for what is new."""
    content = Endless()
    before = threading.active_count()
    with BackgroundLayers(place) as layers:
        layers.prepare((content,), HOW)
        assert content.started.wait(20)
    assert threading.active_count() == before
    content.started.clear()
    what = entries(Unkeyed(LARGE), Unkeyed(OTHER))
    out = io.BytesIO()
    with BackgroundLayers(place) as layers:
        layers.prepare((content,), HOW)
        assert content.started.wait(20)
        layers.begin(what, HOW, "test")
        assert layers.take(what, out, HOW) is not None
    assert out.getvalue() == fresh(what)


def test_it_waits_for_what_was_begun_before(place: str) -> None:
    """Nothing is compressed while the user's own layer is, which takes all cores; and nothing is lost by waiting."""
    goes_on = threading.Event()
    files = EarlyFiles(place, Compression.BALANCED, lambda: assert_waited(goes_on))
    files.add((Unkeyed(LARGE),))
    assert files.files is None
    goes_on.set()
    assert not files.settle((Unkeyed(LARGE),)), "it is new"
    files.close()


def assert_waited(event: threading.Event) -> None:
    """Return when the event is set."""
    assert event.wait(20)


def test_what_was_given_up_is_not_begun_again(place: str, compressed: list[int]) -> None:
    """A layer that settles after that finds nothing more done."""
    files = EarlyFiles(place, Compression.BALANCED, lambda: None)
    files.give_up()
    assert not files.settle((Unkeyed(LARGE),))
    files.close()
    assert compressed == []
    assert not os.path.exists(place)
