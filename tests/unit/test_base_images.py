"""An image where a root file system is meant: told from one, whatever it lies in, with how it is named."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.images import refuse_image
from minpack.content import BytesContent
from minpack.errors import ImageBaseError
from minpack.paths import normal
from minpack.rootfs.entry import directory, file, symlink
from support.command import minpack
from support.elfmaker import static_program
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.rootfs.entry import Entry

ID = "0123456789abcdef" * 4
LAYOUT = ("oci-layout", "index.json", f"blobs/sha256/{ID}")
SAVED = b'[{"Config":"c.json","RepoTags":["a:b"],"Layers":["l/layer.tar"]}]\n'
COPIED = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}'


def tree(*names: str, manifest: bytes = b"{}") -> list[Entry]:
    """Files of these names, directories where they end with a slash."""
    return [
        directory(normal(f"/{name}"))
        if name.endswith("/")
        else file(normal(f"/{name}"), BytesContent(manifest if name == "manifest.json" else b"{}"))
        for name in names
    ]


def refused(entries: list[Entry], *, is_directory: bool) -> tuple[str, str]:
    """What the tree is said to be, and what to do about it."""
    with pytest.raises(ImageBaseError) as caught:
        refuse_image(base_of("base", entries), "./an image", is_directory=is_directory)
    assert caught.value.message == f"cannot read base 'base': it is {caught.value.what}, not a root file system"
    assert caught.value.hint is not None
    assert "'./an image" in caught.value.hint
    return caught.value.what, caught.value.hint


@pytest.mark.parametrize(
    ("entries", "is_directory", "what", "remedy"),
    [
        (tree(*LAYOUT), True, "an OCI image layout", "--base oci:"),
        (tree(*LAYOUT), False, "an OCI image layout in a tarball", "--base oci-archive:"),
        (tree(*LAYOUT, "manifest.json"), False, "an image archive", "--base docker-archive:"),
        (tree(*LAYOUT, "manifest.json"), True, "an OCI image layout", "--base oci:"),
        (
            tree("manifest.json", "c.json", "l/layer.tar", manifest=SAVED),
            False,
            "an image archive",
            "--base docker-archive:",
        ),
        (
            tree("manifest.json", "c.json", "l/layer.tar", manifest=SAVED),
            True,
            "an image archive",
            "-cf saved.tar",
        ),
        (tree("repositories", f"{ID}/json", f"{ID}/layer.tar"), False, "an image archive", "--base docker-archive:"),
        (tree("manifest.json", "version", ID, manifest=COPIED), True, "as skopeo copies it", "skopeo copy dir:"),
        (tree("config.json", "rootfs/etc/passwd"), True, "a container bundle", "--base './an image'/rootfs"),
        (tree("metadata.yaml", "rootfs/etc/passwd"), False, "a container bundle", "tar -xf"),
    ],
)
def test_images_are_told(entries: list[Entry], is_directory: bool, what: str, remedy: str) -> None:
    """Each form is named, and the hint says how it is named as a base."""
    found, hint = refused(entries, is_directory=is_directory)
    assert what in found
    assert remedy in hint


def test_a_layer_that_is_a_link_counts() -> None:
    """Docker writes a layer once and links to it."""
    entries = [*tree("repositories"), symlink(normal(f"/{ID}/layer.tar"), f"../{ID[::-1]}/layer.tar")]
    assert "an image archive" in refused(entries, is_directory=False)[0]


@pytest.mark.parametrize(
    "entries",
    [
        tree("etc/passwd", "manifest.json", manifest=SAVED),
        tree("usr/bin/app", "manifest.json", "version", manifest=COPIED),
        tree("app", "manifest.json", manifest=b'{"name":"an app of the web"}'),
        tree("app", "manifest.json", manifest=b"[" + bytes(2 << 20)),
        tree("app", "config.json"),
        tree("app", "rootfs/etc/passwd"),
        tree("bin/sh", "config.json", "rootfs/etc/passwd"),
        tree("app", "oci-layout"),
        tree("app", "index.json", "blobs/"),
        tree("app", "repositories", f"{ID}/"),
        tree("app"),
        [],
    ],
)
def test_what_may_be_a_root_file_system_is_taken(entries: list[Entry]) -> None:
    """Files of such names, alone or beside a root file system, make no image."""
    for is_directory in (True, False):
        refuse_image(base_of("base", entries), "./base", is_directory=is_directory)


def test_minpacks_own_images_are_bases(tmp_path: Path) -> None:
    """Its archive and its layout, for every command that takes a base, as its tree is."""
    (tmp_path / "app").write_bytes(static_program())
    for form, name in (("archive", "image.tar"), ("oci", "image"), ("tar", "tree.tar"), ("rootfs", "tree")):
        assert minpack("./app", "--format", form, "-o", name, "-q", cwd=tmp_path).code == 0
    for name in ("./image.tar", "./image", "oci-archive:image.tar", "oci:image"):
        for command in (
            ("base", "info", name),
            ("base", "image", name, "-o", "x.tar", "--force"),
            ("./app", "--base", name, "-o", "x.tar", "--force"),
            ("tree", "./app", "--base", name),
            ("lock", "./app", "--base", name),
        ):
            ran = minpack(*command, cwd=tmp_path)
            assert ran.code == 0, ran.err
    for name in ("./tree.tar", "./tree"):
        assert minpack("base", "info", name, cwd=tmp_path).code == 0


@pytest.mark.tool
def test_what_the_hint_says_makes_a_base(tmp_path: Path) -> None:
    """A copy of skopeo's in a directory is copied to a layout as the hint says, and is a base then."""
    (tmp_path / "app").write_bytes(static_program())
    assert minpack("./app", "-t", "app:1", "-o", "image.tar", "-q", cwd=tmp_path).code == 0
    skopeo = [need_tool("skopeo"), "copy", "-q", "docker-archive:image.tar", "dir:copy"]
    subprocess.run(skopeo, cwd=tmp_path, check=True)
    refused = minpack("base", "info", "./copy", cwd=tmp_path).err
    assert "as skopeo copies it" in refused
    command, _, then = refused.partition("hint: ")[2].strip().partition("; then ")
    subprocess.run([skopeo[0], *command.split()[1:]], cwd=tmp_path, check=True, capture_output=True)
    option, name = then.split()
    ran = minpack("./app", option, name, "-o", "again.tar", "-q", cwd=tmp_path)
    assert ran.code == 0, ran.err
