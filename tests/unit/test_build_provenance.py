"""The provenance of what was packed: each input once, with the digest of the bytes that were read."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseOptions
from minpack.build.artifacts import ArtifactSpec, make_artifacts
from minpack.build.pack import pack
from minpack.build.provenance import ProvenanceSpec, image_provenance, index_provenance
from minpack.needs.need import Need
from minpack.net.network import Network
from minpack.oci.reference import parse_reference
from minpack.output.target import Format, OutputSpec
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.spec.values import parse_addition
from minpack.trust.provenance import ResolvedInput, read_inputs
from support.badfiles import CERTIFICATE, MUSL_LOADER
from support.elfmaker import MUSL, library, program, static_program
from support.gomaker import GoForm, go_program
from support.tarmaker import archive, directory, member

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.oci.image import Artifact

OPTIONS = BaseOptions(None, Network(), "2026-01-01")
APP, PLUG = program(("libz.so.1",), interpreter=MUSL), library("libplug.so")
LIBZ = library("libz.so.1")


def made(place: Path, spec: ImageSpec, **more: Any) -> tuple[Artifact, ...]:
    """The artifacts of an image of the spec, with provenance as `more` has it."""
    wanted = ProvenanceSpec(spec, OPTIONS, **more)
    artifacts = ArtifactSpec((partial(image_provenance, wanted),), (partial(index_provenance, wanted),))
    output = OutputSpec(Format.ARCHIVE, str(place / "out.tar"), (parse_reference("app"),), force=True)
    packed = pack(spec, OPTIONS, output, sums=True, artifacts_of=partial(make_artifacts, artifacts))
    assert packed.written is not None
    assert packed.written.built is not None
    return packed.written.built.artifacts


def provenance(place: Path, spec: ImageSpec, **more: Any) -> Any:
    """The provenance of an image of one platform."""
    (artifact,) = made(place, spec, **more)
    return json.loads(artifact.layers[0].data)["predicate"]


def inputs(place: Path, spec: ImageSpec, **more: Any) -> dict[tuple[str, str], ResolvedInput]:
    """The inputs, by kind and name."""
    found = read_inputs(provenance(place, spec, **more))
    assert found is not None
    return {(one.kind, one.name): one for one in found}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base in a directory, and as a tarball beside it; a program and what is added to it."""
    files = {"lib/ld-musl-x86_64.so.1": MUSL_LOADER, "usr/lib/libz.so.1": LIBZ}
    for path, data in {f"base/{path}": data for path, data in files.items()}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        (tmp_path / path).chmod(0o755)
    members = (directory("lib/"), *(member(path, data, mode=0o755) for path, data in files.items()))
    (tmp_path / "base.tar").write_bytes(archive(*members))
    (tmp_path / "app").write_bytes(APP)
    (tmp_path / "libplug.so").write_bytes(PLUG)
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE)
    (tmp_path / "minpack.lock").write_bytes(b"version = 2\n")
    return tmp_path


def sha256(data: bytes) -> str:
    """The sum, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def test_every_input_has_its_digest(base: Path) -> None:
    """Program, added files, certificates, tarball, embedded data, lock; no path of the host; the same bytes twice."""
    spec = ImageSpec(
        (str(base / "app"),),
        parse_base(str(base / "base.tar")),
        additions=(parse_addition(f"{base}/libplug.so:/usr/lib/libplug.so"),),
        wanted=frozenset((Need.CERTS,)),
        ca_file=str(base / "ca.pem"),
    )
    found = inputs(base, spec, lock=str(base / "minpack.lock"))
    assert {key: one.sha256 for key, one in found.items() if key[0] != "data"} == {
        ("program", "/usr/local/bin/app"): sha256(APP),
        ("added", "/usr/lib/libplug.so"): sha256(PLUG),
        ("added", "ca.pem"): sha256(CERTIFICATE),
        ("base", "base.tar"): sha256((base / "base.tar").read_bytes()),
        ("lock", "minpack.lock"): sha256(b"version = 2\n"),
    }
    data = found["data", "certifi"]
    assert data.uri == f"pkg:pypi/certifi@{data.version}"
    assert str(base) not in str(provenance(base, spec))
    assert made(base, spec)[0].descriptor == made(base, spec)[0].descriptor


def test_of_a_directory_each_file_is_an_input(base: Path) -> None:
    """It has no sum of its own."""
    found = inputs(base, ImageSpec((str(base / "app"),), parse_base(str(base / "base"))))
    assert found["file", "/usr/lib/libz.so.1"].sha256 == sha256(LIBZ)
    assert not any(kind == "base" for kind, _ in found)


def test_the_program_is_the_one_that_was_read(base: Path) -> None:
    """And not what --strip left of it in the image."""
    data = go_program(GoForm(extra={".debug_info": bytes(1000)})).data
    (base / "app").write_bytes(data)
    found = inputs(base, ImageSpec((str(base / "app"),), strip=True))
    assert found["program", "/usr/local/bin/app"].sha256 == sha256(data)


def test_the_builder_is_who_says_so(base: Path) -> None:
    """Versions of what decides the bytes are minpack's and those of what compresses."""
    (base / "app").write_bytes(static_program())
    run = provenance(base, ImageSpec((str(base / "app"),)), builder="https://ci.example.org/runner")["runDetails"]
    assert run["builder"]["id"] == "https://ci.example.org/runner"
    assert set(run["builder"]["version"]) == {"minpack", "deflate", "zstandard"}


def test_of_several_platforms_each_has_one_and_the_index_all(base: Path) -> None:
    """What reads the index alone finds the inputs of every platform there."""
    for name, machine in (("app-amd64", "x86_64"), ("app-arm64", "aarch64")):
        (base / name).write_bytes(static_program(machine=machine))
    artifacts = made(base, ImageSpec((str(base / "app-amd64"), str(base / "app-arm64"))))
    statements = [json.loads(one.layers[0].data) for one in artifacts]
    counts = sorted(len(one["predicate"]["buildDefinition"]["resolvedDependencies"]) for one in statements)
    assert counts == [1, 1, 2]
