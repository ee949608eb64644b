"""Opening an image as a base: the tree that its layers make, for one platform."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.base.options import BaseKind, OpenBase
from minpack.errors import UnknownBaseError, UnreadableImageError, UsageError
from minpack.oci.pulled import PulledImage
from minpack.oci.select import contradiction
from minpack.sources.archive import saved_archive, unpacked_archive
from minpack.sources.local import is_there, near_hint, store_for_unpacked
from minpack.spec.base_ref import DOCKER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from minpack.base.layered import LayeredBase
    from minpack.base.options import BaseOptions
    from minpack.content import Content
    from minpack.oci.documents import Blob
    from minpack.oci.files import OpenArchive
    from minpack.oci.image import BuiltImage, Index
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef, ImageRef
    from minpack.store.store import Store
    from minpack.target import Platform

_BY_DIGEST = "name it by its digest, or lock it (minpack lock)"


@contextmanager
def open_image(
    ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress, digest: str = ""
) -> Generator[OpenBase]:
    """The image that `ref` names, open until the block is left.

    :param digest: that of the manifest to take of a registry, whatever a tag means by now; empty for what it means.
    :raises UnknownBaseError: there is nothing at its path.
    :raises UnreadableImageError: it is damaged, or has what no base has.
    :raises WrongTargetError: it is for other platforms.
    :raises MinpackError: as `open_layers` and `Puller`.
    """
    if options.sha512:
        raise UsageError(
            "--base-sha512", "", f"it is the checksum of a tarball, but {ref.text!r} is an image", _BY_DIGEST
        )
    assert ref.image is not None, "internal error: it is an image"
    with (
        store_for_unpacked(options) as store,
        _found(ref, platform, options, progress, store, digest) as found,
        opened_layers(found.image, display_name(ref.image), options, store) as base,
    ):
        contradicted = contradiction(found.image)
        yield OpenBase(
            base,
            BaseKind.IMAGE,
            url=f"docker://{ref.image.name}" if ref.image.transport == DOCKER else "",
            size=found.image.size,
            notes=tuple(filter(None, (contradicted and f"{base.name}: {contradicted}", *base.notes, store.problem))),
            digest=str(found.image.digest),
            index_digest=found.index_digest,
            platform=found.image.platform if not contradicted else None,
            image=found.image,
        )


@contextmanager
def _found(
    ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress, store: Store, digest: str
) -> Generator[PulledImage]:
    """The image, whose layers can be had until the block is left."""
    image = ref.image
    assert image is not None, "internal error: it is an image"
    if image.is_local:
        with unpacked_archive(image.name, store) as archive:
            yield find_local(image, platform, archive, any_platform=options.any_platform)
    elif image.transport == DOCKER:
        from minpack.oci.pulled import read_pulled  # noqa: PLC0415 - for images of registries alone
        from minpack.oci.reference import parse_image  # noqa: PLC0415 - as above
        from minpack.sources.pull import Puller, hinted  # noqa: PLC0415 - as above

        named = parse_image(image.name)
        wanted = digest or named.digest or named.tag
        with Puller(named, options, store, progress) as puller:
            with hinted(named, ref.text):
                found = read_pulled(named.familiar, puller, wanted, platform, any_platform=options.any_platform)
            yield found
    else:
        with saved_archive(image.name, options, progress, store) as archive:
            yield find_local(image, platform, archive, any_platform=options.any_platform)


def opened_layers(
    image: BuiltImage, name: str, options: BaseOptions, store: Store
) -> AbstractContextManager[LayeredBase]:
    """The tree that the layers of an image make.

    :param name: what to call it in messages.
    """
    layers = layer_blobs(image, name)
    return open_layers(name, layers, store, temporary=options.temporary)


def layer_blobs(image: BuiltImage, name: str) -> list[LayerBlob]:
    """The layers of an image from the lowest on, and how each can be had.

    :param name: what to call the image in messages.
    """
    return [
        LayerBlob(f"layer {number} of {name}", blob.descriptor.digest.hex, diff_id.hex, _fetch_of(blob))
        for number, (blob, diff_id) in enumerate(zip(image.layers, image.diff_ids, strict=True), 1)
    ]


def _fetch_of(blob: Blob) -> Callable[[], AbstractContextManager[Content]]:
    """What gives the bytes of a layer, wherever they are."""
    fetched: Callable[[], AbstractContextManager[Content]] | None = getattr(blob.content, "fetched", None)
    return fetched if fetched is not None else lambda: nullcontext(blob.content)


def find_local(
    ref: ImageRef, platform: Platform, archive: OpenArchive | None = None, *, any_platform: bool = False
) -> PulledImage:
    """The image in a layout or archive of this host.

    :param archive: the archive itself, where it is not what lies at the path.
    :param any_platform: take the only one, whatever it is for.
    :raises UnknownBaseError: there is nothing.
    :raises UnreadableImageError: there is no such image, or it is damaged.
    :raises WrongTargetError: it is for other platforms.
    """
    from minpack.oci.select import check_layers, select_image  # noqa: PLC0415 - not for images of registries

    index, name = read_local(ref, archive), display_name(ref)
    only = any_platform and len(index.images) == 1
    image = index.images[0] if only else select_image(index.images, platform, name)
    check_layers([one.descriptor for one in image.layers], name)
    return PulledImage(image, str(index.digest) if index.document is not None else "")


def read_local(ref: ImageRef, archive: OpenArchive | None = None) -> Index:
    """What `ref` names in a layout or archive of this host.

    :param archive: as `find_local` has it.
    :raises UnknownBaseError: there is nothing.
    :raises UnreadableImageError: there is no such image, or it is damaged.
    """
    from minpack.oci.read import choose, read_image  # noqa: PLC0415 - not for images of registries

    if archive is None and not is_there(ref.name):
        raise UnknownBaseError(ref.name, "no such file or directory", near_hint(ref.name))
    found = read_image(ref.name, archive)
    index = _merged(ref, [one.built for one in found]) if len(found) > 1 and not ref.tag else None
    return index or choose(ref.name, found, ref.tag)


def _merged(ref: ImageRef, found: list[Index]) -> Index | None:
    """The images of a layout that lists each platform's by itself, as if an index did; None if some are for one."""
    images = tuple(image for one in found for image in one.images)
    if len({image.platform for image in images}) != len(images):
        return None
    if any(one.document is not None for one in found):
        raise UnreadableImageError(ref.name, "it has several images", f"name one by its tag: {ref}:TAG")
    return found[0]._replace(images=images)


def display_name(ref: ImageRef) -> str:
    """What to call an image in messages; no path of this host."""
    if not ref.is_local:
        from minpack.oci.reference import parse_image  # noqa: PLC0415 - as above

        return ref.name if ref.name.startswith("sha256:") else parse_image(ref.name).familiar
    name = os.path.basename(ref.name.rstrip("/"))
    return f"{name}:{ref.tag}" if ref.tag else name
