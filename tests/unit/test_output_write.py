"""Delivering: every form of the same plan, and what the caller learns of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.errors import InputError, OutputError
from minpack.net.network import Network
from minpack.oci.compression import Compression
from minpack.oci.read import read_image
from minpack.oci.reference import parse_reference
from minpack.output.target import Format, OutputSpec, WrittenOutput
from minpack.paths import RootPath
from minpack.spec.image import ImageSpec
from minpack.spec.values import Addition
from support.elfmaker import static_program
from support.fake_engine import FakeEngine

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.digest import Digest

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")
NAMES = (parse_reference("me/app:1.0"), parse_reference("app"))


@pytest.fixture
def request_(tmp_path: Path) -> ImageSpec:
    """A request for one static program."""
    (tmp_path / "app").write_bytes(static_program(overlay=b"x" * 3_000_000))
    return ImageSpec((str(tmp_path / "app"),), threads=2)


def written(request: ImageSpec, form: Format, path: str | None, stdout: io.BytesIO | None = None) -> WrittenOutput:
    """What delivering in that form gave."""
    found = pack(request, OPTIONS, OutputSpec(form, path, NAMES, stdout=stdout)).written
    assert found is not None
    return found


def blobs(archive: bytes) -> dict[str, bytes]:
    """The members of a tar."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


def test_an_archive_says_what_was_written(request_: ImageSpec, tmp_path: Path) -> None:
    """Size, digest and image ID are those of the bytes in the file."""
    made = written(request_, Format.ARCHIVE, str(tmp_path / "app.tar"))
    data = (tmp_path / "app.tar").read_bytes()
    assert made.size == len(data)
    assert made.image is not None
    members = blobs(data)
    index = json.loads(members["index.json"])
    assert {item["digest"] for item in index["manifests"]} == {str(made.image.digest)}
    (docker,) = json.loads(members["manifest.json"])
    assert docker["Config"] == f"blobs/sha256/{made.image.image_id.hex}"
    assert docker["RepoTags"] == ["docker.io/me/app:1.0", "docker.io/library/app:latest"]
    assert made.image.size == sum(len(members[f"blobs/sha256/{d.hex}"]) for d in digests(made))
    unpacked = sum(len(gzip.decompress(members[layer])) for layer in docker["Layers"])
    assert made.unpacked_size == unpacked
    (output,) = made.outputs
    assert (output.format, output.path, output.digest) == ("archive", str(tmp_path / "app.tar"), made.image.digest)


def digests(made: WrittenOutput) -> list[Digest]:
    """The digests of all blobs of an image."""
    assert made.image is not None
    return [made.image.digest, made.image.image_id, *(layer.descriptor.digest for layer in made.image.layers)]


def test_stdout_gets_the_same_bytes(request_: ImageSpec, tmp_path: Path) -> None:
    """An archive or tar on stdout is the one that would be in a file."""
    for form in (Format.ARCHIVE, Format.TAR):
        out = io.BytesIO()
        to_stdout = written(request_, form, "-", out)
        to_file = written(request_, form, str(tmp_path / "out"))
        assert out.getvalue() == (tmp_path / "out").read_bytes()
        assert to_stdout.size == to_file.size == len(out.getvalue())
        assert to_stdout.outputs[0].digest == to_file.outputs[0].digest


def test_a_layout_has_the_archives_blobs(request_: ImageSpec, tmp_path: Path) -> None:
    """The same image, blob for blob."""
    layout = written(request_, Format.OCI, str(tmp_path / "oci"))
    archive = written(request_, Format.ARCHIVE, str(tmp_path / "app.tar"))
    assert layout.built is not None
    assert archive.built is not None
    both = zip(layout.built.blobs, archive.built.blobs, strict=True)
    assert all(one.descriptor == other.descriptor for one, other in both)
    members = blobs((tmp_path / "app.tar").read_bytes())
    for digest in digests(layout):
        data = (tmp_path / "oci" / "blobs" / "sha256" / digest.hex).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest.hex
        assert members[f"blobs/sha256/{digest.hex}"] == data
    assert json.loads((tmp_path / "oci" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_a_tar_is_the_root_file_system(request_: ImageSpec, tmp_path: Path) -> None:
    """Its digest is that of the bytes, and there is no image."""
    made = written(request_, Format.TAR, str(tmp_path / "root.tar"))
    data = (tmp_path / "root.tar").read_bytes()
    assert made.image is None
    assert made.outputs[0].digest is not None
    assert made.outputs[0].digest.hex == hashlib.sha256(data).hexdigest()
    assert "usr/local/bin/app" in blobs(data)


def test_a_root_file_system_is_a_directory(request_: ImageSpec, tmp_path: Path) -> None:
    """With the program as it is."""
    made = written(request_, Format.ROOTFS, str(tmp_path / "root"))
    assert (tmp_path / "root" / "usr/local/bin/app").read_bytes() == (tmp_path / "app").read_bytes()
    assert made.image is None
    assert made.size >= (tmp_path / "app").stat().st_size


@pytest.mark.parametrize("compression", Compression)
def test_compression_changes_no_image_id(request_: ImageSpec, tmp_path: Path, compression: Compression) -> None:
    """However the layers are compressed, the image is the same one."""
    plain = written(request_, Format.ARCHIVE, str(tmp_path / "plain.tar"))
    other = written(request_._replace(compression=compression), Format.ARCHIVE, str(tmp_path / "other.tar"))
    assert plain.image is not None
    assert other.image is not None
    assert plain.image.image_id == other.image.image_id
    assert (plain.image.digest == other.image.digest) == (compression is Compression.BALANCED)


def test_one_layer(request_: ImageSpec, tmp_path: Path) -> None:
    """All in one layer, with the same files."""
    two = written(request_, Format.ARCHIVE, str(tmp_path / "two.tar"))
    one = written(request_._replace(single_layer=True), Format.ARCHIVE, str(tmp_path / "one.tar"))
    assert two.image is not None
    assert one.image is not None
    assert (len(two.image.layers), len(one.image.layers)) == (2, 1)


@pytest.mark.parametrize("form", Format)
def test_an_input_that_vanishes_leaves_nothing(request_: ImageSpec, tmp_path: Path, form: Format) -> None:
    """A program that is gone when it is to be copied is told, and no target is made."""
    (tmp_path / "second").write_bytes(static_program(1))
    request = request_._replace(programs=(*request_.programs, str(tmp_path / "second")), single_layer=True)

    def vanish(task: str, done: int, total: int | None) -> None:
        (tmp_path / "second").unlink(missing_ok=True)

    with pytest.raises(InputError, match="second': no such file"):
        pack(request, OPTIONS, OutputSpec(form, str(tmp_path / "target"), NAMES), vanish)
    assert os.listdir(tmp_path) == ["app"]


@pytest.mark.parametrize("form", Format)
def test_files_are_summed_as_they_are_written(request_: ImageSpec, tmp_path: Path, form: Format) -> None:
    """In every form, and where layers are kept, each file has the sum of its bytes, by all its names."""
    (tmp_path / "second").write_bytes(os.urandom(200_000))
    os.link(tmp_path / "second", tmp_path / "third")
    added = tuple(Addition(str(tmp_path / name), RootPath(f"/srv/{name}")) for name in ("second", "third"))
    request = request_._replace(additions=added)
    options = OPTIONS._replace(store=str(tmp_path / "store"))
    expected = pack(request, options, None, sums=True).sums
    assert expected[RootPath("/srv/third")] == hashlib.sha256((tmp_path / "second").read_bytes()).hexdigest()
    for number in range(2):
        output = OutputSpec(form, str(tmp_path / f"out{number}"), NAMES)
        assert pack(request, options, output, sums=True).sums == expected
        assert not pack(request, options, output._replace(path=str(tmp_path / f"again{number}"))).sums


def test_what_was_written_is_read(request_: ImageSpec, tmp_path: Path) -> None:
    """What packing gives is what reading the archive or the layout gives; of a stream nothing is left to read."""
    for form in (Format.ARCHIVE, Format.OCI):
        path = str(tmp_path / form)
        made = written(request_, form, path)
        assert read_image(path) == ((made.built, tuple(map(str, NAMES))),)
    streamed = written(request_, Format.ARCHIVE, "-", io.BytesIO())
    assert streamed.image is not None
    with pytest.raises(InputError, match="what was sent there is not kept"):
        streamed.image.layers[0].copy_to(io.BytesIO())


@pytest.mark.parametrize("form", [Format.ARCHIVE, Format.OCI])
def test_an_engine_takes_what_is_written(request_: ImageSpec, tmp_path: Path, form: Format) -> None:
    """An archive or a layout, and an engine, get one image in one run."""
    with FakeEngine(tmp_path / "socket", load=(200, {}), keeps=True) as engine:
        output = OutputSpec(form, str(tmp_path / "out"), NAMES, engine={"DOCKER_HOST": engine.host})
        made = pack(request_, OPTIONS, output).written
    assert made is not None
    assert read_image(str(tmp_path / "out"))[0].built == made.built
    assert [(one.format, one.reference) for one in made.outputs] == [
        (str(form), None),
        ("engine", "me/app:1.0"),
        ("engine", "app:latest"),
    ]
    assert {one.digest for one in made.outputs} == {made.digest}


def test_a_digest_that_nobody_meets_again_is_not_told(request_: ImageSpec, tmp_path: Path) -> None:
    """Of layers that were left as they are, only an engine that knows the image by its manifest has the digest."""
    to = OutputSpec(Format.ARCHIVE, None, NAMES, may_skip_compression=True)
    plain = written(request_._replace(compression=Compression.NONE), Format.ARCHIVE, str(tmp_path / "plain"))
    known = json.dumps({"Id": str(plain.digest)}).encode()
    for engine in (
        FakeEngine(tmp_path / "classic", load=(200, {}), keeps=True),
        FakeEngine(tmp_path / "containerd", load=(200, {}), image=known),
    ):
        with engine:
            made = pack(request_, OPTIONS, to._replace(engine={"DOCKER_HOST": engine.host})).written
        assert made is not None
        assert made.image is not None
        assert made.image.digest == plain.digest
        assert made.digest == (None if engine.keeps else plain.digest)


def test_a_stdout_that_fails(request_: ImageSpec) -> None:
    """What the system says of stdout is an error of ``-``."""

    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    for form in (Format.ARCHIVE, Format.TAR):
        with pytest.raises(OutputError, match="cannot write '-': no space left on device"):
            written(request_, form, "-", Full())
