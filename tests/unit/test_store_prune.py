"""Keeping a store small: what goes, in which order, and what stays."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minpack.store.prune import LEFT_BEHIND, UNUSED, clean, prune
from minpack.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 2_000_000_000 * 10**9


def put(place: Path, name: str, *, size: int = 10, age: int = 0) -> None:
    """A file that was last used `age` nanoseconds ago."""
    (place / name).write_bytes(bytes(size))
    os.utime(place / name, ns=(NOW - age, NOW - age))


#: Writes two unfinished files into a store, and waits to be killed.
WRITER = """
import sys, time
from minpack.store.store import open_store
with open_store(sys.argv[1]) as store, store.draft() as draft, store.part("key") as part:
    draft.write(b"half", 0)
    part.write(b"half", 0)
    print(flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(store: Store, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes into the store."""
    assert store.keeps
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"\n"
        yield process
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def test_leftovers_of_a_killed_process_go(store: Store, place: Path, writer: subprocess.Popen[bytes]) -> None:
    """A temporary file goes as soon as its process is dead; a download that it began stays for a day, to be resumed."""
    kinds = [".part", ".tmp"]
    assert prune(store) == (0, 0, 2, 8)
    writer.kill()
    writer.wait(20)
    assert sorted(path.suffix for path in place.iterdir()) == kinds
    assert prune(store) == (1, 4, 1, 4)
    os.utime(place / "key.part", ns=(NOW - LEFT_BEHIND, NOW - LEFT_BEHIND))
    assert prune(store, now=NOW) == (0, 0, 1, 4)
    assert prune(store, now=NOW + 1) == (1, 4, 0, 0)


@pytest.mark.usefixtures("writer")
def test_what_is_being_written_stays(store: Store, place: Path) -> None:
    """However old or large: another process would lose what it brings."""
    for path in place.iterdir():
        os.utime(path, ns=(0, 0))
    assert prune(store, most_bytes=0, now=NOW, unused=0) == (0, 0, 2, 8)
    assert clean(store) == (0, 0, 2, 8)


def test_without_locks_leftovers_stay_for_a_day(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system cannot tell who writes, time does."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
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


def test_what_is_no_file_of_the_stores(store: Store, place: Path) -> None:
    """A directory or link with another name stays; one in the place of a file goes, with all that is in it."""
    outside = place.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    for remove in (clean, prune):
        for name in ("other", "0.blob"):
            (place / name / "deeper").mkdir(parents=True)
        (place / "link").symlink_to(outside)
        (place / "facts.json").symlink_to(outside)
        os.mkfifo(place / "1.tmp")
        assert remove(store) == (0, 0, 0, 0)
        assert sorted(os.listdir(place)) == ["link", "other"]
        (place / "link").unlink()
        (place / "other" / "deeper").rmdir()
        (place / "other").rmdir()
    assert os.listdir(outside) == ["kept"]
