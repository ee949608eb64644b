"""Images of layers made at random, with every trick: the tree is umoci's, attribute by attribute."""

from __future__ import annotations

import os
from contextlib import nullcontext
from random import Random
from typing import TYPE_CHECKING

import pytest

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.content import BytesContent
from minpack.store.store import open_store
from support.layers import facts_of, random_layers, unpacked_by_umoci
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from support.layers import Layer

pytestmark = [
    pytest.mark.tool,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users"),
]

#: `make oracle` compares more.
IMAGES = int(os.environ.get("MINPACK_LAYERS", "25"))


def test_the_tree_of_random_layers_is_that_of_umoci(tmp_path: Path) -> None:
    """Kind, mode, owner, bytes, target, capabilities and hard links of every path; few are refused, by umoci first."""
    need_tool("umoci")
    compared, at = 0, 0
    while compared < IMAGES:
        at += 1
        assert at < 2 * IMAGES, "umoci refuses too many"
        layers = random_layers(Random(at))  # noqa: S311 - the same images each time
        directory = tmp_path / str(at)
        directory.mkdir()
        expected = unpacked_by_umoci(layers, directory)
        if expected is None:
            continue
        blobs = [_blob(one, number) for number, one in enumerate(layers)]
        with open_store(str(directory / "store")) as store:
            with open_layers("image", blobs, store) as base:
                assert facts_of(base) == expected, f"image {at}"
            with open_layers("image", blobs, store) as base:
                assert facts_of(base) == expected, f"image {at}, from the store"
        compared += 1


def _blob(one: Layer, number: int) -> LayerBlob:
    sums = one.descriptor()["digest"][7:], one.diff_id[7:]
    return LayerBlob(f"layer {number}", *sums, lambda: nullcontext(BytesContent(one.blob)))
