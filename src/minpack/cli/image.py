"""The IMAGE that a command is given, and the options about where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.cli.effects import refuse_without_registry
from minpack.cli.options import (
    UNSET,
    Function,
    applied,
    download_options,
    platform_option_of,
    platforms_option_of,
    registry_access_options,
    selected,
    value_of,
)
from minpack.cli.settings import StoreSettings, base_options
from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.base.options import BaseOptions
    from minpack.spec.base_ref import ImageRef

#: Where an image is, and how it is reached.
image_options = applied(registry_access_options, download_options)

#: --platform of a command about all images of an index.
image_platforms_option = platforms_option_of("Platforms to choose from an index or a lock. Default: all.")


def image_platform_option(default: str) -> Callable[[Function], Function]:
    """--platform of a command about one image of an index; `default` says what is meant without."""
    return platform_option_of(f"Platform to choose from an index. Default: {default}.")


def parse_image_argument(text: str) -> ImageRef:
    """The image that an argument names.

    :raises UsageError: it names none.
    """
    if not text:
        raise UsageError("IMAGE", "", "its value is empty", UNSET)
    from minpack.spec.image_ref import parse_image_ref  # noqa: PLC0415 - after what is refused at once

    return value_of("IMAGE", parse_image_ref)(text)


def image_base_options(given: Mapping[str, Any], *refs: ImageRef) -> BaseOptions:
    """The options to open these images with.

    :raises UsageError: an option about registries cannot be meant, or no registry is asked.
    """
    options = base_options(selected(StoreSettings, {"mirror": "", **given}))
    names = [ref.name for ref in refs if not ref.is_local]
    if not names:
        refuse_without_registry(given)
        return options
    from minpack.cli.registry import RegistryAccess, registry_options  # noqa: PLC0415 - for images of registries alone
    from minpack.oci.reference import parse_image  # noqa: PLC0415 - as above

    hosts = {parse_image(name).host for name in names if not name.startswith("sha256:")}
    return options._replace(registry=registry_options(selected(RegistryAccess, given), hosts))
