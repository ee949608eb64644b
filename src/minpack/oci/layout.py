"""An image layout: what names its index has, and writing it as a directory (image-spec, image-layout.md)."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from minpack.content import FileContent
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, canonical, index_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Digest, Writable
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference

LAYOUT_FILE = canonical({"imageLayoutVersion": "1.0.0"})
#: By what containerd, podman and others know a full name, and skopeo and umoci a tag.
NAME, TAG = "io.containerd.image.name", "org.opencontainers.image.ref.name"
#: What `cosign verify --local-image` takes for the image that it verifies (cosign 3.1, pkg/cosign/verify.go).
COSIGN_IMAGE = ("kind", "dev.cosignproject.cosign/image")


def blob_path(digest: Digest) -> str:
    """Where a blob is in a layout, in a directory or an archive."""
    return f"blobs/sha256/{digest.hex}"


def layout_index(index: Index, references: Sequence[Reference]) -> bytes:
    """`index.json`: the index or the only manifest, once for each name, as containerd, skopeo and podman look for it.

    The annotations are containerd's full name and the image-spec's reference, by which skopeo and umoci find an image
    in a layout: the tag, or the name and tag where another name has the same tag, which umoci would call ambiguous.
    Artifacts are not listed: skopeo, kind and others would take them for images. cosign finds them by their subject.
    """
    tags: set[str] = set()
    signed = (COSIGN_IMAGE,) if is_signed(index) else ()
    named = [
        index.root._replace(annotations=(*signed, (NAME, str(reference)), (TAG, _unused(reference, tags))))
        for reference in references
    ]
    return canonical(index_document(named or [index.root._replace(annotations=signed)]))


def is_signed(index: Index) -> bool:
    """Whether a bundle with a signature is about what has the name."""
    return any(
        one.descriptor.artifact_type == mediatypes.BUNDLE
        and one.subject is not None
        and one.subject.digest == index.digest
        for one in index.artifacts
    )


def marked_for_cosign(document: bytes, root: Digest) -> bytes:
    """The `index.json` of a layout, whoever wrote it, with the mark of a signed image at what has that digest."""
    import json  # noqa: PLC0415 - for images that are signed later

    index = json.loads(document)
    for one in index["manifests"]:
        if one.get("digest") == str(root):
            one["annotations"] = {**(one.get("annotations") or {}), COSIGN_IMAGE[0]: COSIGN_IMAGE[1]}
    return canonical(index)


def _unused(reference: Reference, tags: set[str]) -> str:
    name = reference.familiar if reference.tag in tags else reference.tag
    tags.add(name)
    return name


class LayoutSink:
    """Writes blobs into a new layout directory, then its index. Leave its ``with`` block to close what is open."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._partial = os.path.join(directory, "blobs", "sha256", "partial")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> LayoutSink:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def has(self, digest: Digest) -> bool:
        """Whether the blob has its file."""
        return os.path.exists(os.path.join(self._directory, blob_path(digest)))

    def put(self, blob: Blob) -> None:
        """Write the blob's file; raise `SumMismatchError` if its bytes are not those of its digest."""
        blob.copy_to(self.begin_blob())
        self.end_blob(blob.descriptor)

    def begin_blob(self) -> Writable:
        """Where to write the next blob: a file that gets its name when the digest is known."""
        os.makedirs(os.path.dirname(self._partial), exist_ok=True)
        self._file = open(self._partial, "wb")  # noqa: SIM115 - closed by end_blob
        return self._file

    def end_blob(self, descriptor: Descriptor) -> Blob:
        """The blob that was begun is whole; it is read from its file."""
        assert self._file is not None, "internal error: no blob was begun"
        self._file.close()
        path = os.path.join(self._directory, blob_path(descriptor.digest))
        os.rename(self._partial, path)
        return Blob(descriptor, FileContent(path, descriptor.size))

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """Write the index, with these names, and the layout file: all blobs are there."""
        for name, data in (("index.json", layout_index(index, references)), ("oci-layout", LAYOUT_FILE)):
            with open(os.path.join(self._directory, name), "wb") as out:
                out.write(data)
