"""What differs between two images: files, packages, configuration, sizes and layers. One may be what a lock names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from minpack.base.walk import Walker, tree_below
from minpack.content import key_of, sum_of
from minpack.errors import MinpackError
from minpack.images.elf_diff import ValueChange, elf_changes
from minpack.lock.values import LockedFile
from minpack.namedtuple import NamedTuple
from minpack.oci.json_node import parsed
from minpack.paths import ROOT, sort_key
from minpack.rootfs.capability import shown
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from minpack.content import Content
    from minpack.lock.values import LockedImage
    from minpack.oci.image import BuiltImage
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry


class PathChange(NamedTuple):
    """A path that is on one side alone, or differs by `changes`; the sizes are None where no file is."""

    path: RootPath
    #: What is there, on the side of `after` if it is there: ``file``, ``directory``, ``symlink`` or ``special``.
    type: str
    before: int | None
    after: int | None
    changes: tuple[ValueChange, ...] = ()
    #: What the ELF files on both sides say of themselves and differs.
    elf: tuple[ValueChange, ...] = ()
    #: The packages that it is from, in `after` if it is there.
    package: str = ""

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.changes:
            return "changed"
        return "removed" if self.after is None else "added"


class PackageFiles(NamedTuple):
    """A package of an image, and the paths of its files."""

    name: str
    version: str
    paths: tuple[RootPath, ...]


class Side(NamedTuple):
    """One of the two: an open image, or what a lock says; sizes are None of a lock, which has no layers.

    `files` has an entry for each path, or what a lock knows of it; `config` is what the configuration says.
    """

    name: str
    platform: str
    files: Mapping[RootPath, Entry | LockedFile]
    packages: tuple[PackageFiles, ...] = ()
    digest: str = ""
    config: Mapping[str, str] | None = None
    packed: int | None = None
    unpacked: int | None = None
    layers: tuple[str, ...] = ()
    #: Of each file with several names the others.
    linked: Mapping[RootPath, str] = MappingProxyType({})


class ImageDiff(NamedTuple):
    """All that differs, by path and by name."""

    before: Side
    after: Side
    files: tuple[PathChange, ...]
    packages: tuple[ValueChange, ...]
    config: tuple[ValueChange, ...]

    @property
    def is_equal(self) -> bool:
        """Whether containers of both are the same: however the layers are cut and compressed."""
        return not (self.files or self.packages or self.config)

    @property
    def shared(self) -> tuple[str, ...]:
        """The layers that both have: what is pulled or pushed once."""
        return tuple(layer for layer in self.after.layers if layer in self.before.layers)


def image_side(
    name: str, image: BuiltImage, tree: Walker, unpacked: int, packages: Callable[[Walker], tuple[PackageFiles, ...]]
) -> Side:
    """An image as one side, while its tree is open.

    :param packages: reads which packages are in a tree.
    """
    files = {path: entry for path, entry in tree_below(tree.base, ROOT) if entry is not None}
    return Side(
        name,
        str(image.platform),
        files,
        packages(tree),
        str(image.digest),
        _config(image),
        image.size,
        unpacked,
        tuple(str(layer.descriptor.digest) for layer in image.layers),
        _linked(files.values()),
    )


def _linked(entries: Iterable[Entry]) -> dict[RootPath, str]:
    """The other names of each file that has several."""
    groups: dict[int, list[RootPath]] = {}
    for entry in entries:
        if entry.inode is not None:
            groups.setdefault(entry.inode, []).append(entry.path)
    return {path: " ".join(one for one in names if one != path) for names in groups.values() for path in names}


def lock_side(name: str, platform: str, locked: LockedImage) -> Side:
    """What a lock says as one side: the files that were taken, and the packages; the user's own are not among them."""
    owned: dict[str, list[RootPath]] = {}
    for file in locked.files:
        owned.setdefault(file.package, []).append(file.path)
    packages = tuple(PackageFiles(one.name, one.version, tuple(owned.get(one.name, ()))) for one in locked.packages)
    return Side(name, platform, {file.path: file for file in locked.files}, packages)


def _config(image: BuiltImage) -> dict[str, str]:
    """What the configuration says, each member as JSON; times and layers are no part of how an image is run."""
    import json  # noqa: PLC0415 - the one use

    document = parsed(image.config.data)
    assert isinstance(document, dict), "internal error: it was read"
    run: dict[str, Any] = document.get("config") or {}
    values: dict[str, Any] = {key: value for key, value in run.items() if value not in (None, [], {}, "", False)}
    env = values.pop("Env", [])
    flat = {f"Env {text.partition('=')[0]}": text.partition("=")[2] for text in env if isinstance(text, str)}
    labels = values.pop("Labels", {})
    flat |= {f"Label {key}": value for key, value in labels.items()} if isinstance(labels, dict) else {}
    platform = {key: document[key] for key in ("os", "architecture", "variant", "author") if document.get(key)}
    return {key: _text(value, json.dumps) for key, value in sorted((values | flat | platform).items())}


def _text(value: object, dumps: Callable[..., str]) -> str:
    return value if isinstance(value, str) else dumps(value, sort_keys=True, ensure_ascii=False)


def diff_sides(before: Side, after: Side) -> ImageDiff:
    """What differs. Files are read only where neither their place nor their size tells.

    Of a lock what it has is compared: other files of an image, and its configuration, are not in locks.
    """
    is_lock = before.config is None
    paths = before.files.keys() if is_lock else before.files.keys() | after.files.keys()
    found = (_compare(path, before, after) for path in sorted(paths, key=sort_key))
    owners = _owners(before) | _owners(after)
    files = tuple(one._replace(package=owners.get(one.path, "")) for one in found if one is not None)
    config = () if is_lock or after.config is None else tuple(_changes(before.config or {}, after.config))
    packages = _changes(_versions(before.packages), _versions(after.packages))
    return ImageDiff(before, after, files, tuple(packages), config)


def _versions(packages: Sequence[PackageFiles]) -> dict[str, str]:
    return {one.name: one.version for one in packages}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[ValueChange]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield ValueChange(key, before.get(key, ""), after.get(key, ""))


def _owners(side: Side) -> dict[RootPath, str]:
    return {path: package.name for package in side.packages for path in package.paths}


def _compare(path: RootPath, before: Side, after: Side) -> PathChange | None:
    """What differs at a path, if anything does."""
    one, other = before.files.get(path), after.files.get(path)
    if one is None or other is None:
        return PathChange(path, _kind(other or one), _size(one), _size(other))
    facts = (_facts(one, before.linked), _facts(other, after.linked))
    changes = tuple(
        ValueChange(key, facts[0][key], facts[1].get(key, ""))
        for key in facts[0]
        if facts[0][key] != facts[1].get(key, "")
    )
    content = _content_change(one, other)
    if content is None and not changes:
        return None
    elf = elf_changes(path, _bytes_of(one), _bytes_of(other)) if content is not None else ()
    return PathChange(
        path, _kind(other), _size(one), _size(other), (*((content,) if content is not None else ()), *changes), elf
    )


def _size(entry: Entry | LockedFile | None) -> int | None:
    """The bytes of a file; None of what is not there, 0 of what is none or is not known."""
    if entry is None:
        return None
    return 0 if isinstance(entry, LockedFile) else entry.size


def _kind(entry: Entry | LockedFile | None) -> str:
    if isinstance(entry, LockedFile):
        return "directory" if entry.is_directory else "symlink" if entry.link else "file"
    return str(entry.kind) if entry is not None else ""


def _bytes_of(entry: Entry | LockedFile) -> Content | None:
    return None if isinstance(entry, LockedFile) else entry.content


def _facts(entry: Entry | LockedFile, linked: Mapping[RootPath, str]) -> dict[str, str]:
    """What is compared of a path besides its bytes."""
    if isinstance(entry, LockedFile):
        mode = {} if entry.link else {"mode": f"{entry.mode:04o}"}
        return {"type": _kind(entry), **mode, "link": entry.link}
    facts = {"type": _kind(entry), "link": entry.link, "owner": f"{entry.uid}:{entry.gid}"}
    if entry.kind is not Kind.SYMLINK:
        facts["mode"] = f"{entry.mode:04o}"
    facts["capabilities"] = shown(entry.capability) if entry.capability else ""
    return {**facts, "hard links": linked.get(entry.path, "")}


def _content_change(one: Entry | LockedFile, other: Entry | LockedFile) -> ValueChange | None:
    """Whether the bytes of two files differ, with their sums, if both are files."""
    content = _bytes_of(other)
    if content is None:
        return None
    if isinstance(one, LockedFile):
        before = f"sha256:{one.sha256}" if one.sha256 else ""
    elif one.content is None or (key_of(content) and key_of(one.content) == key_of(content)):
        return None
    else:
        before = _sum(one.content)
    after = _sum(content) if before else ""
    return ValueChange("content", before, after) if before != after else None


def _sum(content: Content) -> str:
    try:
        return f"sha256:{sum_of(content)}"
    except MinpackError as error:
        # What nobody can read differs from all that can be read.
        return f"unreadable: {error.message}"
