"""Artifacts about an image: what they say, how it is signed, and that they reach every output."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from minpack.base.options import BaseOptions
from minpack.build.artifacts import ArtifactSpec, ImageFacts, make_artifacts
from minpack.build.pack import pack
from minpack.digest import Digest
from minpack.net.network import Network
from minpack.oci.documents import Descriptor
from minpack.oci.mediatypes import BUNDLE, MANIFEST
from minpack.oci.read import read_image
from minpack.oci.reference import parse_reference
from minpack.oci.validate import validate_archive, validate_layout
from minpack.output.target import Format, OutputSpec
from minpack.registry.options import RegistryOptions
from minpack.spec.image import ImageSpec
from minpack.trust.attest import SIGNATURE, SPDX, Document, artifacts_about, attestation, signed_bytes, unsigned
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.oci.image import Artifact

SUBJECT = Descriptor(MANIFEST, Digest("ab" * 32), 123)
SBOM = Document(SPDX, {"spdxVersion": "SPDX-2.3"}, "application/spdx+json")
CLAIM = Document("https://example.org/claim/v1", {"a": 1})


class Echo(NamedTuple):
    """A key whose signature is what it signs."""

    hint: str = "echo"

    def sign(self, data: bytes) -> bytes:
        return b"signed " + data


def parts(artifact: Artifact) -> tuple[Any, Any]:
    """The manifest, and the document that it has."""
    (layer,) = artifact.layers
    return json.loads(artifact.manifest.data), json.loads(layer.data)


def test_what_is_signed_is_the_statement_and_its_type() -> None:
    """As DSSE has it, in the bundle that cosign reads; all says what it is about."""
    manifest, bundle = parts(attestation(SUBJECT, SIGNATURE, {}, Echo()))
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == BUNDLE == bundle["mediaType"]
    assert manifest["subject"] == SUBJECT.document()
    assert manifest["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": SIGNATURE,
        "in-toto.io/predicate-type": SIGNATURE,
        "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
    }
    envelope = bundle["dsseEnvelope"]
    body = base64.b64decode(envelope["payload"])
    assert json.loads(body) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": "ab" * 32}}],
        "predicateType": SIGNATURE,
        "predicate": {},
    }
    (signature,) = envelope["signatures"]
    assert base64.b64decode(signature["sig"]) == b"signed " + signed_bytes(envelope["payloadType"], body)
    assert signed_bytes("a/b", b"body") == b"DSSEv1 3 a/b 4 body"
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": "echo"}}


def test_without_a_key_a_document_is_itself_or_a_statement() -> None:
    """An SBOM has its own media type; what is none without its subject is a statement of in-toto."""
    manifest, document = parts(unsigned(SUBJECT, SBOM))
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == "application/spdx+json"
    assert document == SBOM.predicate
    manifest, document = parts(unsigned(SUBJECT, CLAIM, 86400))
    assert manifest["artifactType"] == "application/vnd.in-toto+json"
    assert manifest["annotations"] == {
        "in-toto.io/predicate-type": CLAIM.predicate_type,
        "org.opencontainers.image.created": "1970-01-02T00:00:00Z",
    }
    assert (document["predicateType"], document["predicate"]) == (CLAIM.predicate_type, {"a": 1})


@pytest.mark.parametrize("documents", [(), (SBOM,), (SBOM, CLAIM)], ids=["none", "SBOM", "two"])
def test_no_document_is_signed_without_its_image(documents: tuple[Document, ...]) -> None:
    """With a key, the image is signed whatever else is; without, nothing is."""
    made = artifacts_about(SUBJECT, documents, Echo())
    signed = [parts(one)[0] for one in made if one.descriptor.artifact_type == BUNDLE]
    types = [one["annotations"]["in-toto.io/predicate-type"] for one in signed]
    assert types == [SIGNATURE, *(one.predicate_type for one in documents)]
    assert len(made) == len(types) + len(documents)
    assert artifacts_about(SUBJECT, documents) == made[: len(documents)]


def wanted(calls: list[ImageFacts]) -> ArtifactSpec:
    """An SBOM about each image, all signed."""

    def sbom(facts: ImageFacts) -> list[Document]:
        calls.append(facts)
        return [SBOM]

    return ArtifactSpec((sbom,), (), Echo())


@pytest.mark.parametrize("machines", [("x86_64",), ("x86_64", "aarch64")], ids=["one platform", "two"])
@pytest.mark.parametrize("form", [Format.ARCHIVE, Format.OCI])
def test_artifacts_reach_every_output(form: Format, machines: tuple[str, ...], tmp_path: Path) -> None:
    """Archive or layout and registry have the same; they are made once, of images that are written."""
    calls: list[ImageFacts] = []
    for machine in machines:
        (tmp_path / machine).mkdir()
        (tmp_path / machine / "app").write_bytes(static_program(machine=machine))
    spec = ImageSpec(tuple(str(tmp_path / one / "app") for one in machines))
    with FakeRegistry() as registry:
        names = (parse_reference(f"{registry.host}/me/app:1"),)
        to = OutputSpec(form, str(tmp_path / "out"), names, registry=RegistryOptions(Network(pause=lambda _: None)))
        options = BaseOptions(None, Network(offline=True), "2026-01-31")
        packed = pack(spec, options, to, artifacts_of=partial(make_artifacts, wanted(calls)))
        assert packed.written is not None
        built = packed.written.built
        assert built is not None
        assert [one.image.digest for one in calls] == [image.digest for image in built.images]
        assert [one.packed.plan.config.platform for one in calls] == [image.platform for image in built.images]
        assert all(one.layers and one.built.digest == built.digest for one in calls)
        about = [one.subject.digest for one in built.artifacts if one.subject is not None]
        # The document by itself, and signed with its image; the index is signed too.
        assert [about.count(image.digest) for image in built.images] == [3] * len(machines)
        assert about.count(built.digest) == (1 if len(machines) > 1 else 3)
        (read,) = read_image(str(tmp_path / "out"))
        assert read.built.artifacts == built.artifacts
        assert [one.manifest.data for one in read.built.artifacts] == [one.manifest.data for one in built.artifacts]
        assert not (validate_archive if form is Format.ARCHIVE else validate_layout)(str(tmp_path / "out"))
        for one in built.artifacts:
            assert registry.whole("me/app", str(one.descriptor.digest))
            assert one.subject is not None
            listed = registry.document("me/app", f"sha256-{one.subject.digest.hex}")["manifests"]
            assert str(one.descriptor.digest) in [item["digest"] for item in listed]


def test_a_signed_image_is_marked_for_cosign(tmp_path: Path) -> None:
    """In the index of a layout, which without a signature is as it was."""
    (tmp_path / "app").write_bytes(static_program())
    spec, options = ImageSpec((str(tmp_path / "app"),)), BaseOptions(None, Network(offline=True), "2026-01-31")
    names = (parse_reference("app"), parse_reference("app:2"))
    for place, maker in (("signed", partial(make_artifacts, wanted([]))), ("plain", None)):
        pack(spec, options, OutputSpec(Format.OCI, str(tmp_path / place), names), artifacts_of=maker)
    plain, signed = (json.loads((tmp_path / one / "index.json").read_text()) for one in ("plain", "signed"))
    for one in signed["manifests"]:
        assert one["annotations"].pop("kind") == "dev.cosignproject.cosign/image"
    assert signed == plain
