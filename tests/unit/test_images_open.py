"""The image that a command is given is the same value wherever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseOptions
from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import EngineError, RegistryError, UnreadableImageError, WrongTargetError
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.net.network import Network
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import Index, build_artifact
from minpack.progress import no_progress
from minpack.registry.client import RegistryClient
from minpack.registry.manifests import keep_referrers, put_manifest
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.spec.image_ref import parse_image_ref
from minpack.target import Platform, parse_platform
from support.fake_engine import FakeEngine
from support.fakeregistry import FakeRegistry
from support.layers import (
    CONFIG,
    MANIFEST,
    config_of,
    described,
    dumped,
    facts_of,
    layer,
    member,
    put_blobs,
    tar_of,
    write_index,
    write_layout,
)
from support.tarmaker import archive
from support.tarmaker import member as file

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = layer(tar_of(member("etc/passwd", b"root"), member("old", b"1")))
OTHER = layer(tar_of(member("arm", b"1")))


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """An empty one."""
    with FakeRegistry() as one:
        yield one


def options(tmp_path: Path, **values: Any) -> BaseOptions:
    """With a store, and an engine that does not answer."""
    engine = {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    return BaseOptions(
        **{
            "store": str(tmp_path / "store"),
            "network": Network(attempts=1),
            "today": "2026-11-30",
            "temporary": str(tmp_path),
            "engine": engine,
            **values,
        }
    )


def put(registry: FakeRegistry, tag: str = "1") -> dict[str, Any]:
    """Let a registry have an index of two platforms, and what BuildKit attaches; its descriptor."""
    entries = []
    for one, architecture in ((LAYER, "amd64"), (OTHER, "arm64"), (LAYER, "unknown")):
        unknown = architecture == "unknown"
        stated = b"{}" if unknown else config_of([one], ("linux", architecture))
        manifest = dumped(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described(CONFIG, stated),
                "layers": [one.descriptor()],
            }
        )
        for blob in (stated, one.blob):
            registry.keep("me/app", blob)
        registry.keep_manifest("me/app", architecture, MANIFEST, manifest)
        platform = {"os": "unknown" if unknown else "linux", "architecture": architecture}
        entries.append(described(MANIFEST, manifest, platform=platform))
    index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    registry.keep_manifest("me/app", tag, INDEX, index)
    return described(INDEX, index)


def opened(
    text: str, options: BaseOptions, platform: Platform | None = None, *, artifacts: bool = False
) -> tuple[Index, list[set[str]]]:
    """The image, and the paths of each of its trees."""
    with open_found(parse_image_ref(text), options, no_progress, platform, artifacts=artifacts) as found:
        trees = []
        for image in found.built.images:
            with open_tree(image, found.name, options) as base:
                trees.append(set(facts_of(base)))
        return found.built, trees


def test_an_index_of_a_registry_has_all_its_images(registry: FakeRegistry, tmp_path: Path) -> None:
    """And what it lists that is none; of one platform, that image alone."""
    index = put(registry)
    name = f"docker://{registry.host}/me/app:1"
    found, trees = opened(name, options(tmp_path))
    assert str(found.digest) == index["digest"]
    assert [str(image.platform) for image in found.images] == ["linux/amd64", "linux/arm64"]
    assert trees == [{"/etc", "/etc/passwd", "/old"}, {"/arm"}]
    assert [one.layers[0].descriptor.digest.hex for one in found.artifacts] == [LAYER.descriptor()["digest"][7:]]
    assert opened(name, options(tmp_path), parse_platform("linux/arm64"))[1] == [{"/arm"}]
    with pytest.raises(WrongTargetError):
        opened(name, options(tmp_path), parse_platform("linux/riscv64"))


@pytest.mark.parametrize("api", [False, True])
def test_what_a_registry_has_about_an_image_is_asked_for(registry: FakeRegistry, tmp_path: Path, *, api: bool) -> None:
    """About the index and about each image, where it is wanted."""
    registry.switches.referrers = api
    name, repository = f"docker://{registry.host}/me/app:1", ImageRepository(registry.host, "me/app")
    put(registry)
    plain, _ = opened(name, options(tmp_path))
    about = []
    with RegistryClient(RegistryOptions()) as client:
        for subject in (plain.root, plain.images[1].descriptor):
            data = str(subject.digest).encode()
            text = Blob(Descriptor("text/plain", Digest.of(data), len(data)), BytesContent(data))
            about.append(build_artifact("application/spdx+json", [text], {}, subject))
            registry.keep("me/app", data)
            registry.keep("me/app", b"{}")
            put_manifest(client, repository, about[-1].manifest)
            keep_referrers(client, repository, subject.digest, about[-1:])
    assert len(opened(name, options(tmp_path))[0].artifacts) == len(plain.artifacts)
    found, _ = opened(name, options(tmp_path), artifacts=True)
    assert {one.descriptor.digest for one in found.artifacts} == {
        one.descriptor.digest for one in (*plain.artifacts, *about)
    }
    texts = [one.layers[0].data.decode() for one in found.artifacts if one.subject is not None]
    assert sorted(texts) == sorted(str(one.subject.digest) for one in about if one.subject)


def test_files_and_layouts(tmp_path: Path) -> None:
    """By path and by transport; of a layout all platforms."""
    layout = tmp_path / "layout"
    entries = []
    write_layout(layout, [LAYER])
    for one, architecture in ((LAYER, "amd64"), (OTHER, "arm64")):
        stated = config_of([one], ("linux", architecture))
        document = {"config": described(CONFIG, stated), "layers": [one.descriptor()]}
        manifest = dumped({"schemaVersion": 2, "mediaType": MANIFEST, **document})
        put_blobs(layout, stated, manifest, one.blob)
        entries.append(described(MANIFEST, manifest, platform={"os": "linux", "architecture": architecture}))
    index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    put_blobs(layout, index)
    write_index(layout, [described(INDEX, index)])
    for text in (str(layout), f"oci:{layout}"):
        found, trees = opened(text, options(tmp_path))
        assert str(found.digest) == described(INDEX, index)["digest"]
        assert trees == [{"/etc", "/etc/passwd", "/old"}, {"/arm"}]
    with pytest.raises(UnreadableImageError, match="no such file"):
        opened(str(tmp_path / "none.tar"), options(tmp_path))


def test_a_name_is_an_engines_before_it_is_a_registrys(registry: FakeRegistry, tmp_path: Path) -> None:
    """What the engine does not know, the registry is asked for; the error says that both were."""
    put(registry)
    config = config_of([OTHER], ("linux", "amd64"))
    documents = {
        "c.json": config,
        "layer.tar": OTHER.tar,
        "manifest.json": dumped([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]),
    }
    saved = archive(*(file(name, data) for name, data in documents.items()))
    name = f"{registry.host}/me/app:1"
    with FakeEngine(tmp_path / "s", image=b'{"Size": 10}', saved=saved) as engine:
        there = options(tmp_path, engine={"DOCKER_HOST": engine.host})
        found, trees = opened(name, there)
        assert trees == [{"/arm"}]
        assert found.document is None
        engine.image = None
        assert len(opened(name, there)[1]) == 2
        with pytest.raises(EngineError):
            opened("docker-daemon:app:1", there)
        with pytest.raises(EngineError):
            opened("sha256:" + "0" * 64, there)
        with pytest.raises(RegistryError) as refused:
            opened(f"{registry.host}/me/none:1", there)
    assert "; no container engine has it either" in str(refused.value.hint)
