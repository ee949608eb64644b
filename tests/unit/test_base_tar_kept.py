"""Tarballs that were opened before: the same base from the kept tar, whatever became of that."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base import tar_index, tar_kept, tarball
from minpack.base.tar_index import index_of
from minpack.base.tar_table import MAX_TABLE, max_table
from minpack.base.tarball import open_tarball
from minpack.content import RangeContent, key_of, read_all, sum_of
from minpack.errors import ArchiveError, BaseError, InputError
from minpack.paths import RootPath
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES
from support.capabilities import NET_RAW
from support.tarmaker import archive, symlink
from support.trees import described

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minpack.base.interface import Base
    from minpack.content import Content
    from minpack.store.store import Store

BIG = b"".join(b"%08d" % number for number in range(40_000))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A compressed tarball with a file of every kind, odd names, and a directory that is only implied."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, data, link in (
            ("bin", tarfile.DIRTYPE, b"", ""),
            ("bin/big", tarfile.REGTYPE, BIG, ""),
            ("bin/again", tarfile.LNKTYPE, b"", "bin/big"),
            ("bin/link", tarfile.SYMTYPE, b"", "big"),
            ("implied/dir/gr\u00fc\udcff", tarfile.REGTYPE, b"odd", ""),
            ("dev/null", tarfile.CHRTYPE, b"", ""),
            ("empty", tarfile.REGTYPE, b"", ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode, info.uid = kind, link, len(data), 0o750, 7
            if name == "bin/big":
                info.pax_headers = {"SCHILY.xattr.security.capability": NET_RAW.decode("ascii")}
            tar.addfile(info, io.BytesIO(data))
    path = tmp_path / "base.tar.gz"
    path.write_bytes(gzip.compress(out.getvalue(), 1))
    return path


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, nothing may be unpacked."""

    def forbid() -> None:
        def unpack(*_: object) -> tuple[int, int]:
            raise AssertionError("a tarball is unpacked")

        monkeypatch.setattr(tarball, "_unpack", unpack)

    return forbid


def seen(path: Path, store: Store | None) -> tuple[object, ...]:
    """All that the base says of itself, contents too."""
    with open_tarball(str(path), path.name, store=store) as base:
        return described(base), sorted(base.implied), _listed(base)


def _listed(base: Base) -> list[tuple[str, ...]]:
    return [base.listdir(RootPath(path)) for path in ("/", "/bin", "/implied", "/none")]


def test_the_second_base_is_the_first(packed: Path, store: Store, idle: Callable[[], None]) -> None:
    """A tarball is unpacked once; from then on its base says the same from the kept tar and its index."""
    expected = seen(packed, None)
    assert seen(packed, store) == expected
    idle()
    assert seen(packed, store) == expected
    os.rename(packed, packed.with_name("moved"))
    assert seen(packed.with_name("moved"), store) == expected, "it is known by its bytes, not by its name"


@pytest.mark.data
@pytest.mark.parametrize("name", ["alpine-minirootfs-3.20.3-x86_64.tar.gz", "busybox-musl-amd64.tar.gz"])
def test_real_bases_are_the_same(data: Path, store: Store, idle: Callable[[], None], name: str) -> None:
    """Real minirootfs tarballs give the same base from the store, every byte of it."""
    path = data / "bases" / name
    expected = seen(path, store)
    idle()
    assert seen(path, store) == expected


@pytest.mark.parametrize("ending", ["tar", "index"])
@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "end", "missing"])
def test_damage_is_not_seen(packed: Path, store: Store, place: Path, ending: str, damage: str) -> None:
    """Whatever became of the kept files, the base is what the tarball says."""
    expected = seen(packed, store)
    (victim,) = place.glob(f"*.{ending}")
    data = bytearray(victim.read_bytes())
    victim.unlink()
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "end":
        data[-1] ^= 1
    if damage != "missing":
        victim.write_bytes({"empty": b"", "short": bytes(data[:-512])}.get(damage, bytes(data)))
    assert seen(packed, store) == expected
    assert seen(packed, store) == expected


def test_a_damaged_tar_is_kept_anew(packed: Path, store: Store, place: Path) -> None:
    """The run that meets the damage drops the tar, and the next one keeps a new one."""
    seen(packed, store)
    (victim,) = place.glob("*.tar")
    whole = victim.read_bytes()
    victim.write_bytes(whole.replace(BIG[:100], b"x" * 100))
    seen(packed, store)
    assert not victim.exists()
    seen(packed, store)
    assert victim.read_bytes() == whole


def test_a_piece_is_checked_once(packed: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a file again costs nothing more, and what nobody reads is not checked."""
    seen(packed, store)
    checked: list[int] = []
    original = tar_kept.KeptTar._check_piece

    def check(self: tar_kept.KeptTar, number: int) -> None:
        checked.append(number)
        original(self, number)

    monkeypatch.setattr(tar_kept.KeptTar, "_check_piece", check)
    with open_tarball(str(packed), "base", store=store) as base:
        entry = base.lstat(RootPath("/bin/big"))
        assert entry is not None
        assert entry.content is not None
        assert checked == []
        with entry.content.open() as reader:
            assert reader.read_at(8, 8) == BIG[8:16]
            assert checked == [0]
        assert read_all(entry.content, 1 << 20) == BIG
        assert read_all(entry.content, 1 << 20) == BIG
        assert checked == sorted(set(checked))


def test_a_store_without_room(packed: Path, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tars that take too much of the store are not kept, and nothing changes."""
    monkeypatch.setattr(tar_kept, "MOST_TAR_BYTES", 1000)
    assert seen(packed, store) == seen(packed, None)
    assert os.listdir(place) == []


def test_an_index_that_would_not_be_read_is_not_kept(
    packed: Path, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound that reading has holds for writing."""
    expected = seen(packed, None)
    monkeypatch.setattr(tar_kept, "MAX_TABLE", 100)
    assert seen(packed, store) == expected
    assert os.listdir(place) == []


def test_the_largest_index_is_read(
    tmp_path: Path, store: Store, idle: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many entries and as long names as there may be make an index below the bound of its bytes."""
    for most, names in ((50, 1 << 20), (10_000, 30_000)):
        monkeypatch.setattr(tar_index, "MAX_ENTRIES", most)
        monkeypatch.setattr(tar_index, "MAX_NAMES", names)
        members: list[bytes] = []
        path = tmp_path / f"{most}.tar.gz"
        for number in range(most):
            members.append(symlink(f"d{number}/{'n' * 80}", "t" * 90))
            path.write_bytes(gzip.compress(archive(*members)))
            try:
                open_tarball(str(path), "base").close()
            except ArchiveError:
                break
        path.write_bytes(gzip.compress(archive(*members[:-1])))
        seen(path, store)
        table = len(index_of(tar_of(tmp_path, archive(*members[:-1])), "base").table)
        assert table <= max_table(most, names)
    assert max_table(MAX_ENTRIES, MAX_NAMES) == MAX_TABLE
    idle()
    seen(path, store)


def tar_of(place: Path, data: bytes) -> RangeContent:
    """A tar in a file that stays open."""
    (place / "open.tar").write_bytes(data)
    return RangeContent(os.open(place / "open.tar", os.O_RDONLY), 0, len(data), "open.tar")


def test_no_room_to_unpack_anew(packed: Path, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a damaged tar cannot be unpacked anew, that is one clear error."""
    seen(packed, store)
    (victim,) = place.glob("*.tar")
    victim.write_bytes(bytes(victim.stat().st_size))

    def unpack(*_: object) -> tuple[int, int]:
        raise BaseError("base", "it cannot be unpacked")

    monkeypatch.setattr(tarball, "_unpack", unpack)
    with pytest.raises(BaseError, match="cannot be unpacked"):
        seen(packed, store)


def other_tarball(packed: Path) -> bytes:
    """A tarball as long as `packed`, which differs in one byte of its first file."""
    data = packed.read_bytes()
    return gzip.compress(gzip.decompress(data).replace(b"00012345", b"90012345")).ljust(len(data), b"\0")


def overwrite(path: Path, data: bytes) -> None:
    """Write into the file that is there."""
    with path.open("r+b") as file:
        file.write(data)


def test_a_tarball_that_changes_before_it_is_unpacked(
    packed: Path, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unpacked is not kept under the sum of what was there before."""
    other = other_tarball(packed)

    def sum_and_change(content: Content) -> str:
        found = sum_of(content)
        overwrite(packed, other)
        return found

    os.utime(packed, (0, 0))
    monkeypatch.setattr(tarball, "sum_of", sum_and_change)
    seen(packed, store)
    assert os.listdir(place) == []


@pytest.mark.parametrize("sha256", ["", "0" * 64])
def test_a_tarball_that_is_used_meanwhile(
    packed: Path, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch, sha256: str
) -> None:
    """A blob gets a new time whenever somebody finds it: its sum is known, so that is no reason not to keep its tar."""
    unpack = tarball._unpack

    def touch_and_unpack(*arguments: Any) -> tarball._Unpacked:
        os.utime(packed, (0, 0))
        return unpack(*arguments)

    monkeypatch.setattr(tarball, "_unpack", touch_and_unpack)
    with open_tarball(str(packed), "base", store=store, sha256=sha256):
        assert bool(os.listdir(place)) == bool(sha256)


def test_a_tarball_that_changes_before_it_is_unpacked_anew(packed: Path, store: Store, place: Path) -> None:
    """A damaged tar is not replaced by another tarball's."""
    seen(packed, store)
    (victim,) = place.glob("*.tar")
    with open_tarball(str(packed), "base", store=store) as base:
        victim.write_bytes(bytes(victim.stat().st_size))
        overwrite(packed, other_tarball(packed))
        entry = base.lstat(RootPath("/bin/big"))
        assert entry is not None
        assert entry.content is not None
        with pytest.raises(InputError, match="it changed while it was read"):
            read_all(entry.content, 1 << 20)


def test_a_key_fixes_the_bytes(packed: Path, store: Store, tmp_path: Path) -> None:
    """Files have a key once their tar is kept: that of the tarball's bytes, wherever it lies, and of their place."""
    seen(packed, store)
    copy = tmp_path / "copy.tar.gz"
    copy.write_bytes(packed.read_bytes())
    other = tmp_path / "other.tar.gz"
    other.write_bytes(other_tarball(packed))
    seen(other, store)
    keys = []
    for path in (packed, copy, other):
        with open_tarball(str(path), path.name, store=store) as base:
            found = [base.lstat(RootPath(name)) for name in ("/bin/big", "/bin/again", "/empty")]
            keys.append([key_of(entry.content) for entry in found if entry is not None and entry.content is not None])
    assert keys[0] == keys[1]
    assert keys[0][0] == keys[0][1], "a hard link is the same file"
    assert len({*keys[0], *keys[2]}) == 4
    assert "" not in keys[0]
    with open_tarball(str(packed), "base", store=None) as base:
        entry = base.lstat(RootPath("/bin/big"))
        assert entry is not None
        assert entry.content is not None
        assert key_of(entry.content) == ""


def test_files_are_closed(packed: Path, store: Store) -> None:
    """A base from the store leaves no file open, also where it had to be unpacked anew."""
    seen(packed, store)
    before = len(os.listdir("/proc/self/fd"))
    seen(packed, store)
    assert len(os.listdir("/proc/self/fd")) == before
