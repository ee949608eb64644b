"""What lock files name stays in the store as long as they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.store.pins import pin
from minpack.store.prune import clean, prune
from minpack.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(tmp_path / "store")) as opened:
        yield opened


def put(store: Store, data: bytes) -> str:
    """Keep the bytes; their sum."""
    with store.put(data) as blob:
        return blob.sha256


def blobs(store: Store) -> set[str]:
    """The sums of all downloads that are kept."""
    return {file.name.removesuffix(".blob") for file in store.files() if file.name.endswith(".blob")}


def test_what_a_lock_names_stays(store: Store, tmp_path: Path) -> None:
    """Neither the bound nor the age removes it; all else goes."""
    locked, other = put(store, b"locked"), put(store, b"other")
    lock = tmp_path / "minpack.lock"
    lock.touch()
    pin(store, str(lock), [locked])
    prune(store, 0, unused=0)
    assert blobs(store) == {locked}
    assert other not in blobs(store)
    prune(store, 0, now=2**62, unused=0)
    assert blobs(store) == {locked}


def test_a_lock_that_is_gone_keeps_nothing(store: Store, tmp_path: Path) -> None:
    """Another that names the same does."""
    both, one = put(store, b"both"), put(store, b"one")
    first, second = tmp_path / "1.lock", tmp_path / "2.lock"
    first.touch()
    second.touch()
    pin(store, str(first), [both, one])
    pin(store, str(second), [both])
    first.unlink()
    prune(store, 0)
    assert blobs(store) == {both}
    second.unlink()
    prune(store, 0)
    assert not store.files()


def test_a_lock_that_names_something_else_now(store: Store, tmp_path: Path) -> None:
    """What it named before goes."""
    old, new = put(store, b"old"), put(store, b"new")
    lock = tmp_path / "minpack.lock"
    lock.touch()
    pin(store, str(lock), [old])
    pin(store, str(lock), [new])
    prune(store, 0)
    assert blobs(store) == {new}


def test_a_record_that_is_damaged_keeps_nothing(store: Store, tmp_path: Path) -> None:
    """It is removed."""
    lock = tmp_path / "minpack.lock"
    lock.touch()
    pin(store, str(lock), [put(store, b"x")])
    (record,) = (tmp_path / "store").glob("lock-*.json")
    record.write_bytes(record.read_bytes()[:-2])
    prune(store, 0)
    assert not store.files()


def test_a_store_that_is_emptied_is_empty(store: Store, tmp_path: Path) -> None:
    """`minpack cache clean` means all of it."""
    lock = tmp_path / "minpack.lock"
    lock.touch()
    pin(store, str(lock), [put(store, b"x")])
    clean(store)
    assert not store.files()
