"""An image's layers as a base: verified, kept by their digests, and read only where something of them is wanted."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.content import BytesContent, FileContent, key_of, read_all
from minpack.errors import ArchiveError, BaseError, InputError, SumMismatchError
from minpack.paths import RootPath
from minpack.store.store import open_store
from support.layers import Layer, facts_of, layer, link, member, tar_of
from support.tarmaker import archive, sparse_member

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from minpack.content import Content

BIG = bytes(range(256)) * 2000
LOWER = layer(tar_of(member("lib/low", BIG), member("etc/x", b"x")))
UPPER = layer(tar_of(member("lib/up", BIG[::-1]), link("lib/again", "lib/low", hard=True)), "zstd")


class Source:
    """Layers, and how often each was asked for."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self.asked = [0] * len(layers)

    def blobs(self) -> list[LayerBlob]:
        """The layers as an image has them."""
        return [
            LayerBlob(f"layer {at + 1}", one.descriptor()["digest"][7:], one.diff_id[7:], self._fetch(at))
            for at, one in enumerate(self.layers)
        ]

    def _fetch(self, number: int) -> Callable[[], AbstractContextManager[Content]]:
        def fetch() -> AbstractContextManager[Content]:
            self.asked[number] += 1
            return nullcontext(BytesContent(self.layers[number].blob))

        return fetch


def content_at(base: object, path: str) -> Content:
    """The content of a file."""
    entry = base.lstat(RootPath(path))  # type: ignore[attr-defined]
    assert entry is not None
    assert entry.content is not None
    content: Content = entry.content
    return content


def test_layers_are_fetched_once(tmp_path: Path) -> None:
    """The second time all is in the store, the tree and the layers that something is wanted of."""
    source = Source(LOWER, UPPER)
    facts = []
    for _ in range(2):
        with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
            facts.append(facts_of(base))
            assert read_all(content_at(base, "/lib/again"), 1 << 20) == BIG
            assert base.name == "image"
            assert base.listdir(RootPath("/lib")) == ("again", "low", "up")
    assert facts[0] == facts[1]
    assert source.asked == [1, 1]


def test_without_a_store_nothing_is_left(tmp_path: Path) -> None:
    """Layers are unpacked aside, in files without a name."""
    source = Source(LOWER, UPPER)
    with open_store(None) as store, open_layers("i", source.blobs(), store, temporary=str(tmp_path)) as base:
        assert read_all(content_at(base, "/lib/up"), 1 << 20) == BIG[::-1]
    assert os.listdir(tmp_path) == []


def test_only_layers_with_wanted_files_are_unpacked(tmp_path: Path) -> None:
    """Where a kept tar is gone, its layer is asked for when something of it is read, and not before."""
    source = Source(LOWER, UPPER)
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store):
        pass
    for path in tmp_path.glob("*.tar"):
        path.unlink()
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        assert source.asked == [1, 1]
        read_all(content_at(base, "/lib/up"), 1 << 20)
        assert source.asked == [1, 2]
        read_all(content_at(base, "/lib/again"), 1 << 20)
        assert source.asked == [2, 2]


def test_images_share_their_layers(tmp_path: Path) -> None:
    """One of which the store has the index is laid below others without being there."""
    first, second = Source(LOWER), Source(LOWER, UPPER)
    with open_store(str(tmp_path)) as store:
        with open_layers("first", first.blobs(), store):
            pass
        with open_layers("second", second.blobs(), store) as base:
            assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG
    assert (first.asked, second.asked) == ([1], [0, 1])


def test_damage_in_the_store_is_repaired(tmp_path: Path) -> None:
    """A changed piece of a tar is unpacked again, a changed index made again."""
    source = Source(LOWER)
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store):
        pass
    for path in [*tmp_path.glob("*.tar"), *tmp_path.glob("*.index")]:
        path.write_bytes(path.read_bytes()[:-700] + bytes(700))
    tar = next(tmp_path.glob("*.tar"))
    tar.write_bytes(bytes(tar.stat().st_size))
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        tar = next(tmp_path.glob("*.tar"))
        with tar.open("r+b") as file:
            file.write(bytes(100_000))
        assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG


@pytest.mark.parametrize("form", ["tar", "gzip", "gzip members", "zstd", "zstd frames"])
def test_every_compression_is_known_by_its_bytes(form: str, tmp_path: Path) -> None:
    """Whatever the media type says, and of every member and frame."""
    source = Source(layer(LOWER.tar, form)._replace(media_type="a/b"))
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG


@pytest.mark.parametrize("keeps", [True, False])
def test_other_bytes_are_refused(tmp_path: Path, *, keeps: bool) -> None:
    """Of the blob, and of the tar that it unpacks to; nothing of them is kept."""
    other = layer(tar_of(member("x", b"other")))
    wrong_blob = LayerBlob(
        "layer 1", LOWER.descriptor()["digest"][7:], LOWER.diff_id[7:], Source(other).blobs()[0].fetch
    )
    wrong_tar = Source(other).blobs()[0]._replace(diff_id=LOWER.diff_id[7:])
    plain = layer(LOWER.tar, "tar")
    wrong_plain = Source(other).blobs()[0]._replace(sha256=plain.diff_id[7:], diff_id=plain.diff_id[7:])
    for blob in (wrong_blob, wrong_tar, wrong_plain):
        with (
            open_store(str(tmp_path) if keeps else None) as store,
            pytest.raises(SumMismatchError, match="verify layer 1"),
        ):
            open_layers("image", [blob], store, temporary=str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    """Bytes that are no tar, damaged, or cut."""
    for tar, blob in ((b"text", b"text"), (LOWER.tar, LOWER.blob[:-20]), (b"", b"\x1f\x8b" + bytes(30))):
        one = Source(Layer(tar, blob)).blobs()
        with open_store(str(tmp_path)) as store, pytest.raises(ArchiveError, match="read base 'layer 1'"):
            open_layers("image", one, store)


def test_empty_layers_change_nothing(tmp_path: Path) -> None:
    """Docker writes such a layer for what changes the configuration alone."""
    source = Source(layer(bytes(1024)), LOWER, layer(b"", "tar"), layer(bytes(10240)))
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        assert facts_of(base).keys() == {"/etc", "/etc/x", "/lib", "/lib/low"}
    with open_store(str(tmp_path)) as store, open_layers("nothing", [], store) as base:
        assert facts_of(base) == {}


def test_plain_layers_are_read_where_they_lie(tmp_path: Path) -> None:
    """Out of the file that they are part of, every piece checked; nothing is copied."""
    plain = layer(LOWER.tar, "tar")
    saved = tmp_path / "saved.tar"
    saved.write_bytes(b"before" * 100 + plain.blob + b"behind" * 20_000)
    content = FileContent(str(saved), len(plain.blob), 600)
    blobs = [LayerBlob("layer 1", plain.diff_id[7:], plain.diff_id[7:], lambda: nullcontext(content))]
    for _ in range(2):
        with open_store(str(tmp_path / "store")) as store, open_layers("image", blobs, store) as base:
            assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG
    assert not list((tmp_path / "store").glob("*.tar"))
    with open_store(str(tmp_path / "store")) as store, open_layers("image", blobs, store) as base:
        saved.write_bytes(b"x" * saved.stat().st_size)
        with pytest.raises(InputError, match="changed while it was read"):
            read_all(content_at(base, "/lib/low"), 1 << 20)
        saved.unlink()
    with (
        open_store(str(tmp_path / "store")) as store,
        open_layers("image", blobs, store) as base,
        pytest.raises(InputError, match="no such file"),
    ):
        read_all(content_at(base, "/lib/low"), 1 << 20)


def test_contents_are_known_without_reading_them(tmp_path: Path) -> None:
    """By the digest of their layer and where they are in it, whatever lies above or below it."""
    keys = []
    for layers in ((LOWER, UPPER), (UPPER, LOWER)):
        with open_store(str(tmp_path)) as store, open_layers("image", Source(*layers).blobs(), store) as base:
            keys.append(key_of(content_at(base, "/lib/low")))
    assert keys[0] == keys[1] != ""


def test_sparse_files_of_upper_layers_are_read(tmp_path: Path) -> None:
    """Their maps lie behind the tars of the layers below."""
    tar = archive(sparse_member("sparse", 100_000, {0: b"begin", 50_000: b"middle"}))
    source = Source(LOWER, layer(tar))
    with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
        data = read_all(content_at(base, "/sparse"), 1 << 20)
    assert (len(data), data[:5], data[50_000:50_006]) == (100_000, b"begin", b"middle")


def test_notes_and_attributes_are_kept(tmp_path: Path) -> None:
    """What was not read of a layer is told each time."""
    app = member("app", b"1", pax_headers={"SCHILY.xattr.user.x": "1"})
    source = Source(layer(tar_of(app) + tar_of(member("b", b"2"))))
    for _ in range(2):
        with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
            assert base.notes == ("another archive follows the end of layer 1 and was ignored, as tar does",)
            assert base.attributes() == {"user.x"}


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each layer, and by all together."""
    big = layer(tar_of(member("big", bytes(1 << 20))))
    small = layer(tar_of(member("small", b"1")))
    monkeypatch.setattr("minpack.base.layered.MAX_UNPACKED", 1 << 20)
    with open_store(str(tmp_path)) as store, pytest.raises(ArchiveError, match="its layers unpack to more than"):
        open_layers("image", Source(small, big).blobs(), store)
    monkeypatch.setattr("minpack.tar.decompress.UNSUSPICIOUS", 1000)
    with open_store(None) as store, pytest.raises(ArchiveError, match="it unpacks to more than"):
        open_layers("image", Source(big).blobs(), store)


def test_a_layer_too_large_for_the_store_is_unpacked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its index is kept all the same."""
    monkeypatch.setattr("minpack.base.layer_tars.MOST_TAR_BYTES", 1000)
    source = Source(LOWER)
    for times in (2, 3):
        with open_store(str(tmp_path)) as store, open_layers("image", source.blobs(), store) as base:
            assert read_all(content_at(base, "/lib/low"), 1 << 20) == BIG
        assert source.asked == [times]
    assert not list(tmp_path.glob("*.tar"))


def test_no_room_is_told() -> None:
    """Of the directory that there is none in."""
    with open_store(None) as store, pytest.raises(BaseError, match="cannot be unpacked in '/proc/none'"):
        open_layers("image", Source(LOWER).blobs(), store, temporary="/proc/none")
