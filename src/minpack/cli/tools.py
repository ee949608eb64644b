"""From the options about tools for debugging to their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.base.options import BaseKind
from minpack.cli.effects import refuse_without_registry
from minpack.cli.options import selected
from minpack.cli.settings import StoreSettings, base_options, check_packages
from minpack.oci.reference import parse_image
from minpack.spec.base_ref import DOCKER, BaseRef, ImageRef
from minpack.spec.debug import ToolsSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import BaseOptions
    from minpack.registry.options import RegistryOptions


def tools_spec(given: Mapping[str, Any]) -> ToolsSpec:
    """The tools that the options name."""
    return ToolsSpec(given["tools_base"], tuple(dict.fromkeys(name for names in given["tools"] for name in names)))


def tools_base_options(
    given: Mapping[str, Any], push: RegistryOptions | None, image: ImageRef | None = None
) -> BaseOptions:
    """How the tools' base is opened, and the image that they are put on.

    :param push: how registries are reached that get the result, if it is pushed.
    :raises UsageError: an option about registries cannot be meant, or no registry is asked.
    """
    # What is said of another base and its packages is not about the tools'.
    settings = selected(StoreSettings, {**given, "no_packages": False, "sha512": None})
    options, base = base_options(settings), given["tools_base"]
    bases: list[BaseRef] = [base] if base is not None else []
    check_packages(bases, settings)
    pulled = [one for one in bases if one.is_pulled] + _pulled(image)
    if not pulled:
        if push is None and image is not None:
            refuse_without_registry(given)
        return options
    from minpack.cli.registry import RegistryAccess, with_registry  # noqa: PLC0415 - for images of registries alone

    return with_registry(options, selected(RegistryAccess, given), *pulled, push=push)


def _pulled(ref: ImageRef | None) -> list[BaseRef]:
    """The image, if a registry may have it."""
    if ref is None or ref.is_local or ref.name.startswith("sha256:"):
        return []
    named = ImageRef(DOCKER, str(parse_image(ref.name)))
    return [BaseRef(BaseKind.IMAGE, str(named), str(ref), named)]
