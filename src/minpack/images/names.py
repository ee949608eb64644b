"""What a file calls an image that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import BadValueError
from minpack.oci.read import choose, read_image
from minpack.oci.reference import parse_image
from minpack.sources.archive import unpacked_archive
from minpack.sources.local import store_for_unpacked

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.oci.reference import ImageName
    from minpack.spec.base_ref import ImageRef


def names_in_file(ref: ImageRef, options: BaseOptions) -> tuple[ImageName, ...]:
    """The names that an archive or layout has for the image that `ref` names there, sorted; a tag alone is none.

    :raises UnreadableImageError: there is no such image, or it is damaged.
    """
    with store_for_unpacked(options) as store, unpacked_archive(ref.name, store) as archive:
        found = read_image(ref.name, archive)
        built = choose(ref.name, found, ref.tag) if ref.tag or len(found) == 1 else found[0].built
        names = sorted(name for one in found if one.built == built for name in one.names)
    return tuple(parsed for name in names if (parsed := _reference(name)) is not None)


def _reference(text: str) -> ImageName | None:
    try:
        return parse_image(text) if "/" in text or ":" in text else None
    except BadValueError:
        return None
