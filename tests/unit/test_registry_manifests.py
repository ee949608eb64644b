"""Manifests, tags, and what is about an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import RegistryError
from minpack.net.network import Network
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob
from minpack.oci.image import Artifact, build_artifact
from minpack.registry.client import RegistryClient
from minpack.registry.manifests import keep_referrers, put_manifest, tagged
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from support.fakeregistry import FakeRegistry, status

if TYPE_CHECKING:
    from collections.abc import Generator

NAME = "me/app"
SUBJECT = Descriptor(mediatypes.MANIFEST, Digest.of(b"an image"), 8)


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A registry that does not look at what manifests name."""
    with FakeRegistry() as opened:
        opened.switches.strict = False
        yield opened


@pytest.fixture
def client() -> Generator[RegistryClient]:
    """A client without pauses."""
    with RegistryClient(RegistryOptions(Network(pause=lambda _: None))) as opened:
        yield opened


@pytest.fixture
def repository(registry: FakeRegistry) -> ImageRepository:
    """The one that gets everything."""
    return ImageRepository(registry.host, NAME)


def manifest(text: str = "a") -> Blob:
    """A manifest that differs by `text`."""
    return blob(mediatypes.MANIFEST, {"schemaVersion": 2, "mediaType": mediatypes.MANIFEST, "x": text})


def artifact(text: str) -> Artifact:
    """Something about the subject, with annotations."""
    layer = Blob(Descriptor("text/plain", Digest.of(text.encode()), len(text)), BytesContent(text.encode()))
    return build_artifact("application/spdx+json", [layer], {"made": text}, SUBJECT)


def test_a_manifest_goes_there_as_it_is(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """Byte for byte, with its media type, by its digest or a tag."""
    put_manifest(client, repository, manifest())
    assert registry.tags(NAME) == {}
    put_manifest(client, repository, manifest(), "1.0")
    assert registry.tags(NAME) == {"1.0": str(manifest().descriptor.digest)}
    assert registry.manifests[NAME, str(manifest().descriptor.digest)] == (mediatypes.MANIFEST, manifest().data)


def test_a_registry_that_got_something_else_is_noticed(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """It says what it calls the manifest."""
    registry.switches.wrong_digest = f"sha256:{'0' * 64}"
    with pytest.raises(RegistryError, match="the registry gives it the digest sha256:0000"):
        put_manifest(client, repository, manifest(), "1.0")


def test_a_tag_that_cannot_be_moved_may_be_given_again(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """To the same image; for another one the error says what to do."""
    put_manifest(client, repository, manifest(), "1.0")
    registry.fail("PUT", "/manifests/1.0", status(400, error="TAG_INVALID", message="immutable"), 2)
    put_manifest(client, repository, manifest(), "1.0")
    with pytest.raises(RegistryError, match="immutable") as caught:
        put_manifest(client, repository, manifest("b"), "1.0")
    assert "tags in this repository cannot be moved" in str(caught.value.hint)
    registry.fail("PUT", "/manifests/2.0", status(400, error="MANIFEST_INVALID", message="no"))
    with pytest.raises(RegistryError) as caught:
        put_manifest(client, repository, manifest("b"), "2.0")
    assert "moved" not in str(caught.value.hint)


def test_what_a_tag_stands_for(registry: FakeRegistry, client: RegistryClient, repository: ImageRepository) -> None:
    """Its digest, or nothing."""
    assert tagged(client, repository, "1.0") is None
    put_manifest(client, repository, manifest(), "1.0")
    assert tagged(client, repository, "1.0") == manifest().descriptor.digest


def test_a_registry_with_the_api_finds_artifacts_itself(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """There is no tag of them."""
    registry.switches.referrers = True
    put_manifest(client, repository, artifact("a").manifest)
    keep_referrers(client, repository, SUBJECT.digest, [artifact("a")])
    assert registry.tags(NAME) == {}


@pytest.mark.parametrize("claims", [False, True])
def test_without_the_api_a_tag_lists_them(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository, claims: bool
) -> None:
    """All at once, with their kind and annotations, sorted; a registry that merely claims to have the API has not."""
    registry.switches.claims_referrers = claims
    made = [artifact("b"), artifact("a")]
    for one in made:
        put_manifest(client, repository, one.manifest)
    registry.clear()
    keep_referrers(client, repository, SUBJECT.digest, made)
    assert registry.count("PUT") == 1
    found = registry.document(NAME, f"sha256-{SUBJECT.digest.hex}")
    assert found["mediaType"] == mediatypes.INDEX
    assert [one["digest"] for one in found["manifests"]] == sorted(str(one.descriptor.digest) for one in made)
    assert {one["artifactType"] for one in found["manifests"]} == {"application/spdx+json"}
    assert {one["annotations"]["made"] for one in found["manifests"]} == {"a", "b"}


def test_what_others_listed_stays(registry: FakeRegistry, client: RegistryClient, repository: ImageRepository) -> None:
    """And a second time nothing is written."""
    keep_referrers(client, repository, SUBJECT.digest, [artifact("a")])
    keep_referrers(client, repository, SUBJECT.digest, [artifact("b")])
    registry.clear()
    keep_referrers(client, repository, SUBJECT.digest, [artifact("a"), artifact("b")])
    assert registry.count("PUT") == 0
    assert len(registry.document(NAME, f"sha256-{SUBJECT.digest.hex}")["manifests"]) == 2


def test_two_that_write_the_list_do_not_lose_each_other(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """What was written over meanwhile is read again, and added again."""
    tag = f"sha256-{SUBJECT.digest.hex}"
    put_manifest(client, repository, blob(mediatypes.INDEX, {"schemaVersion": 2, "mediaType": mediatypes.INDEX,
                 "manifests": [artifact("other").descriptor.document()]}), "kept")  # fmt: skip
    kept = registry.tagged[NAME, "kept"]
    original, times = registry.keep_manifest, iter(range(9))

    def overwritten(name: str, reference: str, media_type: str, data: bytes) -> str:
        digest = original(name, reference, media_type, data)
        if reference == tag and next(times) == 0:
            registry.tagged[name, tag] = kept
        return digest

    registry.keep_manifest = overwritten  # type: ignore[method-assign]
    keep_referrers(client, repository, SUBJECT.digest, [artifact("a")])
    made = {one["annotations"]["made"] for one in registry.document(NAME, tag)["manifests"]}
    assert made == {"a", "other"}


def test_a_tag_that_is_no_list_is_left_alone(
    registry: FakeRegistry, client: RegistryClient, repository: ImageRepository
) -> None:
    """It is an error that names it."""
    tag = f"sha256-{SUBJECT.digest.hex}"
    registry.keep_manifest(NAME, tag, mediatypes.INDEX, json.dumps({"manifests": {}}).encode())
    with pytest.raises(RegistryError, match="is not an index of referrers"):
        keep_referrers(client, repository, SUBJECT.digest, [artifact("a")])
