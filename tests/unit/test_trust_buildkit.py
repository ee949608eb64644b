"""Statements that an index lists, as BuildKit has them: what they say, and that archives of them are whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.net.network import Network
from minpack.oci.archive import ArchiveSink
from minpack.oci.image import list_artifacts, put_index
from minpack.oci.read import read_image
from minpack.oci.reference import parse_reference
from minpack.oci.validate import validate_archive
from minpack.output.registry import RegistrySink
from minpack.output.target import Format, OutputSpec
from minpack.progress import no_progress
from minpack.registry.options import RegistryOptions
from minpack.spec.image import ImageSpec
from minpack.trust.attest import PROVENANCE, SPDX, Document
from minpack.trust.buildkit import attestation_manifest
from support.elfmaker import static_program
from support.fakeregistry import FakeRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.oci.image import Index

DOCUMENTS = (Document(SPDX, {"spdxVersion": "SPDX-2.3"}, "application/spdx+json"), Document(PROVENANCE, {"a": 1}))
OPTIONS = BaseOptions(None, Network(), "2026-11-30")
NAME = parse_reference("me/app:1")


def built(place: Path, *machines: str) -> Index:
    """An image for each of these machines, each with attestations in the index."""
    for machine in machines:
        (place / f"app-{machine}").write_bytes(static_program(machine=machine))
    spec = ImageSpec(tuple(str(place / f"app-{machine}") for machine in machines))
    pack(spec, OPTIONS, OutputSpec(Format.ARCHIVE, str(place / "app.tar"), (NAME,), force=True))
    ((index, _),) = read_image(str(place / "app.tar"))
    listed = [attestation_manifest(image.descriptor, DOCUMENTS) for image in index.images]
    return list_artifacts(index, listed, {"made": "so"})


@pytest.mark.parametrize("machines", [("x86_64",), ("x86_64", "aarch64")])
def test_the_index_lists_statements_behind_the_images(machines: tuple[str, ...], tmp_path: Path) -> None:
    """Each says which image it is about, and of what type its statements are; one image has an index too."""
    index = built(tmp_path, *machines)
    document = json.loads(index.root_blob.data)
    assert document["annotations"] == {"made": "so"}
    images, listed = document["manifests"][: len(machines)], document["manifests"][len(machines) :]
    assert [one["platform"]["os"] for one in images] == ["linux"] * len(machines)
    assert [one["annotations"] for one in listed] == [
        {"vnd.docker.reference.digest": one["digest"], "vnd.docker.reference.type": "attestation-manifest"}
        for one in images
    ]
    assert all(one["platform"] == {"os": "unknown", "architecture": "unknown"} for one in listed)
    for artifact in index.artifacts:
        manifest = json.loads(artifact.manifest.data)
        types = [one["annotations"]["in-toto.io/predicate-type"] for one in manifest["layers"]]
        statements = [json.loads(one.data) for one in artifact.layers]
        assert types == [one["predicateType"] for one in statements] == [SPDX, PROVENANCE]
        assert artifact.subject is not None
        subjects = {one["subject"][0]["digest"]["sha256"] for one in statements}
        assert subjects == {artifact.subject.digest.hex}
        assert manifest["subject"]["digest"] == str(artifact.subject.digest)


@pytest.mark.parametrize("machines", [("x86_64",), ("x86_64", "aarch64")])
def test_an_archive_of_it_is_whole_and_is_read_again(machines: tuple[str, ...], tmp_path: Path) -> None:
    """The same images, and the statements as artifacts about them."""
    index = built(tmp_path, *machines)
    path = tmp_path / "listed.tar"
    with path.open("w+b") as out:
        put_index(index, ArchiveSink(out, "listed.tar"), (NAME,))
    assert validate_archive(str(path)) == ()
    ((found, _),) = read_image(str(path))
    assert found.digest == index.digest
    assert [one.digest for one in found.images] == [one.digest for one in index.images]
    assert [one.descriptor.digest for one in found.artifacts] == [one.descriptor.digest for one in index.artifacts]


def test_registries_need_no_other_tag_for_what_the_index_lists(tmp_path: Path) -> None:
    """It is found by the index: the tag for referrers is for those that are not."""
    index = built(tmp_path, "x86_64")
    with FakeRegistry() as registry:
        registry.switches.referrers = False
        name = parse_reference(f"{registry.host}/me/app:1")
        with RegistrySink(RegistryOptions(), (name,), no_progress) as sink:
            put_index(index, sink, (name,))
        assert list(registry.tags("me/app")) == ["1"]
