"""Opening an image as a base: the tree that its layers make, for one platform."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.base.options import BaseKind, OpenBase
from minpack.errors import UnknownBaseError, UnreadableImageError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.read import choose, read_image
from minpack.oci.select import check_layers, select_image
from minpack.sources.local import is_there, near_hint, store_for_unpacked

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.oci.documents import Blob
    from minpack.oci.image import BuiltImage, Index
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef, ImageRef
    from minpack.target import Platform


_BY_DIGEST = "name it by its digest, or lock it (minpack lock)"


class FoundImage(NamedTuple):
    """An image for one platform; `index_digest` is that of the index that lists it, empty if none does."""

    image: BuiltImage
    index_digest: str = ""


@contextmanager
def open_image(
    ref: BaseRef,
    platform: Platform,
    options: BaseOptions,
    progress: Progress,  # noqa: ARG001 - for images of registries
) -> Generator[OpenBase]:
    """The image that `ref` names, open until the block is left.

    :raises UnknownBaseError: there is nothing at its path.
    :raises UnreadableImageError: it is damaged, or has what no base has.
    :raises WrongTargetError: it is for other platforms.
    :raises MinpackError: as `open_layers`.
    """
    if options.sha512:
        raise UsageError("--base-sha512", "", f"it is the sum of a tarball, and {ref.text!r} is an image", _BY_DIGEST)
    assert ref.image is not None, "internal error: it is an image"
    if not ref.image.is_local:
        raise UnknownBaseError(ref.text, "no such base or file", near_hint(ref.text))
    name = _display_name(ref.image)
    found = find_local(ref.image, platform, any_platform=options.any_platform)
    image = found.image
    check_layers([one.descriptor for one in image.layers], name)
    layers = [
        _layer(one, diff_id.hex, f"layer {number} of {name}")
        for number, (one, diff_id) in enumerate(zip(image.layers, image.diff_ids, strict=True), 1)
    ]
    with (
        store_for_unpacked(options) as store,
        open_layers(name, layers, store, temporary=options.temporary) as base,
    ):
        yield OpenBase(
            base,
            BaseKind.IMAGE,
            size=image.size,
            notes=base.notes,
            digest=str(image.digest),
            index_digest=found.index_digest,
            platform=image.platform,
        )


def find_local(ref: ImageRef, platform: Platform, *, any_platform: bool = False) -> FoundImage:
    """The image in a layout or archive of this host.

    :param any_platform: take the only one, whatever it is for.
    :raises UnknownBaseError: there is nothing.
    :raises UnreadableImageError: there is no such image, or it is damaged.
    :raises WrongTargetError: it is for other platforms.
    """
    if not is_there(ref.name):
        raise UnknownBaseError(ref.name, "no such file or directory", near_hint(ref.name))
    found = read_image(ref.name)
    index = _merged(ref, [one.built for one in found]) if len(found) > 1 and not ref.tag else None
    index = index or choose(ref.name, found, ref.tag)
    listing = str(index.digest) if index.document is not None else ""
    if any_platform and len(index.images) == 1:
        return FoundImage(index.images[0], listing)
    return FoundImage(select_image(index.images, platform, _display_name(ref)), listing)


def _merged(ref: ImageRef, found: list[Index]) -> Index | None:
    """The images of a layout that lists each platform's by itself, as if an index did; None if some are for one."""
    images = tuple(image for one in found for image in one.images)
    if len({image.platform for image in images}) != len(images):
        return None
    if any(one.document is not None for one in found):
        raise UnreadableImageError(ref.name, "it has several images", f"name one by its tag: {ref}:TAG")
    return found[0]._replace(images=images)


def _display_name(ref: ImageRef) -> str:
    """What to call an image in messages; no path of this host."""
    name = os.path.basename(ref.name.rstrip("/")) if ref.is_local else ref.name
    return f"{name}:{ref.tag}" if ref.tag else name


def _layer(blob: Blob, diff_id: str, name: str) -> LayerBlob:
    return LayerBlob(name, blob.descriptor.digest.hex, diff_id, lambda: nullcontext(blob.content))
