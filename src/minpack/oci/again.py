"""An image with other layers than before: its configuration and its annotations stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from minpack.oci import mediatypes
from minpack.oci.documents import blob, manifest_document, timestamp
from minpack.oci.image import BuiltImage
from minpack.oci.json_node import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.oci.documents import Blob, ImageConfig, Json
    from minpack.oci.layer import Layer


def build_image_again(
    before: BuiltImage, layers: Sequence[Layer], config: ImageConfig, blobs: Sequence[Blob]
) -> BuiltImage:
    """The image `before` with these layers, which are in `blobs`, in place of its own.

    All that its configuration says stays, what no specification knows too, but for its layers, their history, and when
    it was created; so do the annotations of its manifest, with those of `config`.
    """
    document = _object(parsed(before.config.data))
    diff_ids = tuple(layer.diff_id for layer in layers)
    created = timestamp(config.created)
    document |= {
        "created": created,
        "history": [{"created": created, "created_by": "minpack", "comment": layer.comment} for layer in layers],
        "rootfs": {"type": "layers", "diff_ids": [str(one) for one in diff_ids]},
    }
    described = blob(mediatypes.CONFIG, cast("Json", document))
    annotations = _annotations(before) | dict(config.annotations)
    manifest = manifest_document(described.descriptor, [layer.descriptor for layer in layers], annotations)
    return BuiltImage(before.platform, described, blob(mediatypes.MANIFEST, manifest), tuple(blobs), diff_ids)


def _annotations(image: BuiltImage) -> dict[str, str]:
    found = _object(_object(parsed(image.manifest.data)).get("annotations"))
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _object(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, dict) else {}
