"""The documents of images keep to the JSON schemas that the OCI image-spec publishes."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema

from minpack.target import Platform
from support.images import AMD64, Taken, archive_bytes, archive_file, built_index, parts_of
from support.packing import minpack, write_program
from support.tools import need_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Where Debian's golang-github-opencontainers-image-spec-dev has them.
SCHEMAS = "/usr/share/gocode/src/github.com/opencontainers/image-spec/schema"
INDEX, MANIFEST, CONFIG = "image-index-schema.json", "image-manifest-schema.json", "config-schema.json"
LAYOUT = "image-layout-schema.json"
OPTIONS = (
    "--expose=80",
    "--volume=/data",
    "--label=a=größe",
    "--env=A=",
    "--cmd=x",
    "--stop-signal=SIGTERM",
    "--created=1700000000",
)
CHECKER = jsonschema.FormatChecker()


def is_time(text: Any) -> bool:
    """Whether a text is a time of RFC 3339."""
    return bool(re.search(r"T.*(Z|[+-]\d\d:\d\d)$", text)) and bool(datetime.fromisoformat(text))


# jsonschema checks times only with a package of its own choice.
CHECKER.checks("date-time", raises=ValueError)(is_time)


def schema(uri: str) -> Any:
    """The schema that a reference means: the files name each other relatively to addresses they do not lie at."""
    path = need_file(SCHEMAS) / uri.partition("#")[0].rpartition("/")[2]
    return json.loads(path.read_text("utf-8"))


def resource(uri: str) -> referencing.Resource[Any]:
    """The schema at `uri`, for references to it."""
    return referencing.Resource.from_contents(schema(uri), referencing.jsonschema.DRAFT4)


def faults(name: str, document: Any) -> list[str]:
    """What a schema says is wrong with a document."""
    registry: referencing.Registry[Any] = referencing.Registry(retrieve=resource)  # type: ignore[call-arg]
    validator = jsonschema.Draft4Validator(schema(name), registry=registry, format_checker=CHECKER)
    return [error.message for error in validator.iter_errors(document)]


def documents(parts: dict[str, bytes]) -> Iterator[tuple[str, Any]]:
    """Each document of an image, with the schema that it must keep to."""
    index = json.loads(parts["index.json"])
    yield INDEX, index
    yield LAYOUT, json.loads(parts["oci-layout"])
    manifest = json.loads(parts[_member(index["manifests"][0])])
    yield MANIFEST, manifest
    yield CONFIG, json.loads(parts[_member(manifest["config"])])


@pytest.mark.parametrize("machine", ["x86_64", "armhf", "aarch64", "s390x", "riscv64", "ppc64le", "loongarch64"])
def test_documents_keep_to_the_schemas(machine: str, tmp_path: Path) -> None:
    """Index, layout file, manifest and configuration of every architecture are as the schemas want them."""
    program, out = write_program(tmp_path / "app", machine=machine), tmp_path / "out.tar"
    minpack(program, "-o", out, "--tag=a:1", "--tag=ghcr.io/b/c:1", *OPTIONS, "--no-need=certs")
    for name, document in documents(parts_of(out.read_bytes())):
        assert faults(name, document) == []


def test_indexes_and_artifacts_keep_to_the_schemas(tmp_path: Path) -> None:
    """So are an index of several platforms and the manifests of artifacts, which the newer ones of 1.1 allow."""
    index = built_index(tmp_path / "built", (AMD64, Platform("linux", "arm", "v7")), artifacts=True)
    archive_file(tmp_path / "out.tar", index)
    parts = parts_of((tmp_path / "out.tar").read_bytes())
    assert index.document is not None
    found = [(INDEX, index.document.data), (INDEX, parts["index.json"]), (LAYOUT, parts["oci-layout"])]
    found += [(CONFIG, image.config.data) for image in index.images]
    found += [(MANIFEST, image.manifest.data) for image in index.images]
    found += [(MANIFEST, artifact.manifest.data) for artifact in index.artifacts]
    for name, data in found:
        assert faults(name, json.loads(data)) == []


@pytest.mark.parametrize("stored", [("--compress=none",), ("--compress=small",), ("--zstd",), ("--single-layer",)])
def test_every_way_of_storing_keeps_to_the_schemas(stored: tuple[str, ...], tmp_path: Path) -> None:
    """Layers of every kind are described as the schemas want it, in layouts too."""
    program, out = write_program(tmp_path / "app"), tmp_path / "out"
    minpack(program, "-o", out, "--format=oci", *stored, "--no-need=certs")
    parts = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for name, document in documents(parts):
        assert faults(name, document) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (INDEX, lambda image: image.index["manifests"][0].update(digest="sha256")),
        (INDEX, lambda image: image.index.update(schemaVersion=1)),
        (MANIFEST, lambda image: image.manifest.update(layers=[])),
        (MANIFEST, lambda image: image.manifest["config"].update(size="1")),
        (CONFIG, lambda image: image.config.update(created="yesterday")),
        (CONFIG, lambda image: image.config.pop("rootfs")),
    ],
)
def test_the_schemas_find_faults(name: str, change: Any) -> None:
    """The schemas are really looked at: each finds what is wrong."""
    image = Taken(archive_bytes())
    change(image)
    document = {INDEX: image.index, MANIFEST: image.manifest, CONFIG: image.config}[name]
    assert faults(name, document) != []


def _member(described: dict[str, Any]) -> str:
    return f"blobs/sha256/{described['digest'].partition(':')[2]}"
