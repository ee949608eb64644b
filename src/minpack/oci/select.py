"""Which image of several is meant, and whether it is one whose layers can be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import UnreadableImageError, WrongTargetError
from minpack.excerpt import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.oci.documents import Descriptor
    from minpack.oci.image import BuiltImage
    from minpack.target import Platform

#: A layer that is a tar, compressed in whatever way, as OCI and Docker name it.
_LAYER = re.compile(r"application/vnd\.(oci\.image\.layer|docker\.image\.rootfs\.diff)\b.*\.tar\b[.+a-z]*")
#: The variants that an image may be for to run where the first one does, the best first (containerd, platforms).
_ARM = ("v8", "v7", "v6", "v5")
_AMD64 = ("v4", "v3", "v2", "v1", "")


def fitting_variants(platform: Platform) -> tuple[str, ...]:
    """The variants of images that run on `platform`, the best first."""
    _, architecture, variant = platform
    if architecture == "arm":
        # Without one, v7 is meant.
        first = _ARM.index(variant) if variant in _ARM else _ARM.index("v7")
        return tuple(one for number in range(first, len(_ARM)) for one in _spelled(_ARM[number], "v7"))
    if architecture == "amd64":
        return _AMD64[_AMD64.index(variant) :] if variant in _AMD64 and variant else ("", "v1")
    if architecture == "arm64":
        return (*((variant,) if variant not in ("", "v8") else ()), "v8", "")
    return (variant, "") if variant else ("",)


def _spelled(variant: str, default: str) -> tuple[str, ...]:
    """A variant, and no variant where that means the same."""
    return (variant, "") if variant == default else (variant,)


def select_platform(found: Sequence[Platform], wanted: Platform) -> int | None:
    """The number of the one that fits `wanted` best, of those that fit alike the first; None if none fits."""
    for variant in fitting_variants(wanted):
        for number, platform in enumerate(found):
            if platform == (*wanted[:2], variant):
                return number
    return None


def select_image(images: Sequence[BuiltImage], wanted: Platform, name: str) -> BuiltImage:
    """The image for a platform.

    :param name: what to call what they are of, in errors.
    :raises WrongTargetError: there is none.
    """
    number = select_platform([image.platform for image in images], wanted)
    if number is None:
        raise no_platform(name, wanted, [image.platform for image in images])
    return images[number]


def no_platform(name: str, wanted: Platform, found: Sequence[Platform]) -> WrongTargetError:
    """The error that says that an image is for others."""
    has = listed(dict.fromkeys(map(str, found)))
    return WrongTargetError(name, str(wanted), has, f"name an image that is for {wanted}")


def check_layers(layers: Sequence[Descriptor], name: str) -> None:
    """Raise `UnreadableImageError` if a layer is none that everyone may have and read.

    :param name: what to call the image in errors.
    """
    for number, layer in enumerate(layers, 1):
        what = _refusal(layer.media_type)
        if what:
            where = f"layer {number} ({layer.digest}, {layer.media_type})"
            raise UnreadableImageError(name, f"{where} is {what[0]}", what[1])


def _refusal(media_type: str) -> tuple[str, str] | None:
    """What keeps a layer from being read, and what to do."""
    if media_type.endswith("+encrypted"):
        return "encrypted", "decrypt the image first (skopeo copy --decryption-key), and name the copy"
    if "nondistributable" in media_type or "foreign" in media_type:
        return "a foreign layer, which is not in the image", "name an image that has all its layers"
    if _LAYER.fullmatch(media_type) is None:
        return "not a layer of a root file system", "name an image that holds a root file system"
    return None
