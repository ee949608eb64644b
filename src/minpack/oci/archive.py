"""An image as one tar that every engine loads: an OCI layout with Docker's `manifest.json` beside its index.

Docker from 20.10 reads `manifest.json`, podman, skopeo and containerd the
index (image-layout.md allows further files). Blobs come first, written as
they are made, each header filled in behind them: the bytes pass once.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from minpack.content import BytesContent, RangeContent
from minpack.oci.documents import canonical
from minpack.oci.layout import LAYOUT_FILE, layout_index
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, file
from minpack.tar.write import BLOCK, END, MAX_OCTAL_SIZE, headers, padding

if TYPE_CHECKING:
    from minpack.digest import Digest, Writable
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Image


def docker_manifest(image: Image) -> bytes:
    """`manifest.json` with its one item, as `docker save` writes and `docker load` reads it."""
    return canonical(
        [
            {
                "Config": _blob_path(image.config.descriptor.digest),
                "RepoTags": [str(reference) for reference in image.references] or None,
                "Layers": [_blob_path(layer.descriptor.digest) for layer in image.layers],
            }
        ]
    )


class ArchiveWriter:
    """Writes blobs into a seekable file as members of a tar, then the documents."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._start = 0
        self._seen: set[Digest] = set()

    def begin_blob(self) -> Writable:
        """Where to write the next blob's bytes."""
        self._start = self._out.tell()
        self._out.write(bytes(BLOCK))
        return self._out

    def end_blob(self, descriptor: Descriptor) -> None:
        """The blob is whole and gets its header; one that is there already is taken back."""
        if descriptor.digest in self._seen:
            self._out.seek(self._start)
            self._out.truncate()
            return
        self._seen.add(descriptor.digest)
        self._out.write(padding(descriptor.size))
        end = self._out.tell()
        self._out.seek(self._start)
        self._out.write(_blob_header(descriptor))
        self._out.seek(end)

    def finish(self, image: Image) -> None:
        """Write the documents and the end; the archive is complete when this returns."""
        for document in (image.config, image.manifest):
            self._member(_blob_path(document.descriptor.digest), document.data)
        self._member("index.json", layout_index(image))
        self._member("manifest.json", docker_manifest(image))
        self._member("oci-layout", LAYOUT_FILE)
        self._out.write(END)
        self._out.flush()

    def _member(self, path: str, data: bytes) -> None:
        self._out.write(headers(file(RootPath(f"/{path}"), BytesContent(data)), 0))
        self._out.write(data + padding(len(data)))


def _blob_path(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _blob_header(descriptor: Descriptor) -> bytes:
    """One block: a size that octal digits cannot hold stands in base 256, as GNU tar and Go write it."""
    path = RootPath(f"/{_blob_path(descriptor.digest)}")
    if descriptor.size <= MAX_OCTAL_SIZE:
        return headers(Entry(path, Kind.FILE, 0o644, content=RangeContent(-1, 0, descriptor.size, "blob")), 0)
    block = bytearray(headers(Entry(path, Kind.FILE, 0o644), 0))
    block[124:136] = (1 << 95 | descriptor.size).to_bytes(12, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
