"""An image as an OCI image layout directory (image-spec, image-layout.md)."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from minpack.oci.documents import canonical, index_document, platform_document

if TYPE_CHECKING:
    from minpack.digest import Writable
    from minpack.oci.documents import Descriptor, Json
    from minpack.oci.image import Image
    from minpack.oci.reference import Reference

LAYOUT_FILE = canonical({"imageLayoutVersion": "1.0.0"})


def layout_index(image: Image) -> bytes:
    """`index.json`: the manifest, once for each name, as containerd, skopeo and podman look for it.

    The annotations are containerd's full name and the image-spec's reference, by which skopeo and umoci find an image
    in a layout: the tag, or the name and tag where another name has the same tag, which umoci would call ambiguous.
    """
    tags: set[str] = set()
    described: dict[str, Json] = {
        **image.manifest.descriptor.document(),
        "platform": platform_document(image.platform),
    }
    named: list[Json] = [
        {
            **described,
            "annotations": {
                "io.containerd.image.name": str(reference),
                "org.opencontainers.image.ref.name": _unused(reference, tags),
            },
        }
        for reference in image.references
    ]
    return canonical(index_document(named or [described]))


def _unused(reference: Reference, tags: set[str]) -> str:
    name = reference.familiar if reference.tag in tags else reference.tag
    tags.add(name)
    return name


class LayoutWriter:
    """Writes blobs into a new layout directory, then its index. Leave its ``with`` block to close what is open."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._blobs = os.path.join(directory, "blobs", "sha256")
        self._partial = os.path.join(self._blobs, "partial")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> LayoutWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin_blob(self) -> Writable:
        """Where to write the next blob's bytes."""
        os.makedirs(self._blobs, exist_ok=True)
        self._file = open(self._partial, "wb")  # noqa: SIM115 - closed by end_blob
        return self._file

    def end_blob(self, descriptor: Descriptor) -> None:
        """The blob is whole and gets its name."""
        assert self._file is not None, "internal error: no blob was begun"
        self._file.close()
        os.rename(self._partial, os.path.join(self._blobs, descriptor.digest.hex))

    def finish(self, image: Image) -> None:
        """Write the documents; the layout is complete when this returns."""
        for document in (image.config, image.manifest):
            self.begin_blob().write(document.data)
            self.end_blob(document.descriptor)
        for name, data in (("index.json", layout_index(image)), ("oci-layout", LAYOUT_FILE)):
            with open(os.path.join(self._directory, name), "wb") as out:
                out.write(data)
