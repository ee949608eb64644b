"""One tree is the same tree, whatever it is read from."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from minpack.base.directory import DirectoryBase
from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase
from minpack.base.tarball import open_tarball
from support.tools import need_tool
from support.trees import bsd_tar, described, entries_in, gnu_tar, make_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.tool
@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "pax"])
def test_a_directory_and_gnu_tars_of_it_agree(form: str, tmp_path: Path) -> None:
    """Every path, kind, mode, owner, size, link, content and hard link is the same in every format of GNU tar."""
    tree = make_tree(tmp_path / "tree", rich=form in ("oldgnu", "gnu", "pax"))
    tar = gnu_tar(tree, tmp_path / "tree.tar", f"--format={form}")
    with open_tarball(str(tar), tar.name) as base:
        assert described(base) == described(DirectoryBase(str(tree)))


@pytest.mark.tool
@pytest.mark.parametrize("form", ["pax", "gnutar"])
def test_a_directory_and_libarchives_tars_of_it_agree(form: str, tmp_path: Path) -> None:
    """So it is with libarchive's tar."""
    tree = make_tree(tmp_path / "tree")
    tar = bsd_tar(tree, tmp_path / "tree.tar", f"--format={form}")
    with open_tarball(str(tar), tar.name) as base:
        assert described(base) == described(DirectoryBase(str(tree)))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_directory_and_tarfiles_tars_of_it_agree(form: int, tmp_path: Path) -> None:
    """So it is with Python's tarfile."""
    tree = make_tree(tmp_path / "tree")
    with tarfile.open(tmp_path / "tree.tar", "w", format=form) as out:
        out.add(tree, ".")
    with open_tarball(str(tmp_path / "tree.tar"), "tree.tar") as base:
        assert described(base) == described(DirectoryBase(str(tree)))


@pytest.mark.tool
@pytest.mark.parametrize("program", ["gzip", "xz", "bzip2", "zstd"])
def test_compression_changes_nothing(program: str, tmp_path: Path) -> None:
    """A tar compressed by each format's own program is the same tree."""
    tar = gnu_tar(make_tree(tmp_path / "tree"), tmp_path / "tree.tar")
    packed = tmp_path / "packed"
    with packed.open("wb") as out:
        subprocess.run([need_tool(program), "-c", str(tar)], stdout=out, check=True)
    with open_tarball(str(tar), "plain") as plain, open_tarball(str(packed), "packed") as base:
        assert described(base) == described(plain)


@pytest.mark.tool
def test_frames_of_zstandard_change_nothing(tmp_path: Path) -> None:
    """So it is with many frames of the zstandard package."""
    tar = gnu_tar(make_tree(tmp_path / "tree"), tmp_path / "tree.tar")
    data = tar.read_bytes()
    frames = [zstandard.compress(data[at : at + 5000]) for at in range(0, len(data), 5000)]
    (tmp_path / "packed").write_bytes(b"".join(frames))
    with open_tarball(str(tar), "plain") as plain, open_tarball(str(tmp_path / "packed"), "packed") as base:
        assert described(base) == described(plain)


def test_entries_of_a_directory_make_the_same_base(tmp_path: Path) -> None:
    """A base over a directory's entries is the same tree, and so is an overlay over or under nothing."""
    directory = DirectoryBase(str(make_tree(tmp_path / "tree")))
    expected = described(directory)
    entries = base_of("entries", entries_in(directory))
    assert described(entries) == expected
    nothing = base_of("nothing", ())
    assert described(OverlayBase(nothing, directory)) == expected
    assert described(OverlayBase(entries, directory)) == expected


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_owners_and_device_nodes_agree(tmp_path: Path) -> None:
    """Owners, large ones too, and device nodes are the same from a directory and from tars."""
    tree = make_tree(tmp_path / "tree")
    os.chown(tree / "etc" / "passwd", 1000, 100)
    os.chown(tree / "tmp", 3_000_000, 2**31)
    os.chown(tree / "dangling", 7, 8, follow_symlinks=False)
    os.mknod(tree / "null", 0o20666, os.makedev(1, 3))
    expected = described(DirectoryBase(str(tree)))
    assert (expected["/null"].kind, expected["/tmp"].gid, expected["/dangling"].uid) == ("special", 2**31, 7)
    for form in ("gnu", "pax"):
        with open_tarball(str(gnu_tar(tree, tmp_path / f"{form}.tar", f"--format={form}")), form) as base:
            assert described(base) == expected
