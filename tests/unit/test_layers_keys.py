"""Layers known by the keys of their contents: found without reading these, and never another one's."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.content import BytesContent, key_of
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.layers.keys import SCHEMA, layer_key
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, Kind, directory, file
from minpack.store.store import Store, open_store
from support.contents import Unkeyed, Unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.oci.layer import Layer

BALANCED = LayerOptions(0, Compression.BALANCED, 2, no_progress)
SETTING = (BALANCED.compression, BALANCED.mtime)
WORDS = b"".join(hashlib.sha256(b"%d" % n).digest() * 2 for n in range(4_000))


def keyed(data: bytes = WORDS) -> tuple[Entry, ...]:
    """A directory with a file and a small one, each with a key."""
    big = file(RootPath("/bin/app"), BytesContent(data), 0o755)
    return (directory(RootPath("/bin")), big, file(RootPath("/bin/small"), BytesContent(b"small")))


def unkeyed() -> tuple[Entry, ...]:
    """The same entries, of which only reading tells the bytes."""
    top, big, small = keyed()
    return (top, big._replace(content=Unkeyed(WORDS)), small)


def unread() -> tuple[Entry, ...]:
    """The same entries by their keys alone."""
    return tuple(
        one._replace(content=Unread(one.size, key_of(one.content))) if one.content is not None else one
        for one in keyed()
    )


def made(store: Store, what: tuple[Entry, ...], how: LayerOptions = BALANCED) -> tuple[bytes, Layer]:
    """The layer as it is written with this store."""
    out = io.BytesIO()
    layer = write_kept_layer(what, out, store, how, "test")
    return out.getvalue(), layer


def fresh(what: tuple[Entry, ...], how: LayerOptions = BALANCED) -> tuple[bytes, Layer]:
    """The layer as it is written without any store."""
    with open_store(None) as none:
        return made(none, what, how)


@pytest.mark.parametrize("first", [keyed, unkeyed])
def test_nothing_is_read_again(store: Store, first: Callable[[], tuple[Entry, ...]]) -> None:
    """The kept layer is the one that the keys name, whether its contents had keys when it was made or only since."""
    expected = made(store, first())
    assert expected == fresh(keyed())
    assert made(store, keyed()) == expected
    assert made(store, unread()) == expected


def test_a_layer_with_a_content_that_has_no_key_is_read(store: Store) -> None:
    """One such content is enough: where the others may not be read, there is no layer."""
    made(store, unkeyed())
    top, big, small = unread()
    for what in (
        (top, big._replace(content=Unkeyed(WORDS)), small),
        (top, big, small._replace(content=Unkeyed(b"small"))),
    ):
        with pytest.raises(AssertionError, match="it is read"):
            made(store, what)


@pytest.mark.parametrize("ending", ["layer", "json"])
@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "other", "missing"])
def test_damage_does_not_count(store: Store, place: Path, ending: str, damage: str) -> None:
    """Whatever became of a kept file, the layer is what it would be without, and kept again."""
    expected = made(store, keyed())
    (victim,) = place.glob(f"*.{ending}")
    data = victim.read_bytes()
    middle = len(data) // 2
    victim.unlink()
    if damage == "other":
        made(store, keyed(WORDS[::-1]))
        (other,) = place.glob(f"*.{ending}")
        other.rename(victim)
    elif damage != "missing":
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        victim.write_bytes({"empty": b"", "short": data[:-1], "flipped": flipped}[damage])
    assert made(store, keyed()) == expected
    assert victim.read_bytes() == data


def test_one_byte_makes_another_layer(store: Store) -> None:
    """A file that differs in a byte, and a file that has the bytes of another, make a layer of their own."""
    made(store, keyed())
    changed = keyed(WORDS[:-1] + bytes([WORDS[-1] ^ 1]))
    assert made(store, changed) == fresh(changed)
    top, big, small = keyed()
    swapped = (top, big._replace(content=small.content), small._replace(content=big.content))
    assert made(store, swapped) == fresh(swapped)
    assert made(store, (top, small, big)) == fresh((top, small, big))


@pytest.mark.parametrize("changed", ["size", "digest", "schema"])
def test_a_record_that_does_not_fit(store: Store, place: Path, changed: str) -> None:
    """What a record of another form says does not count, nor one of another layer's bytes."""
    expected = made(store, keyed())
    (path,) = place.glob("layer-key-*.json")
    record = {**json.loads(path.read_text()), changed: "x" if changed != "size" else 1}
    schema = str(record.pop("schema"))
    del record["sum"]
    store.keep_record(path.stem, schema, record)
    assert made(store, keyed()) == expected


#: Values between which a sloppy description would not tell.
TEXTS = st.text(st.sampled_from('/a1 ,"[]\\\n\0\u00e9\udcc3\udca9\ud83d\ude00\U0001f600'), max_size=4)
NUMBERS = st.integers(0, 12)


@st.composite
def rows(draw: st.DrawFn) -> Entry:
    """An entry of any kind, with a content's key or without."""
    content = draw(st.none() | st.builds(Unread, NUMBERS, TEXTS.filter(bool), st.just("")))
    kind = draw(st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.HARDLINK]))
    return Entry(RootPath(draw(TEXTS)), kind, draw(NUMBERS), draw(NUMBERS), draw(NUMBERS), content, draw(TEXTS))


FIELDS = ("path", "kind", "mode", "uid", "gid", "content", "link")


@given(st.lists(rows(), max_size=3), st.lists(rows(), max_size=3))
def test_keys_of_layers_differ_where_anything_does(one: list[Entry], other: list[Entry]) -> None:
    """Two layers have one key if their entries are the same in the same order, and only then."""
    others = [other]
    for at, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        changed = (mine._replace(**{field: getattr(theirs, field)}) for field in FIELDS)
        others += [[*one[:at], entry, *one[at + 1 :]] for entry in changed]
    key = layer_key(one, *SETTING)
    assert key
    for what in others:
        assert (layer_key(what, *SETTING) == key) == (what == one)


@pytest.mark.parametrize(("one", "other"), [("\ud83d\ude00", "\U0001f600"), ("\udcc3\udca9", "\u00e9")])
def test_halves_are_not_taken_for_a_whole(one: str, other: str) -> None:
    """Half characters beside each other, and bytes that stand for themselves, are not the character they would make."""
    assert layer_key([directory(RootPath(one))], *SETTING) != layer_key([directory(RootPath(other))], *SETTING)


@pytest.mark.parametrize("how", [BALANCED._replace(mtime=1), BALANCED._replace(compression=Compression.SMALL)])
def test_keys_of_layers_differ_by_how_they_are_made(how: LayerOptions) -> None:
    """Time and setting are in the key."""
    assert layer_key(keyed(), how.compression, how.mtime) != layer_key(keyed(), *SETTING)


#: The beginnings of the digests of a layer that has all kinds of entries.
PINNED = {
    "none": "ce8bd039fac80234",
    "balanced": "247186b9c654b0a4",
    "small": "8c545269b3c0c68a",
    "zstd": "286624da48fbf839",
    "zstd-small": "c8e186a8f6760913",
}


def test_another_schema_where_the_bytes_are_others() -> None:
    """A layer of one schema has the same bytes today as when it was kept.

    A layer that is known by its key is not made again to compare: when this fails, and the libraries are the same,
    raise the number of `SCHEMA`.
    """
    long = "x" * 120
    what = (
        Entry(RootPath("/d"), Kind.DIRECTORY, 0o1777, 1, 2),
        file(RootPath("/d/file"), BytesContent(WORDS * 10), 0o755),
        Entry(RootPath("/d/hard"), Kind.HARDLINK, 0o755, link="/d/file"),
        Entry(RootPath(f"/d/{long}/{long}"), Kind.SYMLINK, 0o777, 1 << 30, 1 << 30, link=f"{long}\u00e9\udcff"),
    )
    sums = {}
    for compression in Compression:
        data, layer = fresh(what, LayerOptions(7, compression, 2, no_progress))
        assert hashlib.sha256(data).hexdigest() == layer.descriptor.digest.hex
        sums[str(compression)] = layer.descriptor.digest.hex[:16]
    assert (SCHEMA, sums) == ("minpack.layer/4", PINNED)
