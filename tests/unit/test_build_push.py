"""Pushing finished images: which one is meant, whether it is whole, and that it arrives as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from minpack.build.push import LocalImage, parse_local_image, push
from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import OutputError, UnreadableImageError
from minpack.net.network import Network
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob
from minpack.oci.image import build_artifact
from minpack.oci.reference import parse_reference
from minpack.registry.options import RegistryOptions
from minpack.target import Platform
from support.fakeregistry import FakeRegistry
from support.images import (
    AMD64,
    Taken,
    archive_bytes,
    archive_file,
    archive_of,
    blob_name,
    built_index,
    layout_directory,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.build.push import Pushed

ARM64 = Platform("linux", "arm64")
OPTIONS = RegistryOptions(Network(pause=lambda _: None))


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A good registry."""
    with FakeRegistry() as opened:
        yield opened


def pushed(registry: FakeRegistry, path: Path, name: str = "", digest_file: str | None = None) -> Pushed:
    """Push the image at `path` to ``me/app:1``."""
    reference = parse_reference(f"{registry.host}/me/app:1")
    return push(LocalImage(str(path), name), (reference,), OPTIONS, digest_file=digest_file)


@pytest.mark.parametrize("form", [archive_file, layout_directory])
@pytest.mark.parametrize("platforms", [(AMD64,), (AMD64, ARM64)])
def test_an_image_arrives_as_it_is(
    registry: FakeRegistry, tmp_path: Path, form: object, platforms: tuple[Platform, ...]
) -> None:
    """With the artifacts that are about it, whether they are listed or not."""
    index = built_index(tmp_path / "built", platforms, artifacts=True)
    form(tmp_path / "image", index)  # type: ignore[operator]
    found = pushed(registry, tmp_path / "image")
    assert registry.tags("me/app")["1"] == str(index.digest) == str(found.built.digest)
    assert registry.whole("me/app", "1")
    assert len(index.artifacts) == 2
    for artifact in index.artifacts:
        assert registry.whole("me/app", str(artifact.descriptor.digest))
    lists = [tag for tag in registry.tags("me/app") if tag != "1"]
    assert sorted(lists) == sorted(f"sha256-{one.subject.digest.hex}" for one in index.artifacts if one.subject)


def attested(tmp_path: Path, **changes: object) -> Path:
    """The archive of an index that lists an attestation, which says nowhere what it is about, as BuildKit makes it."""
    index = built_index(tmp_path / "built")
    statement = Blob(Descriptor("application/vnd.in-toto+json", Digest.of(b"{}"), 2), BytesContent(b"{}"))
    attestation = build_artifact("application/vnd.in-toto+json", [statement], {})
    listed = {
        **attestation.manifest.descriptor.document(),
        "platform": {"os": "unknown", "architecture": "unknown"},
        **changes,
    }
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": mediatypes.INDEX,
                "manifests": [index.images[0].descriptor.document(), listed]}  # fmt: skip
    whole = index._replace(artifacts=(attestation,), document=blob(mediatypes.INDEX, document))
    archive_file(tmp_path / "image", whole)
    return tmp_path / "image"


def test_what_an_index_lists_besides_images_goes_along(registry: FakeRegistry, tmp_path: Path) -> None:
    """The index is taken as it is: a registry refuses one of which something is missing."""
    found = pushed(registry, attested(tmp_path))
    assert registry.whole("me/app", "1")
    assert len(found.built.artifacts) == 1
    assert list(registry.tags("me/app")) == ["1"]


def test_an_index_of_which_something_is_missing_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    """Engines save the image of one platform with the index of all; the error says which are not there."""
    index = built_index(tmp_path / "built", (AMD64, ARM64))
    archive_file(tmp_path / "all", index)
    parts = parts_of((tmp_path / "all").read_bytes())
    del parts[f"blobs/sha256/{index.images[1].digest.hex}"]
    (tmp_path / "image").write_bytes(archive_of(parts))
    with pytest.raises(UnreadableImageError, match="its index lists images that are not in it: linux/arm64"):
        pushed(registry, tmp_path / "image")
    assert registry.requests == []


def test_an_index_in_an_index_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    """It is not looked into."""
    path = attested(tmp_path, mediaType=mediatypes.INDEX, platform=None)
    with pytest.raises(UnreadableImageError, match="an index within an index"):
        pushed(registry, path)


def test_a_foreign_layer_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    """It is named, with where it is."""
    image = Taken(archive_bytes())
    image.manifest["layers"][0]["urls"] = ["https://example.com/layer"]
    parts = image.parts()
    del parts[blob_name(image.layers[0])]
    (tmp_path / "image").write_bytes(archive_of(parts))
    with pytest.raises(UnreadableImageError, match=r"is a foreign layer, which is stored elsewhere \(https://example"):
        pushed(registry, tmp_path / "image")


def test_one_of_several_images_is_named(registry: FakeRegistry, tmp_path: Path) -> None:
    """By its full name or its tag; without one the error lists the names."""
    image = Taken(archive_bytes())
    image.config["config"]["Cmd"] = ["other"]
    parts = parts_of(archive_bytes()) | image.parts()
    first = json.loads(parts_of(archive_bytes())["index.json"])["manifests"]
    second = image.index["manifests"][0] | {"annotations": {"org.opencontainers.image.ref.name": "2"}}
    parts["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [*first, second]}).encode()
    (tmp_path / "two").write_bytes(archive_of(parts))
    with pytest.raises(UnreadableImageError, match="it has several images") as caught:
        pushed(registry, tmp_path / "two")
    assert "docker.io/library/app:1" in str(caught.value.hint)
    pushed(registry, tmp_path / "two", "2")
    assert registry.tags("me/app")["1"] == second["digest"]


def test_damage_is_noticed_before_anything_has_a_name(registry: FakeRegistry, tmp_path: Path) -> None:
    """A layer of other bytes than its digest says is never whole in a registry."""
    index = built_index(tmp_path / "built")
    stored = archive_file(tmp_path / "image", index)
    layer = stored.images[0].layers[1]
    with (tmp_path / "image").open("r+b") as file:
        file.seek(getattr(layer.content, "start", 0) + 40)
        file.write(b"????")
    with pytest.raises(Exception, match="cannot verify a blob of"):
        pushed(registry, tmp_path / "image")
    assert registry.given == []
    assert ("me/app", str(layer.descriptor.digest)) not in registry.blobs


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("./app.tar", "./app.tar", ""),
        ("oci:layout", "layout", ""),
        ("oci:./layout:1.0", "./layout", "1.0"),
        ("oci-archive:app.tar:docker.io/me/app:1", "app.tar", "docker.io/me/app:1"),
        ("docker-archive:saved.tar", "saved.tar", ""),
        ("a:b", "a:b", ""),
    ],
)
def test_what_names_an_image(text: str, path: str, name: str) -> None:
    """A path, or one of skopeo's transports with a path and a name."""
    assert parse_local_image(text) == LocalImage(path, name)


def test_a_path_that_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it looks like."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oci:x").touch()
    assert parse_local_image("oci:x") == LocalImage("oci:x")


def test_the_digest_file_is_looked_at_first(registry: FakeRegistry, tmp_path: Path) -> None:
    """The image is no place for it, and nothing is pushed; else it gets the digest."""
    index = built_index(tmp_path / "built")
    archive_file(tmp_path / "image", index)
    with pytest.raises(OutputError, match="it is the image"):
        pushed(registry, tmp_path / "image", digest_file=str(tmp_path / "image"))
    assert registry.requests == []
    pushed(registry, tmp_path / "image", digest_file=str(tmp_path / "digest"))
    assert (tmp_path / "digest").read_text() == str(index.digest)
