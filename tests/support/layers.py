"""Images of layers that are put together at random, with every trick that layers know, and what others make of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from minpack.base.walk import tree_below
from minpack.content import read_all
from minpack.paths import ROOT
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from minpack.base.interface import Base
    from minpack.rootfs.entry import Entry

CAPABILITY = b"\1\0\0\2\0\4\0\0" + bytes(12)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_NAMES = ("a", "b", "c", "lib", "usr")


class Layer(NamedTuple):
    """A layer's tar, and its blob with the media type."""

    tar: bytes
    blob: bytes
    media_type: str = f"{LAYER}+gzip"

    @property
    def diff_id(self) -> str:
        """The digest of the tar."""
        return digest(self.tar)

    def descriptor(self) -> dict[str, Any]:
        """The blob's."""
        return described(self.media_type, self.blob)


def digest(data: bytes) -> str:
    """As OCI has it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(media_type: str, data: bytes, **more: Any) -> dict[str, Any]:
    """A descriptor."""
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def dumped(document: Any) -> bytes:
    """A document's bytes."""
    return json.dumps(document, sort_keys=True).encode()


def layer(tar: bytes, form: str = "gzip") -> Layer:
    """A layer of that tar, compressed in that way."""
    if form == "tar":
        return Layer(tar, tar, LAYER)
    half = len(tar) // 2
    if form in ("zstd", "zstd frames"):
        from zstandard import ZstdCompressor

        compress = ZstdCompressor(level=1).compress
        skippable = b"\x50\x2a\x4d\x18\4\0\0\0" + b"skip"
        blob = compress(tar) if form == "zstd" else compress(tar[:half]) + skippable + compress(tar[half:])
        return Layer(tar, blob, f"{LAYER}+zstd")
    if form == "gzip members":
        return Layer(tar, gzip.compress(tar[:half], 1, mtime=0) + gzip.compress(tar[half:], 1, mtime=0))
    return Layer(tar, gzip.compress(tar, 1, mtime=0))


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, data: bytes | None = None, **values: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A file with that data, or what `values` make of it; without data a directory."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    info.mode, info.size = 0o755, len(data or b"")
    for key, value in values.items():
        setattr(info, key, value)
    return info, data or b""


def link(name: str, target: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    """A symlink or hard link."""
    return member(name, b"", type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=target)


def config_of(
    layers: list[Layer],
    platform: tuple[str, str] = ("linux", "amd64"),
    config_values: dict[str, Any] | None = None,
    **config: Any,
) -> bytes:
    """The configuration of an image, run as `config_values` say; `config` replaces what else it says."""
    document = {
        "os": platform[0],
        "architecture": platform[1],
        "config": config_values or {},
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
        **config,
    }
    return dumped(document)


def layout_files(
    name: str, layers: list[Layer], tag: str = "1", config_type: str = CONFIG, **config: Any
) -> dict[str, bytes]:
    """The files of a layout `name` that has an image under that tag."""
    stated = config_of(layers, **config)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(config_type, stated),
        "layers": [one.descriptor() for one in layers],
    }
    manifest = dumped(document)
    listed = described(MANIFEST, manifest, annotations={"org.opencontainers.image.ref.name": tag})
    blobs = (manifest, stated, *(one.blob for one in layers))
    return {
        f"{name}/oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        f"{name}/index.json": dumped({"schemaVersion": 2, "manifests": [listed]}),
        **{f"{name}/blobs/sha256/{digest(blob)[7:]}": blob for blob in blobs},
    }


def write_layout(path: Path, layers: list[Layer], tag: str = "1", **config: Any) -> bytes:
    """Write an image to a layout directory under that tag; the bytes of its manifest."""
    files = layout_files(str(path), layers, tag, **config)
    for name, data in files.items():
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as file:
            file.write(data)
    return next(data for name, data in files.items() if "/blobs/" in name)


def put_blobs(path: Path, *blobs: bytes) -> None:
    """Put blobs into a layout."""
    directory = path / "blobs" / "sha256"
    directory.mkdir(parents=True, exist_ok=True)
    for blob in blobs:
        (directory / hashlib.sha256(blob).hexdigest()).write_bytes(blob)


def write_index(path: Path, descriptors: list[dict[str, Any]]) -> None:
    """Let a layout list these."""
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_bytes(dumped({"schemaVersion": 2, "manifests": descriptors}))


def random_layers(random: Random, most: int = 5) -> list[Layer]:
    """A few layers, each with members that meet those of the others: whiteouts, links, changes of type, odd names."""
    made, model = [], _Model()
    for number in range(random.randint(1, most)):
        model.mine.clear()
        members = [m for _ in range(random.randint(1, 14)) for m in _random_members(random, model, number)]
        form = random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
        if any(info.pax_headers for info, _ in members):
            form = tarfile.PAX_FORMAT
        packed = random.choice(("gzip", "gzip", "gzip members", "tar", "zstd", "zstd frames"))
        made.append(layer(tar_of(*members, form=form), packed))
    return made


class _Model:
    """What there is so far, roughly: enough to make no member that nobody can unpack."""

    def __init__(self) -> None:
        #: By physical path: nothing for a directory, the target of a symlink, a slash for anything else.
        self.known: dict[str, str | None] = {"": None}
        self.mine: set[str] = set()

    def physical(self, path: str) -> str | None:
        """Where a path leads, its last part not followed; None if something is in the way."""
        todo, here, links = [part for part in path.split("/") if part][::-1], "", 0
        while len(todo) > 1:
            part = todo.pop()
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            into = self.known.get(f"{here}/{part}")
            if into is None:
                here += f"/{part}"
            elif into == "/" or (links := links + 1) > 30:
                return None
            else:
                here = "" if into.startswith("/") else here
                todo += [one for one in into.split("/") if one][::-1]
        return f"{here}/{todo[0]}" if todo and todo[0] != ".." else None

    def put(self, path: str, what: str | None) -> None:
        """Something comes to lie at a physical path."""
        if what is not None or self.known.get(path) is not None:
            self.remove(path)
        self.known[path] = what
        while path:
            self.mine.add(path)
            self.known.setdefault(path, None)
            path = path.rpartition("/")[0]

    def remove(self, path: str) -> None:
        """All that is at a path and below it goes."""
        for other in [other for other in self.known if other == path or other.startswith(f"{path}/")]:
            del self.known[other]
            self.mine.discard(other)

    def hide(self, path: str) -> None:
        """What lower layers have at a path and below it goes."""
        for other in [other for other in self.known if other == path or other.startswith(f"{path}/")]:
            if other not in self.mine:
                del self.known[other]


def _random_members(random: Random, model: _Model, number: int) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A member, or two that belong together, in the place of something that is known or below it, or at a new one."""
    path, physical = "", None
    while physical is None:
        path = _random_path(random, model)
        physical = model.physical(path)
    spelled = random.choice(("", "", "", "./", "/")) + path
    owner: dict[str, Any] = {
        "uid": random.choice((0, 0, 5, 70_000)),
        "gid": random.choice((0, 7)),
        "mode": random.choice(_MODES),
    }
    what = random.random() * (0.8 if number == 0 else 1)
    if what < 0.25:
        model.put(physical, None)
        # In a directory with this bit, what the host makes without being told belongs to its group.
        return [member(spelled, **{**owner, "mode": owner["mode"] & ~0o2000})]
    if what < 0.52:
        model.put(physical, "/")
        made = member(spelled, random.randbytes(random.choice((0, 1, 700, 70_000))), **owner)
        if random.random() < 0.1:
            made[0].mode |= 0o100
            made[0].pax_headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
        return [made]
    if what < 0.66:
        target = random.choice(("/", "", "../", "../../../")) + _random_path(random, model)
        model.put(physical, target)
        return [link(spelled, target)]
    if what < 0.78:
        files = [
            other for other, kind in model.known.items() if kind == "/" and not f"{other}/".startswith(f"{physical}/")
        ]
        if not files:
            return []
        model.put(physical, "/")
        return [link(spelled, random.choice(("", "./", "/")) + random.choice(files)[1:], hard=True)]
    if what < 0.8:
        model.put(physical, "/")
        return [member(spelled, b"", type=tarfile.FIFOTYPE, **owner)]
    above, _, name = path.rpartition("/")
    if what < 0.92:
        model.hide(physical)
        hidden = member(f"{above}/.wh.{name}".lstrip("/"), b"")
        again = _random_members(random, model, 0) if random.random() < 0.2 else []
        return [hidden, *again]
    if what < 0.98:
        model.hide((model.physical(f"{path}/x") or "//x").removesuffix("/x") + "/")
        return [member(f"{path}/.wh..wh..opq", b"")] if model.physical(f"{path}/x") is not None else []
    return [member(f"{above}/.wh..wh.aufs".lstrip("/"), b"")]


_MODES = (0o755, 0o644, 0o700, 0o4755, 0o1777, 0o2750, 0o444)


def _random_path(random: Random, model: _Model) -> str:
    start = random.choice(list(model.known))[1:] if random.random() < 0.6 else ""
    if start and random.random() < 0.5:
        return start
    more = "/".join(random.choice(_NAMES) for _ in range(random.choice((1, 1, 2))))
    return f"{start}/{more}" if start else more


class Fact(NamedTuple):
    """All that is compared of one path."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: str
    capability: bytes
    #: The paths that are hard links of one file.
    same: tuple[str, ...]


def facts_of(base: Base) -> dict[str, Fact]:
    """What minpack says of a base."""
    entries = {path: entry for path, entry in tree_below(base, ROOT) if entry is not None}
    groups: dict[int, list[str]] = {}
    for path, entry in entries.items():
        if entry.inode is not None:
            groups.setdefault(entry.inode, []).append(path)
    return {path: _fact(entry, groups) for path, entry in entries.items()}


def _fact(entry: Entry, groups: dict[int, list[str]]) -> Fact:
    content = entry.link
    if entry.content is not None:
        content = hashlib.sha256(read_all(entry.content, 1 << 30)).hexdigest()
    same = tuple(sorted(groups[entry.inode])) if entry.inode is not None else ()
    return Fact(entry.kind, entry.mode, entry.uid, entry.gid, content, entry.capability, same)


_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}


def facts_in(root: str) -> dict[str, Fact]:
    """What lies in a directory of this host."""
    found: dict[str, os.stat_result] = {}
    for where, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = os.path.join(where, name)
            found[path[len(root) :]] = os.lstat(path)
    groups: dict[int, list[str]] = {}
    for path, status in found.items():
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            groups.setdefault(status.st_ino, []).append(path)
    return {path: _fact_of(root + path, status, groups) for path, status in found.items()}


def _fact_of(path: str, status: os.stat_result, groups: dict[int, list[str]]) -> Fact:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), Kind.SPECIAL)
    content, capability = "", b""
    if kind is Kind.FILE:
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        with suppress(OSError):
            capability = os.getxattr(path, "security.capability")
    elif kind is Kind.SYMLINK:
        content = os.readlink(path)
    mode = 0o777 if kind is Kind.SYMLINK else stat.S_IMODE(status.st_mode)
    same = tuple(sorted(groups.get(status.st_ino, ()))) if kind is Kind.FILE else ()
    return Fact(kind, mode, status.st_uid, status.st_gid, content, capability, same)


def unpacked_by_umoci(layers: list[Layer], directory: Path) -> dict[str, Fact] | None:
    """What umoci makes of the layers' tars, compressed as it knows it; None if it refuses them."""
    layout, bundle = directory / "for-umoci", directory / "bundle"
    write_layout(layout, [one if "gzip" in one.media_type else layer(one.tar) for one in layers])
    command = ["umoci", "unpack", "--image", f"{layout}:1", str(bundle)]
    done = subprocess.run(command, capture_output=True, check=False)
    return facts_in(str(bundle / "rootfs")) if done.returncode == 0 else None
