"""Keeping a store small: what goes, in which order, and what stays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.store.prune import LEFT_BEHIND, UNUSED, clean, prune
from minpack.store.store import Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

NOW = 2_000_000_000 * 10**9


def put(place: Path, name: str, *, size: int = 10, age: int = 0) -> None:
    """A file that was last used `age` nanoseconds ago."""
    (place / name).write_bytes(bytes(size))
    os.utime(place / name, ns=(NOW - age, NOW - age))


def test_leftovers_of_killed_processes_go(store: Store, place: Path) -> None:
    """Temporary files and unfinished downloads stay for a day, as long as anybody may be writing to them."""
    for name in ("new.tmp", "new.part"):
        put(place, name, age=LEFT_BEHIND - 1)
    for name in ("old.tmp", "old.part"):
        put(place, name, age=LEFT_BEHIND + 1)
    assert prune(store, now=NOW) == (2, 20, 2, 20)
    assert sorted(os.listdir(place)) == ["new.part", "new.tmp"]


def test_what_can_be_made_again_goes_after_a_month(store: Store, place: Path) -> None:
    """Layers, unpacked tarballs and records that nobody asked for go; a download stays: it cannot be made again."""
    for ending in ("layer", "tar", "json", "blob"):
        put(place, f"old.{ending}", age=UNUSED + 1)
        put(place, f"new.{ending}", age=UNUSED - 1)
    prune(store, now=NOW)
    assert sorted(os.listdir(place)) == ["new.blob", "new.json", "new.layer", "new.tar", "old.blob"]
    prune(store, now=NOW, unused=UNUSED)
    assert sorted(os.listdir(place)) == ["new.blob", "new.json", "new.layer", "new.tar"]


def test_the_oldest_go_until_the_rest_fits(store: Store, place: Path) -> None:
    """By the time of their last use, downloads last, and no more than must."""
    for age, name in enumerate(("d.layer", "c.tar", "b.layer", "a.layer")):
        put(place, name, size=100, age=age)
    put(place, "e.blob", size=100, age=100)
    assert prune(store, 350, NOW) == (2, 200, 3, 300)
    assert sorted(os.listdir(place)) == ["c.tar", "d.layer", "e.blob"]
    prune(store, 100, NOW)
    assert os.listdir(place) == ["e.blob"]
    prune(store, 0, NOW)
    assert os.listdir(place) == []


def test_the_newest_file_tells_the_time(store: Store, place: Path) -> None:
    """Without a clock, now is when the newest file was written."""
    put(place, "new.json")
    put(place, "old.tmp", age=LEFT_BEHIND + 1)
    prune(store)
    assert os.listdir(place) == ["new.json"]


def test_what_is_asked_for_is_new(store: Store, place: Path) -> None:
    """A blob and a record that are found become the last used ones."""
    with store.put(b"data") as blob:
        sha256 = blob.sha256
    store.keep_record("facts", "minpack.test/1", {})
    for name in os.listdir(place):
        os.utime(place / name, ns=(0, 0))
    found = store.find(sha256).blob
    assert found is not None
    found.close()
    assert store.record("facts", "minpack.test/1") is not None
    assert min(file.used for file in store.files()) > NOW // 2


def test_an_open_blob_outlives_pruning(store: Store) -> None:
    """Who reads a blob reads it to its end."""
    with store.put(b"data") as blob:
        assert clean(store) == (1, 4, 0, 0)
        assert os.pread(blob.fileno(), 10, 0) == b"data"
    assert clean(store) == (0, 0, 0, 0)


def test_no_store_is_empty() -> None:
    """Without a directory there is nothing to prune."""
    with open_store(None) as store:
        assert prune(store) == clean(store) == (0, 0, 0, 0)


def test_what_is_no_file_stays(store: Store, place: Path) -> None:
    """Directories and links are not minpack's."""
    (place / "directory").mkdir()
    (place / "link").symlink_to("nowhere")
    assert clean(store) == (0, 0, 0, 0)
    assert sorted(os.listdir(place)) == ["directory", "link"]
