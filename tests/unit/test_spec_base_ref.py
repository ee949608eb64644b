"""What --base names is parsed once, into its kind and what it is found by."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseKind
from minpack.errors import BadValueError
from minpack.spec.base_ref import HOST_BASE, SCRATCH_BASE, BaseRef, ImageRef, parse_base
from support.images import archive_bytes
from support.layers import layer, member, tar_of, write_layout

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("alpine-3.22", BaseKind.RELEASE, "alpine-3.22"),
        ("alpine-9999", BaseKind.RELEASE, "alpine-9999"),
        ("debian-12", BaseKind.PACKAGES, "debian-12"),
        ("debian-bookworm", BaseKind.PACKAGES, "debian-12"),
        ("debian-trixie", BaseKind.PACKAGES, "debian-13"),
        ("debian-none", BaseKind.PACKAGES, "debian-none"),
        ("base.tar", BaseKind.TARBALL, "base.tar"),
        ("alpine-3.22.tar.gz", BaseKind.TARBALL, "alpine-3.22.tar.gz"),
        ("./alpine-3.22", BaseKind.TARBALL, "./alpine-3.22"),
        ("debian", BaseKind.TARBALL, "debian"),
        ("", BaseKind.TARBALL, ""),
        ("a\0b", BaseKind.TARBALL, "a\0b"),
    ],
)
def test_names_and_paths(text: str, kind: BaseKind, name: str) -> None:
    """Names have no slash and no ending of a tarball; Debian's codenames stand for the numbers."""
    assert parse_base(text) == BaseRef(kind, name, text)


@pytest.mark.parametrize(
    ("text", "name", "image"),
    [
        ("docker://alpine", "docker://docker.io/library/alpine:latest", ("docker", "docker.io/library/alpine:latest")),
        ("alpine:3.22", "docker://docker.io/library/alpine:3.22", ("docker", "docker.io/library/alpine:3.22")),
        ("gcr.io/d/cc", "docker://gcr.io/d/cc:latest", ("docker", "gcr.io/d/cc:latest")),
        (f"me/app@{DIGEST}", f"docker://docker.io/me/app@{DIGEST}", ("docker", f"docker.io/me/app@{DIGEST}")),
        (f"h:5/a:1@{DIGEST}", f"docker://h:5/a:1@{DIGEST}", ("docker", f"h:5/a:1@{DIGEST}")),
        ("oci:./dir", "oci:./dir", ("oci", "./dir")),
        ("oci:dir:1.0", "oci:dir:1.0", ("oci", "dir", "1.0")),
        ("oci-archive:a.tar", "oci-archive:a.tar", ("oci-archive", "a.tar")),
        ("docker-archive:a.tar:me/app:1", "docker-archive:a.tar:me/app:1", ("docker-archive", "a.tar", "me/app:1")),
        ("docker-daemon:mybase", "docker-daemon:mybase:latest", ("docker-daemon", "mybase:latest")),
        (f"docker-daemon:{DIGEST}", f"docker-daemon:{DIGEST}", ("docker-daemon", DIGEST)),
    ],
)
def test_images(text: str, name: str, image: tuple[str, ...]) -> None:
    """A transport says where an image is, else a slash, a colon or an @ that there is one; the name is read again."""
    assert parse_base(text) == BaseRef(BaseKind.IMAGE, name, text, ImageRef(*image))
    assert parse_base(name)[:2] == (BaseKind.IMAGE, name)


@pytest.mark.parametrize("text", ["./none:1", "/none/x", "../x@y", "~/base", "dir/base.tar.gz", "dir/base.tar", "word"])
def test_what_is_a_path_if_anything(text: str) -> None:
    """What begins or ends as paths do, and a bare word, is none of a registry's."""
    assert parse_base(text) == BaseRef(BaseKind.TARBALL, text, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alpine:", "its tag is empty"),
        ("Alpine:3", "it is not an image name"),
        ("alpine@sha256:12", "'sha256:12' is not a digest"),
        ("docker://", "a part of its name is empty"),
        ("oci:", "it names no file"),
        ("dir:x", "minpack does not read dir: images"),
        ("containers-storage:x", "minpack does not read containers-storage: images"),
    ],
)
def test_what_is_no_image_is_refused(text: str, reason: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(BadValueError) as caught:
        parse_base(text)
    assert reason in caught.value.message


def test_images_at_paths_are_told_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout and an archive are images whatever they are called; a path that is there is no reference."""
    monkeypatch.chdir(tmp_path)
    write_layout(tmp_path / "layout", [layer(tar_of(member("a", b"1")))])
    assert parse_base("layout") == BaseRef(BaseKind.IMAGE, "layout", "layout", ImageRef("oci", "layout"))
    (tmp_path / "x:1").write_bytes(archive_bytes())
    assert parse_base("x:1") == BaseRef(BaseKind.IMAGE, "x:1", "x:1", ImageRef("docker-archive", "x:1"))
    with tarfile.open("dots.tar", "w") as tar:
        tar.add("layout", ".")
    assert parse_base("dots.tar").kind is BaseKind.IMAGE
    (tmp_path / "blobs.tar").write_bytes(tar_of(member("blobs/x", b"1"), member("manifest.jso", b"1")))
    assert parse_base("blobs.tar").kind is BaseKind.TARBALL
    (tmp_path / "root.tar").write_bytes(tar_of(member("bin"), member("manifest.json", b"1")))
    assert parse_base("root.tar").kind is BaseKind.TARBALL
    assert parse_base("./layout").path == "./layout"
    assert parse_base("alpine:3").path is None
    assert parse_base("alpine:3").is_pulled
    assert not parse_base("layout").is_pulled


def test_nothing() -> None:
    """``scratch`` is no path and no name of the catalogue."""
    assert parse_base("scratch") == SCRATCH_BASE
    assert not SCRATCH_BASE.is_local
    assert not SCRATCH_BASE.is_named


def test_directories(tmp_path: Path) -> None:
    """A directory is told from a tarball by a look; the host's own root is itself by whatever path."""
    (tmp_path / "root").symlink_to("/")
    assert parse_base(str(tmp_path)) == BaseRef(BaseKind.DIRECTORY, str(tmp_path), str(tmp_path))
    assert not parse_base(str(tmp_path)).is_host
    assert parse_base("/") == HOST_BASE
    for text in ("/..", "//", str(tmp_path / "root")):
        assert parse_base(text) == BaseRef(BaseKind.DIRECTORY, "/", text)
        assert parse_base(text).is_host


def test_a_directory_is_one_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name says nothing of what is in it: one called like a distribution is no release of it."""
    monkeypatch.chdir(tmp_path)
    for name in ("debian", "alpine", "scratch.d"):
        (tmp_path / name).mkdir()
        assert parse_base(name) == BaseRef(BaseKind.DIRECTORY, name, name)
