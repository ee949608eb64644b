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
    """The image for a platform, as the index says that lists it, as for engines; else as it says itself.

    :param name: what to call what they are of, in errors.
    :raises WrongTargetError: there is none.
    """
    platforms = [image.listed or image.platform for image in images]
    number = select_platform(platforms, wanted)
    if number is None:
        raise no_platform(name, wanted, platforms)
    return images[number]


def contradiction(image: BuiltImage) -> str:
    """What to say of an image that an index lists for another platform than it is for by itself; empty for others."""
    listed, own = image.listed, image.platform
    if listed is None or _may_be_same(listed, own):
        return ""
    return f"its index lists it for {listed}, and its configuration says {own}: its files decide"


def _may_be_same(one: Platform, other: Platform) -> bool:
    """Whether both mean the same, as far as they say it."""
    same = not (one.variant and other.variant) or _plain(one) == _plain(other)
    return one[:2] == other[:2] and same


def _plain(platform: Platform) -> Platform:
    """The platform without a variant that is meant without it."""
    meant = {"amd64": "v1", "arm64": "v8"}.get(platform.architecture)
    return platform._replace(variant="") if platform.variant == meant else platform


def no_platform(name: str, wanted: Platform, found: Sequence[Platform]) -> WrongTargetError:
    """The error that says that an image is for others."""
    has = listed(dict.fromkeys(map(str, found)))
    return WrongTargetError(name, str(wanted), has, f"use an image for {wanted}")


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
        return "a foreign layer, which is not in the image", "use an image that has all its layers"
    if _LAYER.fullmatch(media_type) is None:
        return "not a layer of a root file system", "use an image with a root file system"
    return None
