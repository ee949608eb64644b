"""Trees that are exported are those that umoci unpacks, and what differs between two is what differs between those."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.base.walk import Walker
from minpack.images.diff import diff_sides, image_side
from minpack.images.export import export_image
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.net.network import Network
from minpack.output.target import Format, OutputSpec
from minpack.progress import no_progress
from minpack.rootfs.entry import Kind
from minpack.spec.image_ref import parse_image_ref
from support.layers import Fact, facts_in, layer, link, member, random_layers, tar_of, unpacked_by_umoci, write_layout
from support.packing import minpack
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.images.diff import ImageDiff

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")
#: `make oracle` compares more.
IMAGES = int(os.environ.get("MINPACK_LAYERS", "8"))
OPTIONS = BaseOptions(None, Network(offline=True), "2026-11-30")


def export(image: Path, to: Path, form: Format) -> None:
    """Export an image's tree."""
    export_image(parse_image_ref(str(image)), OutputSpec(form, str(to), ()), OPTIONS, no_progress)


def difference(before: Path, after: Path) -> ImageDiff:
    """What differs between two images."""
    with ExitStack() as stack:
        sides = []
        for path in (before, after):
            found = stack.enter_context(open_found(parse_image_ref(str(path)), OPTIONS, no_progress))
            image = found.built.images[0]
            base = stack.enter_context(open_tree(image, found.name, OPTIONS))
            sides.append(image_side(found.name, image, Walker(base), base.unpacked_size, lambda _: ()))
        return diff_sides(*sides)


def kinds(before: dict[str, Fact], after: dict[str, Fact]) -> dict[str, str]:
    """What differs between two directories, by path."""
    found = dict.fromkeys(before.keys() - after.keys(), "removed")
    found |= dict.fromkeys(after.keys() - before.keys(), "added")
    return found | {path: "changed" for path in before.keys() & after.keys() if before[path] != after[path]}


@root
@pytest.mark.tool
def test_random_images_are_as_umoci_unpacks_them(tmp_path: Path) -> None:
    """Every path with all that it has, in a directory and in a tar; `diff` finds what differs between two."""
    need_tool("umoci")
    compared, at, last = 0, 0, None
    while compared < IMAGES:
        at += 1
        assert at < 2 * IMAGES, "umoci refuses too many"
        layers, here = random_layers(Random(at)), tmp_path / str(at)  # noqa: S311 - the same images each time
        here.mkdir()
        expected = unpacked_by_umoci(layers, here)
        if expected is None:
            continue
        write_layout(here / "layout", layers)
        plain = {path: fact for path, fact in expected.items() if fact.kind is not Kind.SPECIAL}
        export(here / "layout", here / "tree", Format.ROOTFS)
        assert facts_in(str(here / "tree")) == plain, f"image {at}"
        subprocess.run(["find", here / "bundle/rootfs", "-type", "p", "-delete"], check=True)
        done = subprocess.run(
            ["diff", "-r", "--no-dereference", here / "tree", here / "bundle/rootfs"], capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, b""), f"image {at}"
        export(here / "layout", here / "tree.tar", Format.TAR)
        (here / "untarred").mkdir()
        subprocess.run(
            ["tar", "-C", here / "untarred", "--xattrs", "--xattrs-include=*", "-xpf", here / "tree.tar"], check=True
        )
        assert facts_in(str(here / "untarred")) == plain, f"image {at}, as a tar"
        if last is not None:
            found = {str(one.path): one.kind for one in difference(last[0], here / "layout").files}
            assert found == kinds(last[1], expected), f"images before {at}"
        last = (here / "layout", expected)
        compared += 1


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    """All has the time that the image says it is of."""
    image = tmp_path / "image"
    members = (member("b", b"2", mtime=99), member("a", b"1"), link("c", "a", hard=True))
    write_layout(image, [layer(tar_of(*members))], created="2001-09-09T01:46:40Z")
    for name in ("one.tar", "two.tar"):
        minpack("export", image, "-o", tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    minpack("export", image, "-o", tmp_path / "tree")
    assert {path.stat().st_mtime for path in (tmp_path / "tree").iterdir()} == {1_000_000_000}


def test_a_hostile_image_writes_nothing_outside(tmp_path: Path) -> None:
    """Links lead nowhere out of the directory, and names that would are refused with nothing written."""
    (tmp_path / "outside").mkdir()
    out = str(tmp_path / "outside")
    climbing = (link("a", out), member("a/b", b"1"), link("up", "../../../.."), member("up/c", b"1"))
    write_layout(tmp_path / "links", [layer(tar_of(*climbing))])
    export(tmp_path / "links", tmp_path / "tree", Format.ROOTFS)
    assert not os.listdir(out)
    assert (tmp_path / "tree" / out.lstrip("/") / "b").read_bytes() == b"1"
    write_layout(tmp_path / "dots", [layer(tar_of(member("../x", b"1")))])
    minpack("export", tmp_path / "dots", "-o", tmp_path / "none", status=1)
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "x").exists()
