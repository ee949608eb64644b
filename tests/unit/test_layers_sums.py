"""The sums of a layer's files are kept by its diff ID: what is told of a kept layer is what its bytes say."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.errors import StoreError
from minpack.layers import sums
from minpack.layers.background import BackgroundLayers
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.oci.compress import OWN_MEMBERS
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, Kind, directory, file
from minpack.store.store import Store, open_store
from minpack.tar import write as tar_write
from support.contents import Unkeyed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.content import Content
    from minpack.oci.layer import Layer

PLAIN = LayerOptions(0, Compression.BALANCED, 2, no_progress)
SUMS, BOTH = PLAIN._replace(sums=True), PLAIN._replace(sums=True, sha1=True)
DATA = b"".join(b"%07d\n" % (number * number) for number in range(150_000))
KINDS = pytest.mark.parametrize("kind", [BytesContent, Unkeyed])


def entries(kind: Callable[[bytes], Content] = Unkeyed, data: bytes = DATA) -> tuple[Entry, ...]:
    """Files, of which one has a second name and one a name that is no text."""
    app = file(RootPath("/bin/app"), kind(data), 0o755)
    other = file(RootPath("/bin/\udcff"), kind(data[: OWN_MEMBERS + 9]))
    link = Entry(RootPath("/link"), Kind.HARDLINK, 0o755, link="/bin/app")
    return (directory(RootPath("/bin")), app, other, file(RootPath("/empty"), kind(b"")), link)


def made(store: Store, what: tuple[Entry, ...], how: LayerOptions) -> Layer:
    """The layer as it is written with this store."""
    return write_kept_layer(what, io.BytesIO(), store, how, "test")


def fresh(what: tuple[Entry, ...], how: LayerOptions) -> Layer:
    """The layer as it is written without any store."""
    with open_store(None) as none:
        return made(none, what, how)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is hashed for the sums of files from now on."""
    seen: list[object] = []

    def sum_of(content: Content, algorithm: str = "sha256") -> str:
        seen.append(content)
        return hashlib.new(algorithm, content.open().read_at(0, content.size)).hexdigest()

    def begun(name: str) -> Callable[..., object]:
        def begin(*, usedforsecurity: bool = True) -> object:
            seen.append(name)
            return hashlib.new(name, usedforsecurity=usedforsecurity)

        return begin

    monkeypatch.setattr("minpack.oci.layer.sum_of", sum_of)
    monkeypatch.setattr(tar_write, "sha256", begun("sha256"))
    monkeypatch.setattr(tar_write, "sha1", begun("sha1"))
    return seen


@KINDS
@pytest.mark.parametrize("how", [SUMS, BOTH])
@pytest.mark.parametrize("first", [PLAIN, SUMS, BOTH])
def test_what_is_kept_is_not_hashed_again(
    store: Store, hashed: list[object], kind: Callable[[bytes], Content], how: LayerOptions, first: LayerOptions
) -> None:
    """Whatever the layer was made for: with sums it has those of its bytes, and from then on for nothing."""
    what = entries(kind)
    expected = fresh(what, how)
    made(store, what, first)
    assert made(store, what, how) == expected
    hashed.clear()
    assert made(store, what, how) == expected
    assert made(store, what, SUMS) == fresh(what, SUMS)
    assert hashed == ["sha256"] * 3  # of the last, without a store


def test_a_layer_without_sums_keeps_none(store: Store, place: Path, hashed: list[object]) -> None:
    """Nothing is hashed and nothing is kept for those who want none."""
    made(store, entries(), PLAIN)
    made(store, entries(), PLAIN)
    assert hashed == []
    assert not list(place.glob("layer-sums-*"))


def test_less_does_not_replace_more(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that is made again without SHA-1 leaves that of the one before."""
    expected = made(store, entries(), BOTH)
    (record,) = place.glob("layer-sums-*")
    data = record.read_bytes()
    for path in place.glob("*.layer"):
        path.unlink()
    assert made(store, entries(), SUMS) == expected._replace(sha1=())
    assert record.read_bytes() == data


def test_what_is_found_early(tmp_path: Path, hashed: list[object]) -> None:
    """A layer whose files are compared before it is known is found with its sums: nothing more is read."""
    what = entries()
    contents = [entry.content for entry in what if entry.content is not None]
    expected = fresh(what, BOTH)

    def pack() -> Layer:
        with BackgroundLayers(str(tmp_path)) as layers:
            layers.prepare(contents, BOTH)
            layers.begin(what, BOTH, "test")
            found = layers.take(what, io.BytesIO(), BOTH)
        assert found is not None
        return found

    assert pack() == expected
    hashed.clear()
    assert pack() == expected
    assert hashed == []


def test_a_change_that_the_mark_does_not_see(store: Store) -> None:
    """Sums are those of the diff ID, not of what looks the same."""
    changed = bytearray(DATA)
    changed[len(DATA) // 3] ^= 1
    made(store, entries(), BOTH)
    for what in (entries(data=bytes(changed)), entries()):
        for _ in range(2):
            assert made(store, what, BOTH) == fresh(what, BOTH)


@KINDS
@pytest.mark.parametrize("damage", ["short", "flipped", "directory", "missing"])
def test_a_damaged_record_does_not_count(
    store: Store, place: Path, kind: Callable[[bytes], Content], damage: str
) -> None:
    """Whatever became of the file, the sums are right, and kept again."""
    expected = made(store, entries(kind), BOTH)
    (victim,) = place.glob("layer-sums-*")
    data = victim.read_bytes()
    victim.unlink()
    if damage == "directory":
        victim.mkdir()
    elif damage != "missing":
        victim.write_bytes(data[:-9] if damage == "short" else data.replace(b"0", b"1"))
    assert made(store, entries(kind), BOTH) == expected
    if damage != "directory":
        assert victim.read_bytes() == data


@pytest.mark.parametrize(
    "changes",
    [
        {"diff_id": "0" * 64},
        {"sha256": "00" * 31},
        {"sha256": "00" * 32 * 2},
        {"sha256": "zz" * 32 * 3},
        {"sha256": None},
        {"sha1": "00" * 20 * 4},
        {"sha1": ["00" * 20] * 3},
    ],
)
def test_a_record_that_does_not_fit(store: Store, changes: dict[str, object]) -> None:
    """A whole record that says something else of another layer, or not one sum for each file, is made again."""
    what = entries()
    expected = made(store, what, BOTH)
    name = f"layer-sums-{expected.diff_id.hex}"
    record = dict(store.record(name, sums.SCHEMA) or {})
    store.keep_record(name, sums.SCHEMA, {**record, **changes})
    assert made(store, what, BOTH) == expected
    assert store.record(name, sums.SCHEMA) == record


def test_a_record_that_is_too_large_is_not_kept(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a layer has more of than a record may take is computed each time."""
    monkeypatch.setattr(sums, "MOST_BYTES", 300)
    for _ in range(2):
        assert made(store, entries(), BOTH) == fresh(entries(), BOTH)
    assert not list(place.glob("layer-sums-*"))


def test_a_store_that_is_full(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the sums cannot be kept is no reason to fail."""
    what = entries()
    made(store, what, PLAIN)

    def full(*_: object) -> None:
        raise StoreError(str(place), "no space left on device")

    monkeypatch.setattr("minpack.store.part.Part.write", full)
    assert made(store, what, BOTH) == fresh(what, BOTH)
