"""Trees on disk for tests to pack, and what a base says of all that is in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from minpack.content import read_all
from minpack.paths import ROOT, RootPath, join
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from minpack.base.interface import Base
    from minpack.rootfs.entry import Entry

MAX_FILE = 64 * 1024 * 1024


class Described(NamedTuple):
    """All that two bases must say alike of one path; `same_as` is the first path of the same file."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    link: str
    sha256: str
    same_as: str
    capability: bytes = b""


def entries_in(base: Base, path: RootPath = ROOT) -> Iterator[Entry]:
    """Every entry of a base, found by listing its directories, the root first."""
    entry = base.lstat(path)
    assert entry is not None, f"{path} is listed and not there"
    yield entry
    for name in base.listdir(path):
        yield from entries_in(base, join(path, name))


def described(base: Base) -> dict[str, Described]:
    """What a base says of every path in it."""
    entries = {str(entry.path): entry for entry in entries_in(base)}
    first: dict[int, str] = {}
    for path, entry in sorted(entries.items()):
        if entry.inode is not None:
            first.setdefault(entry.inode, path)
    return {path: _described(entry, first) for path, entry in entries.items()}


def _described(entry: Entry, first: dict[int, str]) -> Described:
    data = read_all(entry.content, MAX_FILE) if entry.content is not None else b""
    same_as = first[entry.inode] if entry.inode is not None else ""
    sha256 = hashlib.sha256(data).hexdigest()
    return Described(
        str(entry.kind), entry.mode, entry.uid, entry.gid, entry.size, entry.link, sha256, same_as, entry.capability
    )


def make_tree(root: Path, *, rich: bool = True) -> Path:
    """A small root file system at `root`; if `rich`, with what the oldest tar format cannot hold."""
    for name, mode in (("bin", 0o755), ("etc", 0o700), ("lib", 0o755), ("tmp", 0o1777), ("empty", 0o555)):
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    for name, data, mode in (
        ("bin/tool", b"#!/bin/sh\n" + b"x" * 5000, 0o4755),
        ("etc/passwd", b"root:x:0:0\n", 0o644),
        ("etc/none", b"", 0o600),
        ("lib/block", b"b" * 512, 0o640),
        ("lib/two blocks", b"c" * 1024, 0o444),
    ):
        (root / name).write_bytes(data)
        (root / name).chmod(mode)
    os.symlink("tool", root / "bin" / "relative")
    os.symlink("/etc/passwd", root / "bin" / "absolute")
    os.symlink("../../../../etc", root / "lib" / "up")
    os.symlink("nowhere", root / "dangling")
    os.link(root / "bin" / "tool", root / "bin" / "again")
    os.link(root / "bin" / "tool", root / "lib" / "once more")
    if rich:
        _enrich(root)
    root.chmod(0o751)
    return root


def _enrich(root: Path) -> None:
    deep = root.joinpath("deep", *("d" * 60 for _ in range(5)))
    deep.mkdir(parents=True)
    (deep / ("n" * 200)).write_bytes(b"a long name")
    os.symlink("/" + "t" * 180, root / "deep" / "long link")
    os.link(deep / ("n" * 200), root / "deep" / "short name")
    (root / "größe").write_bytes(b"not ASCII")
    os.close(os.open(os.fsencode(root) + b"/latin-\xe9", os.O_CREAT | os.O_WRONLY, 0o644))
    (root / "line\nbreak").write_bytes(b"a line break in a name")
    os.mkfifo(root / "fifo", 0o600)


def make_deep(top: Path, depth: int, name: str = "d") -> str:
    """A new directory `top` with `depth` more, each called `name`, one in the other; its path."""
    top.mkdir()
    above = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=above)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)
    return str(top)


def unpack(tar: tarfile.TarFile, to: Path) -> None:
    """Unpack a tar that is trusted, with all that it says; Pythons before 3.11.4 have no other way."""
    if hasattr(tarfile, "fully_trusted_filter"):
        tar.extraction_filter = tarfile.fully_trusted_filter
    tar.extractall(to)


def gnu_tar(root: Path, out: Path, *options: str) -> Path:
    """`root` packed by GNU tar, sorted, as ``./name``."""
    command = [need_tool("tar"), "-C", str(root), "--sort=name", "-cf", str(out), *options, "."]
    subprocess.run(command, check=True, capture_output=True)
    return out


def bsd_tar(root: Path, out: Path, *options: str) -> Path:
    """`root` packed by libarchive's tar."""
    subprocess.run([need_tool("bsdtar"), "-C", str(root), "-cf", str(out), *options, "."], check=True)
    return out
