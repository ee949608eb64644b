"""The tree of files that the layers of a finished image make."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.sources.image import opened_layers
from minpack.sources.local import store_for_unpacked

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.layered import LayeredBase
    from minpack.base.options import BaseOptions
    from minpack.oci.image import BuiltImage


@contextmanager
def open_tree(image: BuiltImage, name: str, options: BaseOptions) -> Generator[LayeredBase]:
    """The tree of `image`, its files readable until the block is left; its layers are verified as they are read.

    :param name: what to call the image in messages.
    :raises MinpackError: a layer is damaged, or cannot be had.
    """
    with store_for_unpacked(options) as store, opened_layers(image, name, options, store) as base:
        yield base
