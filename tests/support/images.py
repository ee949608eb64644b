"""Small images made in memory, and taken apart and put together again with something changed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from typing import IO, TYPE_CHECKING, Any

from minpack.content import BytesContent, FileContent
from minpack.digest import Digest
from minpack.oci.archive import ArchiveSink
from minpack.oci.compression import Compression
from minpack.oci.documents import Blob, Descriptor, ImageConfig
from minpack.oci.image import build_artifact, build_image, build_index, put_index
from minpack.oci.layer import write_layer
from minpack.oci.layout import LayoutSink, blob_path
from minpack.oci.reference import parse_reference
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.target import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from minpack.oci.image import BuiltImage, Index, StreamingSink

AMD64 = Platform("linux", "amd64")
LOWER = (
    directory(RootPath("/etc")),
    file(RootPath("/etc/passwd"), BytesContent(b"root:x:0:0:root:/root:/sbin/nologin\n")),
    directory(RootPath("/tmp"), 0o1777),
    directory(RootPath("/usr")),
)
UPPER = (
    directory(RootPath("/usr")),
    directory(RootPath("/usr/bin")),
    file(RootPath("/usr/bin/app"), BytesContent(b"\x7fELF" + bytes(3000)), 0o755),
    Entry(RootPath("/usr/bin/app2"), Kind.HARDLINK, 0o755, link="/usr/bin/app"),
    symlink(RootPath("/usr/bin/link"), "app"),
)
_UPPERS = (UPPER, (*UPPER[:2], file(RootPath("/usr/bin/app"), BytesContent(b"\x7fELF of another"), 0o755)))
CONFIG = ImageConfig(
    AMD64,
    ("/usr/bin/app",),
    86400,
    ("serve",),
    (("PATH", "/usr/bin"), ("EMPTY", "")),
    "65532:65532",
    "/",
    ("8080/tcp",),
    ("/data",),
    (("org.opencontainers.image.title", "app"),),
    "SIGINT",
)


def write_image(
    sink: StreamingSink,
    layers: Sequence[Sequence[Entry]] = (LOWER, UPPER),
    config: ImageConfig = CONFIG,
    names: Sequence[str] = ("app:1",),
    compression: Compression = Compression.BALANCED,
    threads: int = 1,
) -> BuiltImage:
    """Write an image of these layers, lowest first."""
    made, blobs = [], []
    for number, entries in enumerate(layers):
        layer = write_layer(
            entries,
            sink.begin_blob(),
            mtime=config.created,
            compression=compression,
            threads=threads,
            progress=no_progress,
            comment=f"layer {number}",
        )
        blobs.append(sink.end_blob(layer.descriptor))
        made.append(layer)
    image = build_image(made, config, blobs)
    put_index(build_index([image]), sink, [parse_reference(name) for name in names])
    return image


def in_memory() -> IO[bytes]:
    """A file that is nowhere."""
    return os.fdopen(os.memfd_create("image"), "w+b")


def bytes_of(out: IO[bytes]) -> bytes:
    """All bytes of a file."""
    out.seek(0)
    return out.read()


def built_index(directory: Path, platforms: Sequence[Platform] = (AMD64,), *, artifacts: bool = False) -> Index:
    """Images of these platforms, which share a layer and are kept in `directory`; with an SBOM, which is signed."""
    with LayoutSink(str(directory)) as sink:
        images = [
            write_image(sink, (LOWER, _UPPERS[at % 2]), CONFIG._replace(platform=p)) for at, p in enumerate(platforms)
        ]
    index = build_index(images)
    if not artifacts:
        return index
    sbom = build_artifact("application/spdx+json", [_text(b"{}  ")], {"a": "b"}, index.root)
    signature = build_artifact("application/vnd.example.signature", [_text(b"signed")], {}, sbom.descriptor)
    return build_index(images, [sbom, signature])


def _text(data: bytes) -> Blob:
    return Blob(Descriptor("text/plain", Digest.of(data), len(data)), BytesContent(data))


def archive_file(path: Path, index: Index, names: Sequence[str] = ("app:1",)) -> Index:
    """Write the archive of `index` to `path`; the index as it is there."""
    with path.open("w+b") as out:
        sink = ArchiveSink(out)
        put_index(index, sink, [parse_reference(name) for name in names])
    return index.stored(lambda one: FileContent(str(path), one.size, sink.start_of(one.digest)))


def layout_directory(path: Path, index: Index, names: Sequence[str] = ("app:1",)) -> Index:
    """Write the layout of `index` to `path`; the index as it is there."""
    with LayoutSink(str(path)) as sink:
        put_index(index, sink, [parse_reference(name) for name in names])
    return index.stored(lambda one: FileContent(f"{path}/{blob_path(one.digest)}", one.size))


def archive_bytes(**image: Any) -> bytes:
    """The archive of an image, made of the arguments of `write_image`."""
    with in_memory() as out:
        write_image(ArchiveSink(out), **image)
        return bytes_of(out)


def parts_of(archive: bytes | IO[bytes]) -> dict[str, bytes]:
    """The members of an archive, by name in their order."""
    stream = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    with tarfile.open(fileobj=stream) as tar:
        return {member.name: read(tar, member) for member in tar}


def read(tar: tarfile.TarFile, member: tarfile.TarInfo | str) -> bytes:
    """The bytes of a member."""
    found = tar.extractfile(member)
    assert found is not None
    return found.read()


def blob_name(data: bytes) -> str:
    """The member that holds a blob."""
    return f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"


def descriptor_of(data: bytes, media_type: str) -> dict[str, Any]:
    """A descriptor of a blob."""
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


class Taken:
    """An image taken apart: change what you like, then have it put together with true digests.

    `layers` are the blobs, lowest first; `config`, `manifest`, `index` and `docker` the documents.
    The digests and sizes in them are made true by `parts`, and those alone.
    """

    def __init__(self, archive: bytes) -> None:
        parts = parts_of(archive)
        self.index = json.loads(parts["index.json"])
        self.docker = json.loads(parts["manifest.json"])
        self.layout = parts["oci-layout"]
        self.manifest = json.loads(parts[_named(self.index["manifests"][0])])
        self.config = json.loads(parts[_named(self.manifest["config"])])
        self.layers = [parts[_named(layer)] for layer in self.manifest["layers"]]

    def parts(self) -> dict[str, bytes]:
        """The members of the archive."""
        for described, layer in zip(self.manifest.get("layers", ()), self.layers, strict=False):
            described.update(descriptor_of(layer, described["mediaType"]))
        config = _dumped(self.config)
        self.manifest["config"] |= descriptor_of(config, self.manifest["config"]["mediaType"])
        manifest = _dumped(self.manifest)
        for entry in self.index["manifests"]:
            entry.update(descriptor_of(manifest, entry["mediaType"]))
        for item in self.docker:
            item["Config"] = blob_name(config)
            item["Layers"] = [blob_name(layer) for layer in self.layers]
        blobs = {blob_name(data): data for data in (*self.layers, config, manifest)}
        documents = {
            "index.json": _dumped(self.index),
            "manifest.json": _dumped(self.docker),
            "oci-layout": self.layout,
        }
        return blobs | documents

    def with_diff_ids(self, unpacked: Sequence[bytes]) -> Taken:
        """The same image, with the diff IDs of layers that unpack to these tars."""
        self.config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in unpacked]
        return self


def archive_of(parts: Mapping[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> bytes:
    """An archive of these members, each changed by `change`."""
    out = bytearray()
    for name, data in parts.items():
        member = tarfile.TarInfo(name)
        member.size = len(data)
        change(member)
        out += member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    return bytes(out) + bytes(1024)


def _named(described: Mapping[str, str]) -> str:
    return f"blobs/sha256/{described['digest'].partition(':')[2]}"


def _dumped(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
