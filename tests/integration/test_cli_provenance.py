"""`--provenance` and `--attest-in-index` as users give them: what is written where, and who reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from minpack.base.options import BaseOptions
from minpack.build.artifacts import ArtifactSpec, make_artifacts
from minpack.build.pack import pack
from minpack.build.provenance import ProvenanceSpec, image_provenance
from minpack.lock.file import read_lock
from minpack.net.network import Network
from minpack.oci.read import read_image
from minpack.oci.reference import parse_reference
from minpack.oci.validate import validate_archive
from minpack.output.target import Format, OutputSpec
from minpack.registry.options import RegistryOptions
from minpack.spec.image import ImageSpec
from minpack.trust.provenance import read_inputs, unlocked
from support.command import Ran, assert_refused, minpack
from support.elfmaker import static_program
from support.locks import AlpineWorld, DebianWorld, World
from support.mirror import Mirror
from support.registries import docker_registry, need_built
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.docker import Docker

ALL = ("--provenance", "--sbom", "spdx", "--attest-in-index")


def run(place: Path, *arguments: str, code: int = 0) -> Ran:
    """Run the command without a cache."""
    done = minpack(*arguments, "--no-cache", cwd=place)
    assert done.code == code, done.err
    return done


def statement(path: Path) -> Any:
    """The statement in a file."""
    return json.loads(path.read_bytes())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a static program, for two machines."""
    for name, machine in (("app", "x86_64"), ("app-amd64", "x86_64"), ("app-arm64", "aarch64")):
        (tmp_path / name).write_bytes(static_program(machine=machine))
    return tmp_path


@pytest.mark.parametrize("form", [("-o", "out/image.tar"), ("-o", "out/image", "--format", "oci")])
def test_it_goes_beside_the_image_and_along_with_it(place: Path, form: tuple[str, ...]) -> None:
    """The same bytes, about the image; the image is the same without."""
    (place / "out").mkdir()
    run(place, "./app", *form)
    (plain,) = read_image(str(place / form[1]))
    run(place, "./app", *form, "--provenance", "--force")
    (found,) = read_image(str(place / form[1]))
    assert found.built.digest == plain.built.digest
    (artifact,) = found.built.artifacts
    data = (place / "out" / "image.provenance.json").read_bytes()
    assert artifact.layers[0].data == data
    stated = json.loads(data)
    assert stated["subject"] == [{"digest": {"sha256": found.built.digest.hex}}]
    assert stated["predicate"]["buildDefinition"]["externalParameters"] == {"program": ["app"]}


def test_of_several_platforms_the_file_is_about_the_index(place: Path) -> None:
    """And each image has its own."""
    run(place, "./app-amd64", "./app-arm64", "-o", "image.tar", "--provenance")
    ((built, _),) = read_image(str(place / "image.tar"))
    assert statement(place / "image.provenance.json")["subject"] == [{"digest": {"sha256": built.digest.hex}}]
    about = {one.subject.digest for one in built.artifacts if one.subject is not None}
    assert about == {built.digest, *(image.digest for image in built.images)}


@pytest.fixture(params=[AlpineWorld, DebianWorld], ids=["alpine", "debian"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[World]:
    """A distribution with a server of its own."""
    with Mirror() as mirror:
        yield request.param(mirror, tmp_path)


def test_what_is_built_from_a_lock_has_its_inputs(world: World) -> None:
    """The lock is one of them. Built of other packages, that is what differs. No address is that of the mirror."""
    base = "base.tar" if isinstance(world, AlpineWorld) else "debian-12"
    world.lock("--base", base)
    lock = read_lock(str(world.place / "minpack.lock"))

    def inputs() -> Any:
        stated = statement(world.place / "out.provenance.json")
        assert world.mirror.url not in str(stated)
        assert str(world.place) not in str(stated)
        return read_inputs(stated["predicate"])

    world.image("--locked", "--provenance")
    assert [one.name for one in inputs() if one.kind == "lock"] == ["minpack.lock"]
    assert {one.name for one in inputs() if one.kind == "package"} >= {"libfoo" if base == "base.tar" else "libfoo1"}
    assert unlocked(inputs(), lock, "linux/amd64") == ()
    world.done("lock", "./app", "--base", base, "--add-lib", "libbar.so.2", "--lock", "other.lock", "-q")
    world.image("--locked", "--lock", "other.lock", "--add-lib", "libbar.so.2", "--provenance")
    (difference,) = unlocked(inputs(), lock, "linux/amd64")
    assert (difference.kind, difference.name[:6], difference.locked) == ("package", "libbar", "")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (
            ("--builder-id", "https://ci"),
            "cannot use --builder-id 'https://ci': no provenance is written",
            "add --provenance, or leave it out",
        ),
        (
            ("--builder-id", "me", "--provenance"),
            "cannot use --builder-id 'me': it is not a URI",
            "name what runs the build: --builder-id https://ci.example.org/runners/1",
        ),
        (
            ("--builder-id", "https://u:p@ci/", "--provenance"),
            "cannot use --builder-id 'https://u:p@ci/': it is not a URI",
            "name what runs the build: --builder-id https://ci.example.org/runners/1",
        ),
        (
            ("--attest-in-index",),
            "cannot use --attest-in-index: there is no SBOM or provenance to list",
            "add --sbom spdx or --provenance, or leave it out",
        ),
        (
            ("--load", "--provenance"),
            "cannot use --provenance: an engine keeps no SBOMs or provenance",
            "add -o FILE, or --push, or leave --provenance out",
        ),
    ],
)
def test_what_has_no_effect_is_refused(place: Path, options: tuple[str, ...], message: str, hint: str) -> None:
    """Before anything is read."""
    assert_refused(run(place, "./app", *options, code=2), 2, message, hint)


def test_a_file_of_something_else_stays(place: Path) -> None:
    """But for --force."""
    (place / "image.provenance.json").write_text("{}")
    done = run(place, "./app", "-o", "image.tar", "--provenance", code=1)
    assert "'image.provenance.json': the existing file is not provenance" in done.err
    assert not (place / "image.tar").exists()
    run(place, "./app", "-o", "image.tar", "--provenance", "--force")


@pytest.mark.parametrize("programs", [("./app",), ("./app-amd64", "./app-arm64")])
def test_the_index_lists_what_is_said(place: Path, programs: tuple[str, ...]) -> None:
    """Of each image; the index is what the name stands for, and what the files beside it are about."""
    run(place, *programs, "-o", "image.tar", *ALL)
    assert validate_archive(str(place / "image.tar")) == ()
    ((built, _),) = read_image(str(place / "image.tar"))
    assert built.document is not None
    listed = json.loads(built.document.data)["manifests"]
    assert [one["platform"]["os"] for one in listed] == ["linux"] * len(programs) + ["unknown"] * len(programs)
    assert statement(place / "image.provenance.json")["subject"] == [{"digest": {"sha256": built.digest.hex}}]


@pytest.mark.engine
def test_an_engine_loads_it(place: Path, docker: Docker) -> None:
    """Also one that knows no attestations."""
    name = docker.name()
    done = run(place, "./app", "-o", "image.tar", "-t", name, *ALL, "--json")
    docker.load(place / "image.tar")
    assert docker.inspect(name)["Id"] == done.document["images"][0]["image_id"]


@pytest.mark.tool
@pytest.mark.engine
def test_a_pushed_tag_is_an_index_that_others_pull(place: Path, docker: Docker) -> None:
    """Docker, podman and skopeo take the image of this machine out of it."""
    with docker_registry(place / "registry") as registry:
        name = f"{registry.host}/me/app:1"
        docker._names.append(name)
        done = run(place, "./app", "-t", name, "--push", *ALL, "--json")
        assert registry.manifest("me/app", "1")["mediaType"] == "application/vnd.oci.image.index.v1+json"
        (image,) = done.document["images"]
        docker.call("pull", name)
        assert docker.inspect(name)["Id"] == image["image_id"]
        copy = (need_tool("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{name}")
        assert len(json.loads(subprocess.check_output(copy))["manifests"]) == 2
        podman = need_tool("podman")
        subprocess.run((podman, "pull", "-q", "--tls-verify=false", name), check=True, capture_output=True)
        subprocess.run((podman, "rmi", "-f", name), check=True, capture_output=True)


@pytest.mark.oracle
def test_buildx_reads_both(place: Path) -> None:
    """What `docker buildx imagetools` shows of provenance and SBOM."""
    buildx = need_built("buildx")
    with docker_registry(place / "registry") as registry:
        name = f"{registry.host}/me/app:1"
        run(place, "./app", "-t", name, "--push", *ALL)

        def shown(what: str) -> Any:
            command = (buildx, "imagetools", "inspect", name, "--format", f"{{{{json .{what}}}}}")
            return json.loads(subprocess.check_output(command, env=os.environ | {"BUILDX_CONFIG": str(place / "x")}))

        assert shown("Provenance")["SLSA"]["buildDefinition"]["externalParameters"] == {"program": ["app"]}
        assert shown("SBOM")["SPDX"]["spdxVersion"] == "SPDX-2.3"


class Key(NamedTuple):
    """A private key of a curve that cosign takes."""

    key: ec.EllipticCurvePrivateKey

    @property
    def hint(self) -> str:
        """What names the public key."""
        return base64.b64encode(hashlib.sha256(self.public(serialization.Encoding.DER)).digest()).decode()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`."""
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))

    def public(self, encoding: serialization.Encoding) -> bytes:
        """The public key."""
        return self.key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.oracle
def test_cosign_verifies_what_is_signed(place: Path) -> None:
    """Provenance under the name that cosign has for it, and under no other."""
    cosign = need_built("cosign")
    key = Key(ec.generate_private_key(ec.SECP256R1()))
    (place / "key.pub").write_bytes(key.public(serialization.Encoding.PEM))
    spec, options = ImageSpec((str(place / "app"),)), BaseOptions(None, Network(), "2026-11-30")
    artifacts = ArtifactSpec((partial(image_provenance, ProvenanceSpec(spec, options)),), key=key)
    with docker_registry(place / "registry") as registry:
        name = parse_reference(f"{registry.host}/me/app:1")
        output = OutputSpec(Format.ARCHIVE, None, (name,), registry=RegistryOptions())
        packed = pack(spec, options, output, sums=True, artifacts_of=partial(make_artifacts, artifacts))
        assert packed.written is not None

        def verified(kind: str) -> int:
            command = (cosign, "verify-attestation", "--key", "key.pub", "--insecure-ignore-tlog=true", "--type", kind)
            return subprocess.run((*command, str(name)), cwd=place, capture_output=True, check=False).returncode

        assert verified("slsaprovenance1") == 0
        assert verified("spdxjson") != 0
