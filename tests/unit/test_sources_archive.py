"""Archives that are unpacked, or saved by an engine, before they are read: once, within bounds, and as the image is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.errors import UnreadableImageError
from minpack.images.open import open_found
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.sources.archive import saved_archive, unpacked_archive
from minpack.spec.image_ref import parse_image_ref
from minpack.store.store import open_store
from support.command import minpack
from support.elfmaker import static_program
from support.fake_engine import FakeEngine
from support.fakeregistry import FakeRegistry
from support.images import archive_bytes
from unit.test_oci_begins import FORMS

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.store.store import Store

SAVED = archive_bytes()
ID = f"sha256:{'ab' * 32}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an image in every form, and a program."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "saved.tar").write_bytes(SAVED)
    for form, pack in FORMS.items():
        (tmp_path / f"saved.tar.{form}").write_bytes(pack(SAVED))
    return tmp_path


def kept(place: Path) -> int:
    """How many archives the store has."""
    return len(list((place / "cache" / "minpack" / "v1").glob("*.blob")))


@pytest.mark.parametrize("form", FORMS)
def test_a_compressed_archive_is_the_image_in_it(place: Path, form: str) -> None:
    """As base by its path and by its transport, below an image, and pushed; it is unpacked into the store once."""
    name, cache = f"./saved.tar.{form}", ("--cache-dir", "cache")
    expected = minpack("base", "info", "./saved.tar", "--json", *cache, cwd=place).document["digest"]
    for text in (name, f"docker-archive:{name}"):
        assert minpack("base", "info", text, "--json", *cache, cwd=place).document["digest"] == expected
        assert kept(place) == 1
    for store in (cache, ("--no-cache",)):
        ran = minpack("./app", "--on", name, "-o", "a.tar", "--force", "-q", *store, cwd=place)
        assert ran.code == 0, ran.err
        below = minpack("./app", "--on", "./saved.tar", "-o", "b.tar", "--force", "-q", cwd=place)
        assert below.code == 0, below.err
        assert (place / "a.tar").read_bytes() == (place / "b.tar").read_bytes()
    with FakeRegistry() as registry:
        ran = minpack("push", name, f"{registry.host}/me/app:1", "-q", cwd=place)
        assert ran.out.decode() == f"{registry.host}/me/app@{expected}\n", ran.err


def test_the_image_of_a_command_may_be_compressed(place: Path) -> None:
    """Its layers can be read as long as it is open."""
    options = BaseOptions(str(place / "store"), Network(offline=True), "2026-11-30")
    with open_found(parse_image_ref(str(place / "saved.tar.gz")), options, no_progress) as found:
        (image,) = found.built.images
        with open_found(parse_image_ref(str(place / "saved.tar")), options, no_progress) as plain:
            assert found.built.digest == plain.built.digest
            for one, other in zip(image.layers, plain.built.images[0].layers, strict=True):
                with one.content.open() as reader, other.content.open() as expected:
                    assert reader.read_at(0, one.descriptor.size) == expected.read_at(0, other.descriptor.size)


def test_what_is_damaged_or_never_ends_is_one_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept."""
    data = (place / "saved.tar.gz").read_bytes()
    (place / "cut.tar.gz").write_bytes(data[:-100])
    ran = minpack("push", "cut.tar.gz", "127.0.0.1:1/me/app", cwd=place)
    assert (ran.code, ran.err.startswith("minpack: cannot read image 'cut.tar.gz': ")) == (1, True), ran.err
    monkeypatch.setattr("minpack.tar.decompress.UNSUSPICIOUS", 1000)
    monkeypatch.setattr("minpack.tar.decompress.MAX_RATIO", 1)
    with (
        open_store(str(place / "store")) as store,
        pytest.raises(UnreadableImageError, match="it unpacks to more than"),
        unpacked_archive(str(place / "saved.tar.gz"), store),
    ):
        pass
    assert not [one for one in os.listdir(place / "store") if not one.endswith("lock")]


def test_a_file_that_is_not_compressed_stays_where_it_is(place: Path) -> None:
    """So do a directory and what is not there."""
    with open_store(None) as store:
        for name in ("saved.tar", ".", "none"):
            with unpacked_archive(str(place / name), store) as archive:
                assert archive is None


def read_as_none(expected: bytes, options: BaseOptions, store: Store) -> None:
    """Find that what an engine gives, `expected`, is no image."""
    with saved_archive("app:1", options, no_progress, store) as archive:
        assert archive.open().read_at(0, 100) == expected
        raise UnreadableImageError("app:1", "it is none")


def test_an_engine_saves_an_image_once(place: Path) -> None:
    """As long as it says the same ID, by whatever name; what is no image is asked for again."""
    known = json.dumps({"Id": ID, "Size": len(SAVED)}).encode()
    with FakeEngine(place / "socket", image=known, saved=SAVED) as engine, open_store(str(place / "store")) as store:
        options = BaseOptions(None, Network(), "2026-11-30", engine={"DOCKER_HOST": engine.host})
        for _ in range(2):
            with saved_archive("app:1", options, no_progress, store) as archive:
                assert archive.open().read_at(0, archive.size) == SAVED
            engine.saved = b"other bytes"
        with saved_archive("other:1", options, no_progress, store) as archive:
            assert archive.size == len(SAVED)
        for image_id in (ID.replace("a", "c"), "no ID"):
            engine.image = json.dumps({"Id": image_id, "Size": 1}).encode()
            for data in (b"first", b"second"):
                engine.saved = data
                with pytest.raises(UnreadableImageError):
                    read_as_none(data, options, store)
        engine.image = json.dumps({"Id": ID.replace("a", "d"), "Size": 1}).encode()
        for data in (b"first", b"second"):
            engine.saved = data
            with saved_archive("app:1", options, no_progress, open_store(None)) as archive:
                assert archive.open().read_at(0, 100) == data
