"""Images of layers made at random, with every trick: the tree is umoci's, attribute by attribute."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from random import Random
from typing import TYPE_CHECKING

import pytest

from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.base.options import BaseOptions
from minpack.content import BytesContent
from minpack.net.network import Network
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.store.store import open_store
from minpack.target import parse_platform
from support.layers import facts_in, facts_of, random_layers, unpacked_by_umoci
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


#: Layers as buildah commits them, each with what the one before it cannot be without: things of other kinds in the same
#: places, an opaque directory, links whose other names change, a capability that goes; then umoci's on top of them.
TRICKS = """
set -e
b() { buildah --root "$PWD/store" --runroot "$PWD/run" --storage-driver vfs "$@"; }
cap=cap_net_bind_service+ep
c=$(b from scratch); m=$(b mount "$c")
mkdir -p "$m"/etc "$m"/bin "$m"/a/b "$m"/opaque/x "$m"/tree/sub
cp /bin/true "$m"/bin/cap; setcap $cap "$m"/bin/cap; cp /bin/true "$m"/bin/suid; chmod 4755 "$m"/bin/suid
echo 1 > "$m"/etc/one; ln "$m"/etc/one "$m"/etc/hard; ln -s one "$m"/etc/link; ln -s /etc "$m"/a/absolute
echo 2 > "$m"/etc/two; chown 12:34 "$m"/etc/two; echo f > "$m"/opaque/x/f; echo g > "$m"/tree/sub/g
mkfifo "$m"/a/fifo; mknod "$m"/a/null c 1 3; printf x > "$m"/a/'nÃ© ÿ'; truncate -s 1M "$m"/a/sparse
b commit -q "$c" first; c=$(b from first); m=$(b mount "$c")
rm -r "$m"/opaque "$m"/tree "$m"/etc/two "$m"/a/absolute; mkdir "$m"/opaque "$m"/etc/two "$m"/a/absolute
echo new > "$m"/opaque/only; echo file > "$m"/tree; echo x > "$m"/etc/two/x; ln "$m"/etc/hard "$m"/etc/third
b commit -q "$c" second; c=$(b from second); m=$(b mount "$c")
echo more >> "$m"/etc/third; chmod 600 "$m"/etc/hard; rm "$m"/tree "$m"/bin/cap; mkdir -p "$m"/tree/again
cp /bin/true "$m"/bin/cap; chown -R 5:6 "$m"/tree; rm -r "$m"/etc/two; ln -s ../bin "$m"/etc/two; mv "$m"/a/b "$m"/a/c
b commit -q --format docker "$c" third; b push -q third oci:layout:buildah; b push -q third docker-archive:saved.tar:x:1
umoci unpack --image layout:buildah bundle; r=bundle/rootfs
rm -r $r/opaque $r/a/null; mkdir $r/opaque $r/a/null; ln $r/etc/hard $r/etc/fourth; setcap cap_net_raw+ep $r/bin/cap
umoci repack --image layout:repacked bundle; mkdir -p new/d; echo 1 > new/d/one; ln -s d new/l
umoci insert --image layout:repacked --tag opaque --opaque new /etc
umoci insert --image layout:opaque --tag umoci --whiteout /bin/suid
"""


def test_the_tree_of_images_that_others_layer_is_that_of_umoci(tmp_path: Path) -> None:
    """Those of buildah in a layout and as docker save has it, then umoci's own layers on it."""
    need_tool("umoci")
    need_tool("buildah")
    done = subprocess.run(("sh", "-c", TRICKS), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for tag, names in (("buildah", ("oci:layout:buildah", "saved.tar")), ("umoci", ("oci:layout:umoci",))):
        bundle = tmp_path / tag
        command = ("umoci", "unpack", "--image", f"layout:{tag}", str(bundle))
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        expected = facts_in(str(bundle / "rootfs"))
        for name in names:
            path = f"oci:{tmp_path}/{name.removeprefix('oci:')}" if name.startswith("oci:") else str(tmp_path / name)
            options = BaseOptions(str(tmp_path / "cache"), Network(), "2026-11-30")
            with open_base(parse_base(path), parse_platform("linux/amd64"), options) as opened:
                assert facts_of(opened.base) == expected, name


def _blob(one: Layer, number: int) -> LayerBlob:
    sums = one.descriptor()["digest"][7:], one.diff_id[7:]
    return LayerBlob(f"layer {number}", *sums, lambda: nullcontext(BytesContent(one.blob)))
