"""The store: what it refuses, what it keeps, and what it makes of damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.content import read_all
from minpack.errors import StoreError
from minpack.store.blob import TAR
from minpack.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Generator

DATA = b"some bytes worth keeping\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
NOBODY = 65534
SCHEMA = "minpack.test/1"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "cache" / "minpack" / "v1"


@pytest.fixture
def store(directory: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(directory)) as opened:
        yield opened


@pytest.fixture
def public() -> Generator[Path]:
    """A directory that every user can pass."""
    path = Path(tempfile.mkdtemp(prefix="minpack-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def keep(store: Store, data: bytes = DATA) -> str:
    """Put `data` into the store; its SHA-256."""
    with store.put(data) as blob:
        return blob.sha256


def test_directories_are_made_private(directory: Path, tmp_path: Path) -> None:
    """The directory and every parent that was missing are 0700, whatever the umask."""
    old = os.umask(0)
    try:
        open_store(str(directory)).close()
    finally:
        os.umask(old)
    for path in (directory, directory.parent, directory.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert directory.is_relative_to(tmp_path)


def test_blobs_come_back(store: Store, directory: Path) -> None:
    """What was put is found by its SHA-256, also through another store on the same directory."""
    assert keep(store) == SHA256
    with open_store(str(directory)) as again:
        blob = again.find(SHA256).blob
    assert blob is not None
    with blob:
        assert (blob.size, blob.sha256, blob.where) == (len(DATA), SHA256, f"{directory}/{SHA256}.blob")
        assert os.pread(blob.fileno(), 1 << 20, 0) == DATA
        assert read_all(blob, 1 << 20) == DATA


def test_files_are_private(store: Store, directory: Path) -> None:
    """Blobs and records are 0600, and no temporary file is left."""
    keep(store)
    store.keep_record("facts", SCHEMA, {})
    assert sorted(path.name for path in directory.iterdir()) == sorted([f"{SHA256}.blob", "facts.json"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_an_unknown_blob_is_not_found(store: Store) -> None:
    """A sum that nothing has gives no blob and no note."""
    assert store.find("0" * 64) == (None, "")


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"\0", b"X" + DATA[1:]])
def test_a_damaged_blob_does_not_count(store: Store, directory: Path, damaged: bytes) -> None:
    """A blob whose bytes changed is removed with a note, and can be put again."""
    file = directory / f"{keep(store)}.blob"
    file.write_bytes(damaged)
    found = store.find(SHA256)
    assert found.blob is None
    assert file.name in found.note
    assert not file.exists()
    keep(store)
    blob = store.find(SHA256).blob
    assert blob is not None
    blob.close()


def plant(path: Path, kind: str) -> None:
    """Put something that is not a file of the store's there."""
    match kind:
        case "directory":
            (path / "deeper").mkdir(parents=True)
        case "pipe":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case "link":
            path.with_name("other").write_bytes(DATA)
            path.symlink_to("other")
        case _:
            path.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "link", "dangling"])
def test_what_is_no_file_counts_as_absent(store: Store, directory: Path, kind: str) -> None:
    """What lies in the place of a file of the store's and is none is not read, nothing waits, and it is replaced."""
    plant(directory / f"{SHA256}.blob", kind)
    plant(directory / "facts.json", kind)
    plant(directory / "key.part", kind)
    plant(directory / f"{SHA256}.tar", kind)
    assert store.find(SHA256) == (None, "")
    assert store.find_tar(SHA256, len(DATA)) is None
    assert store.record("facts", SCHEMA) is None
    keep(store)
    store.keep_record("facts", SCHEMA, {})
    with store.part("key") as part:
        part.write(DATA, 0)
        part.keep(SHA256, TAR).close()
    blob, tar = store.find(SHA256).blob, store.find_tar(SHA256, len(DATA))
    assert blob is not None
    assert tar is not None
    blob.close()
    os.close(tar)
    assert store.record("facts", SCHEMA) == {"schema": SCHEMA}
    assert {path.name for path in directory.iterdir()} <= {
        f"{SHA256}.blob", "facts.json", f"{SHA256}.tar", "other"
    }  # fmt: skip


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_file_of_another_user_counts_as_absent(store: Store, directory: Path) -> None:
    """It is replaced, not written to."""
    path = directory / f"{keep(store)}.blob"
    os.chown(path, NOBODY, NOBODY)
    assert store.find(SHA256) == (None, "")
    keep(store)
    assert path.stat().st_uid == 0


def test_a_file_that_is_removed_meanwhile_is_no_error(store: Store, directory: Path) -> None:
    """Where the store is emptied while something is written to it, the bytes are there, and are not kept."""
    with store.draft() as draft, store.part("key") as part:
        for written in (draft, part):
            written.write(DATA, 0)
        for path in directory.iterdir():
            path.unlink()
        for written in (draft, part):
            with written.keep(SHA256) as blob:
                assert (read_all(blob, 1 << 20), blob.where) == (DATA, "a temporary file")
    assert list(directory.iterdir()) == []


def test_an_open_blob_outlives_its_file(store: Store, directory: Path) -> None:
    """A blob reads the same after its file was removed and the store closed."""
    with store.put(DATA) as blob:
        (directory / f"{SHA256}.blob").unlink()
        store.close()
        assert read_all(blob, 1 << 20) == DATA


def test_records_come_back(store: Store) -> None:
    """A record has its values and its schema, and the newest one wins."""
    store.keep_record("a-1.x_y", SCHEMA, {"old": True})
    store.keep_record("a-1.x_y", SCHEMA, {"size": 3, "names": ["ü"]})
    assert store.record("a-1.x_y", SCHEMA) == {"schema": SCHEMA, "size": 3, "names": ["ü"]}
    store.drop_record("a-1.x_y")
    assert store.record("a-1.x_y", SCHEMA) is None
    store.drop_record("a-1.x_y")


def test_no_record_is_kept_that_would_not_be_read(store: Store, directory: Path) -> None:
    """The limit that reading has holds for writing: no file lies there that nobody ever takes."""
    for size in range(900, 1100):
        store.keep_record(f"r{size}", "s/1", {"text": "x" * size}, 1000)
        kept = store.record(f"r{size}", "s/1", 1000)
        assert (kept is not None) == (directory / f"r{size}.json").exists()
    assert store.record("r1099", "s/1") is None
    store.keep_record("large", "s/1", {"text": "x" * (1 << 20)})
    assert not (directory / "large.json").exists()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"schema": "minpack.test/2"}',
        b'{"schema": ["minpack.test/1"]}',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"schema": "minpack.test/1", "n": ' + b"9" * 10_000 + b"}",
        b'{"schema": "minpack.test/1"}' + b" " * (1 << 20),
    ],
)
def test_a_damaged_record_does_not_count(store: Store, directory: Path, damaged: bytes) -> None:
    """What is not a JSON object of the schema asked for, or too big, is as good as absent."""
    (directory / "facts.json").write_bytes(damaged)
    assert store.record("facts", SCHEMA) is None


@pytest.mark.parametrize("name", ["", "../facts", "a/b", "Facts", ".facts", "a" * 201, "a\n"])
def test_records_have_plain_names(store: Store, name: str) -> None:
    """A name that could leave the directory or mean two files is a mistake of the caller."""
    with pytest.raises(ValueError, match="not a name of a record"):
        store.keep_record(name, SCHEMA, {})
    with pytest.raises(ValueError, match="not a name of a record"):
        store.record(name, SCHEMA)


def test_no_directory_keeps_nothing() -> None:
    """Without a directory a blob is a file without a name, and nothing is a problem."""
    with open_store(None) as store, store.put(DATA) as blob:
        assert read_all(blob, 1 << 20) == DATA
        assert blob.sha256 == SHA256
        assert store.find(SHA256).blob is None
        store.keep_record("facts", SCHEMA, {})
        assert store.record("facts", SCHEMA) is None
        assert store.problem == ""


@pytest.mark.parametrize("parent", ["/dev/null", "/proc/no/such"])
def test_a_directory_that_cannot_be_made_keeps_nothing(parent: str) -> None:
    """Where the home directory is not a directory, blobs still work, and the problem is known."""
    with open_store(f"{parent}/.cache/minpack/v1") as store, store.put(DATA) as blob:
        assert read_all(blob, 1 << 20) == DATA
        assert parent in store.problem


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_link_is_refused(directory: Path, tmp_path: Path, slashes: str) -> None:
    """A symbolic link is no store, wherever it leads."""
    (tmp_path / "elsewhere").mkdir(0o700)
    directory.parent.mkdir(parents=True)
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="symbolic link") as caught:
        open_store(str(directory) + slashes)
    assert "--cache-dir" in (caught.value.hint or "")


def test_a_dangling_link_is_refused(directory: Path) -> None:
    """A link to nothing is refused too, and nothing is made behind it."""
    directory.parent.mkdir(parents=True)
    directory.symlink_to("nothing")
    with pytest.raises(StoreError, match="symbolic link"):
        open_store(str(directory))
    assert not (directory.parent / "nothing").exists()


def test_a_file_is_refused(directory: Path) -> None:
    """A file is no store."""
    directory.parent.mkdir(parents=True)
    directory.write_bytes(b"")
    with pytest.raises(StoreError, match="not a directory"):
        open_store(str(directory))


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_may_write_is_refused(directory: Path, mode: int) -> None:
    """Nobody else may be able to plant files."""
    directory.mkdir(parents=True)
    directory.chmod(mode)
    with pytest.raises(StoreError, match="other users may write"):
        open_store(str(directory))


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_directory_of_another_user_is_refused(directory: Path) -> None:
    """A directory that belongs to somebody else is refused, though root could use it."""
    directory.mkdir(parents=True, mode=0o700)
    os.chown(directory, NOBODY, NOBODY)
    with pytest.raises(StoreError, match=f"another user.*{NOBODY}"):
        open_store(str(directory))


# The interpreter itself may lie where only root can go, so everything is imported first.
AS_NOBODY = """
import fcntl, json, os, sys, tempfile
from minpack.store.store import open_store
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
with open_store(sys.argv[1]) as store:
    found = store.find(sys.argv[2])
    with store.put(b"new") as blob:
        print(found.blob is not None, blob.where, store.problem)
"""


def as_nobody(directory: Path) -> str:
    """What a process of another user says of the store in `directory`."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(directory), SHA256],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_read_only_store_is_used(public: Path) -> None:
    """Blobs of a store that cannot be written are found, and new ones go to files without a name."""
    directory = public / "v1"
    with open_store(str(directory)) as store:
        file = directory / f"{keep(store)}.blob"
    os.chown(directory, NOBODY, NOBODY)
    os.chown(file, NOBODY, NOBODY)
    directory.chmod(0o500)
    before = sorted(directory.iterdir())
    assert as_nobody(directory) == f"True a temporary file '{directory}' cannot be written: permission denied"
    assert sorted(directory.iterdir()) == before


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_store_behind_a_closed_door_is_none(public: Path) -> None:
    """Where a parent cannot be passed, nothing is found and nothing is kept, and that is not an error."""
    (public / "door").mkdir(0o700)
    answer = as_nobody(public / "door" / "v1")
    assert answer == f"False a temporary file '{public}/door/v1' cannot be made: permission denied"


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    """A disk without space gives a StoreError, and no half file stays."""
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(mount)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mount is not allowed here")
    try:
        with open_store(str(mount / "v1")) as store, pytest.raises(StoreError, match="no space left"):
            store.put(bytes(1 << 20))
        assert list((mount / "v1").iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_leftovers_do_no_harm(store: Store, directory: Path) -> None:
    """Temporary files of a killed process are not taken for anything."""
    (directory / f"{'0' * 32}.tmp").write_bytes(b"half")
    (directory / f"{SHA256}.part").write_bytes(b"half")
    assert store.find(SHA256).blob is None
    assert keep(store) == SHA256


def test_an_unfinished_download_stays(store: Store) -> None:
    """What was written to a part is there for the next one, until it is kept."""
    with store.part("key") as part:
        part.write(b"half", 0)
    with store.part("key") as part:
        assert part.size == 4
        part.write(b" done", 4)
        part.keep(part.sum("sha256")).close()
    with store.part("key") as part:
        assert part.size == 0
    blob = store.find(hashlib.sha256(b"half done").hexdigest()).blob
    assert blob is not None
    blob.close()


def test_an_empty_part_leaves_nothing(store: Store, directory: Path) -> None:
    """A download that brought nothing leaves no file."""
    with store.part("key"):
        assert [path.name for path in directory.iterdir()] == ["key.part"]
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("keeps", [True, False])
def test_a_part_is_one_processs_own(store: Store, directory: Path, *, keeps: bool) -> None:
    """Who asks for a part in use waits until it is kept or given up, and then has a fresh or the same one."""
    sizes: list[int] = []

    def wait() -> None:
        with open_store(str(directory)) as other, other.part("key") as part:
            sizes.append(part.size)

    with store.part("key") as part:
        part.write(b"half", 0)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.2)
        assert sizes == []
        if keeps:
            # The blob stays open, and yet the lock is free.
            blob = part.keep(part.sum("sha256"))
            thread.join(20)
            assert sizes == [0]
            blob.close()
    thread.join(20)
    assert sizes == [0 if keeps else 4]


def test_writers_do_not_hurt_each_other(directory: Path) -> None:
    """Processes that write the same record and blobs at once leave whole files only."""
    script = """
import sys
from minpack.store.store import open_store
with open_store(sys.argv[1]) as store:
    for n in range(100):
        store.keep_record("same", "minpack.test/1", {"who": sys.argv[2], "n": n, "text": "x" * 5000})
        record = store.record("same", "minpack.test/1")
        assert record is not None and len(record["text"]) == 5000
        store.put(b"blob" * n).close()
        assert store.find(store.put(b"blob" * n).sha256).blob is not None
"""
    running = [subprocess.Popen([sys.executable, "-c", script, str(directory), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    names = [path.name for path in directory.iterdir()]
    assert sum(name.endswith(".blob") for name in names) == 100
    assert len(names) == 101
    assert json.loads((directory / "same.json").read_bytes())["n"] == 99


def test_heavy_libraries_are_left_alone() -> None:
    """Looking into the store and the catalogue loads no network library and no JSON parser before one is needed."""
    script = """
import sys
import minpack.catalog.alpine, minpack.alpine.release, minpack.store.fetch, minpack.store.store
print([name for name in ("urllib3", "ssl", "urllib", "http", "json", "tempfile", "certifi") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
