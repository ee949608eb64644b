"""Files on their way to another machine: listed here, sent through a registry, and at the same places there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.cluster import files
from minpack.cluster.files import Lister, SentKind
from minpack.cluster.transfer import Sender, place_files
from minpack.errors import ChangedInputError, InputError, OutputError, SumMismatchError
from minpack.net.network import Network
from minpack.registry.client import RegistryClient
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.store.store import open_store
from support.fakeregistry import FakeRegistry

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from minpack.cluster.files import SentFile

NAME = "team/cache"


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """What both machines reach."""
    with FakeRegistry() as found:
        yield found


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with files, links and names of all kinds."""
    place = tmp_path / "here"
    (place / "dist" / "sub").mkdir(parents=True)
    (place / "dist" / "app").write_bytes(b"program" * 1000)
    (place / "dist" / "app").chmod(0o751)
    (place / "dist" / "sub" / "empty").write_bytes(b"")
    os.link(place / "dist" / "app", place / "dist" / "sub" / "same")
    (place / "dist" / "copy").write_bytes(b"program" * 1000)
    (place / "dist" / "sub" / "link").symlink_to("../copy")
    (place / "dist" / "sub" / "none").symlink_to("nowhere")
    (place / "dist" / "sub").chmod(0o555)
    (place / "bin").symlink_to("dist")
    return place


def client() -> RegistryClient:
    """What asks the registry."""
    return RegistryClient(RegistryOptions(Network(pause=lambda _: None)))


def there(registry: FakeRegistry, found: Sequence[SentFile], below: Path, store: Path | None = None) -> None:
    """Have the files below a directory, as on another machine."""
    below.mkdir()
    repository = ImageRepository(registry.host, NAME)
    with client() as asking, open_store(str(store) if store is not None else None) as kept:
        place_files(found, str(below.resolve()), asking, repository, kept)


def sent(registry: FakeRegistry, lister: Lister, found: Sequence[SentFile]) -> None:
    """Let the registry have the files."""
    with client() as asking:
        Sender(asking, ImageRepository(registry.host, NAME)).send(found, lister.contents)


def test_files_are_there_as_they_are_here(here: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    """Bytes, modes, links, names of one file, and ways to a place through links; a copy is another file."""
    lister = Lister()
    found = lister.list(("bin/app", "dist", "../here/bin"), str(here), (f"{here}/present",))
    sent(registry, lister, found)
    there(registry, found, tmp_path / "there")
    root = tmp_path / "there" / str(here).lstrip("/")
    for path in ("dist/app", "dist/copy", "dist/sub/empty", "bin/app"):
        assert (root / path).read_bytes() == (here / path).read_bytes()
        assert (root / path).stat().st_mode == (here / path).stat().st_mode
    assert (root / "dist" / "sub").stat().st_mode == (here / "dist" / "sub").stat().st_mode
    for path in ("dist/sub/link", "dist/sub/none"):
        assert os.readlink(root / path) == os.readlink(here / path)
    assert (root / "bin").resolve() == (root / "dist").resolve()
    assert (root / "dist/app").samefile(root / "dist/sub/same")
    assert not (root / "dist/app").samefile(root / "dist/copy")
    assert (root / "present").exists()


def test_each_byte_is_sent_once(here: Path, registry: FakeRegistry) -> None:
    """What is there is not sent again, by another run too; a tag names all of it."""
    lister = Lister()
    found = lister.list(("dist",), str(here))
    sent(registry, lister, found)
    assert registry.received == len(b"program" * 1000) + len(b"{}")
    (tag,) = registry.tags(NAME)
    assert tag.startswith("inputs-")
    assert registry.whole(NAME, tag)
    registry.clear()
    sent(registry, lister, found)
    assert registry.received == 0
    assert not registry.count("PUT")


def test_what_has_other_bytes_is_refused(here: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    """Both a file that has changed since it was listed, and a blob that a registry spoils."""
    lister = Lister()
    found = lister.list(("dist/copy",), str(here))
    sent(registry, lister, found)
    (digest,) = (key for key, data in registry.blobs.items() if data == (here / "dist" / "copy").read_bytes())
    registry.blobs[digest] = b"x" * 7000
    with pytest.raises(SumMismatchError):
        there(registry, found, tmp_path / "there")
    (here / "dist" / "copy").write_bytes(b"other")
    with pytest.raises(ChangedInputError), FakeRegistry() as other:
        sent(other, lister, found)


def test_what_a_worker_has_is_not_fetched(here: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    """A file that was fetched for one image is kept for the next."""
    lister = Lister()
    found = lister.list(("dist",), str(here))
    sent(registry, lister, found)
    there(registry, found, tmp_path / "first", tmp_path / "store")
    registry.clear()
    there(registry, found, tmp_path / "second", tmp_path / "store")
    assert not registry.requests


def test_what_cannot_be_sent(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path where nothing is, a pipe, and more files than any image has."""
    with pytest.raises(InputError, match="no such file"):
        Lister().list(("none",), str(here))
    os.mkfifo(here / "pipe")
    with pytest.raises(InputError, match="no file, directory or link"):
        Lister().list(("pipe",), str(here))
    monkeypatch.setattr(files, "MOST_FILES", 3)
    with pytest.raises(InputError, match="more than 3 files"):
        Lister().list(("dist",), str(here))


def test_a_way_that_cannot_be_had_is_told(registry: FakeRegistry, tmp_path: Path) -> None:
    """Where a link would lie at a place that is a directory there, nothing is built of the wrong files."""
    at = str(tmp_path)
    listed = (
        files.SentFile(f"{at}/a/b", SentKind.DIRECTORY),
        files.SentFile(f"{at}/c", SentKind.DIRECTORY),
        files.SentFile(f"{at}/a", SentKind.LEADS, target=f"{at}/c"),
    )
    with pytest.raises(OutputError, match="cannot be had on another machine"):
        there(registry, listed, tmp_path / "there")
