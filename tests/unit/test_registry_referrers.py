"""What a repository has about an image is found with the referrers API and without it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import RegistryError
from minpack.net.network import Network
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import build_artifact
from minpack.registry.client import RegistryClient
from minpack.registry.manifests import keep_referrers, put_manifest
from minpack.registry.options import RegistryOptions
from minpack.registry.referrers import list_referrers
from minpack.registry.repository import ImageRepository
from support.fakeregistry import INDEX, FakeRegistry, answered, status

if TYPE_CHECKING:
    from collections.abc import Generator

SUBJECT = Descriptor(mediatypes.MANIFEST, Digest.of(b"an image"), 8)
BLOBS = [Blob(Descriptor("text/plain", Digest.of(text), len(text)), BytesContent(text)) for text in (b"a", b"b", b"c")]
ARTIFACTS = tuple(build_artifact("application/spdx+json", [one], {"made": "here"}, SUBJECT) for one in BLOBS)


@pytest.fixture
def registry() -> Generator[FakeRegistry]:
    """A registry that does not look at what manifests name."""
    with FakeRegistry() as opened:
        opened.switches.strict = False
        yield opened


@pytest.fixture
def client() -> Generator[RegistryClient]:
    """A client without pauses, which asks once."""
    with RegistryClient(RegistryOptions(Network(attempts=1, pause=lambda _: None))) as opened:
        yield opened


@pytest.mark.parametrize("api", [False, True])
def test_all_artifacts_of_a_subject_are_listed(registry: FakeRegistry, client: RegistryClient, *, api: bool) -> None:
    """In the order of their digests, with their types and annotations; nothing is about another subject."""
    registry.switches.referrers = api
    repository = ImageRepository(registry.host, "me/app")
    assert list_referrers(client, repository, SUBJECT.digest) == ()
    for one in ARTIFACTS:
        put_manifest(client, repository, one.manifest)
    keep_referrers(client, repository, SUBJECT.digest, ARTIFACTS)
    expected = sorted((one.descriptor for one in ARTIFACTS), key=lambda one: one.digest)
    assert list(list_referrers(client, repository, SUBJECT.digest)) == expected
    assert list_referrers(client, repository, Digest.of(b"another")) == ()


def page(number: int) -> bytes:
    """A list of one artifact."""
    return json.dumps({"schemaVersion": 2, "manifests": [ARTIFACTS[number].descriptor.document()]}).encode()


def test_every_page_is_read(registry: FakeRegistry, client: RegistryClient) -> None:
    """The link is followed within the repository alone: its host is never asked."""
    link = {"Link": f'<http://elsewhere.example/v2/me/app/referrers/{SUBJECT.digest}?n=1>; rel="next"'}
    registry.fail("GET", "/referrers/", answered(page(0), {"Content-Type": INDEX, **link}))
    registry.fail("GET", "/referrers/", answered(page(1), {"Content-Type": INDEX}))
    found = list_referrers(client, ImageRepository(registry.host, "me/app"), SUBJECT.digest)
    assert {one.digest for one in found} == {one.descriptor.digest for one in ARTIFACTS[:2]}


def test_a_list_without_end_is_refused(registry: FakeRegistry, client: RegistryClient) -> None:
    """Whoever links each page to itself is not followed for ever."""
    link = {"Link": f'</v2/me/app/referrers/{SUBJECT.digest}?n=1>; rel="next"'}
    registry.fail("GET", "/referrers/", answered(page(0), {"Content-Type": INDEX, **link}), times=1000)
    with pytest.raises(RegistryError, match="more than 50 pages"):
        list_referrers(client, ImageRepository(registry.host, "me/app"), SUBJECT.digest)


def test_what_is_no_list_is_refused(registry: FakeRegistry, client: RegistryClient) -> None:
    """A page of HTML means that there is no API; a server that fails is no registry without artifacts."""
    repository = ImageRepository(registry.host, "me/app")
    registry.fail("GET", "/referrers/", answered(b"<html>", {"Content-Type": "text/html"}))
    assert list_referrers(client, repository, SUBJECT.digest) == ()
    registry.fail("GET", "/referrers/", answered(b"{}", {"Content-Type": INDEX}))
    with pytest.raises(RegistryError, match="manifests"):
        list_referrers(client, repository, SUBJECT.digest)
    registry.fail("GET", "/referrers/", status(500))
    with pytest.raises(RegistryError):
        list_referrers(client, repository, SUBJECT.digest)
