"""An image as one tar that every engine loads: an OCI layout with Docker's `manifest.json` beside its index.

Docker from 20.10 reads `manifest.json`, podman, skopeo and containerd the
index (image-layout.md allows further files). Blobs come first, written as
they are made, each header filled in behind them: the bytes pass once.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from minpack.content import BytesContent, RangeContent
from minpack.oci.documents import Blob, canonical
from minpack.oci.layout import LAYOUT_FILE, blob_path, layout_index
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind, file
from minpack.tar.write import BLOCK, END, MAX_OCTAL_SIZE, headers, padding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Digest, Writable
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import BuiltImage, Index
    from minpack.oci.reference import Reference


def docker_manifest(image: BuiltImage, references: Sequence[Reference]) -> bytes:
    """`manifest.json` with its one item, as `docker save` writes and `docker load` reads it."""
    return canonical(
        [
            {
                "Config": blob_path(image.config.descriptor.digest),
                "RepoTags": [str(reference) for reference in references] or None,
                "Layers": [blob_path(layer.descriptor.digest) for layer in image.layers],
            }
        ]
    )


def docker_image(index: Index) -> BuiltImage:
    """The image for engines that know no index, the same on every host: that for amd64 if there is one.

    With several items of one name, Docker's classic store takes the last, whatever its platform.
    """
    return next((image for image in index.images if image.platform.architecture == "amd64"), index.images[0])


class ArchiveSink:
    """Writes blobs into a seekable file as members of a tar, then the documents.

    :param where: what the file is called in messages.
    """

    def __init__(self, out: IO[bytes], where: str = "an image archive") -> None:
        self._out = out
        self._where = where
        self._start = 0
        #: Where the bytes of each blob begin.
        self._starts: dict[Digest, int] = {}

    def has(self, digest: Digest) -> bool:
        """Whether the blob is a member."""
        return digest in self._starts

    def start_of(self, digest: Digest) -> int:
        """The offset in the file at which the bytes of a blob begin that is there."""
        return self._starts[digest]

    def put(self, blob: Blob) -> None:
        """Write the blob's member; raise `SumMismatchError` if its bytes are not those of its digest."""
        blob.copy_to(self.begin_blob())
        self.end_blob(blob.descriptor)

    def begin_blob(self) -> Writable:
        """Where to write the next blob: behind a header that is filled in when digest and size are known."""
        self._start = self._out.tell()
        self._out.write(bytes(BLOCK))
        return self._out

    def end_blob(self, descriptor: Descriptor) -> Blob:
        """The blob that was begun is whole, and is read from its member; one that was there already is taken back."""
        if descriptor.digest in self._starts:
            self._out.seek(self._start)
            self._out.truncate()
        else:
            self._starts[descriptor.digest] = self._start + BLOCK
            self._out.write(padding(descriptor.size))
            end = self._out.tell()
            self._out.seek(self._start)
            self._out.write(blob_header(descriptor))
            self._out.seek(end)
        self._out.flush()
        start = self._starts[descriptor.digest]
        return Blob(descriptor, RangeContent(self._out.fileno(), start, descriptor.size, self._where))

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """Write the documents, with these names, and the end of the archive: all blobs are there."""
        self._member("index.json", layout_index(index, references))
        self._member("manifest.json", docker_manifest(docker_image(index), references))
        self._member("oci-layout", LAYOUT_FILE)
        self._out.write(END)
        self._out.flush()

    def _member(self, path: str, data: bytes) -> None:
        self._out.write(headers(file(RootPath(f"/{path}"), BytesContent(data)), 0))
        self._out.write(data + padding(len(data)))


def blob_header(descriptor: Descriptor) -> bytes:
    """One block: a size that octal digits cannot hold stands in base 256, as GNU tar and Go write it."""
    path = RootPath(f"/{blob_path(descriptor.digest)}")
    if descriptor.size <= MAX_OCTAL_SIZE:
        return headers(Entry(path, Kind.FILE, 0o644, content=RangeContent(-1, 0, descriptor.size, "blob")), 0)
    block = bytearray(headers(Entry(path, Kind.FILE, 0o644), 0))
    block[124:136] = (1 << 95 | descriptor.size).to_bytes(12, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
