"""`Image`: layers and a configuration, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob, config_document, manifest_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Digest
    from minpack.oci.documents import ImageConfig
    from minpack.oci.layer import Layer
    from minpack.oci.reference import Reference
    from minpack.target import Platform


class Image(NamedTuple):
    """An image of one platform. Its layers' bytes lie where they were written."""

    platform: Platform
    references: tuple[Reference, ...]
    layers: tuple[Layer, ...]
    config: Blob
    manifest: Blob

    @property
    def image_id(self) -> Digest:
        """The digest of the configuration: the same however the layers are compressed."""
        return self.config.descriptor.digest

    @property
    def digest(self) -> Digest:
        """The digest of the manifest, by which registries know the image."""
        return self.manifest.descriptor.digest

    @property
    def size(self) -> int:
        """The bytes of all blobs, as a registry stores and a pull transfers them."""
        return sum(d.size for d in (self.manifest.descriptor, self.config.descriptor, *self._layer_descriptors()))

    @property
    def unpacked_size(self) -> int:
        """The bytes of the layers' tars."""
        return sum(layer.unpacked_size for layer in self.layers)

    def _layer_descriptors(self) -> tuple[Descriptor, ...]:
        return tuple(layer.descriptor for layer in self.layers)


def build_image(layers: Sequence[Layer], config: ImageConfig, references: Sequence[Reference]) -> Image:
    """The image of `layers`, lowest first. Labels stand as annotations of the manifest too: registries read those."""
    document = config_document(config, [layer.diff_id for layer in layers], [layer.comment for layer in layers])
    described = blob(mediatypes.CONFIG, document)
    manifest = manifest_document(described.descriptor, [layer.descriptor for layer in layers], dict(config.labels))
    return Image(config.platform, tuple(references), tuple(layers), described, blob(mediatypes.MANIFEST, manifest))
