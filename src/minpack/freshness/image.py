"""What an image ships, as the image itself says: its package database, its os-release, and what it was made from.

Nothing in an image is believed but what it is: which servers are asked follows from the catalogue, and from the name of
the base that its annotations or labels have (image-spec, annotations.md).
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.walk import Walker, tree_below
from minpack.errors import BadValueError, MinpackError
from minpack.freshness.compare import compare
from minpack.freshness.installed import Installed, installed_in, system_of
from minpack.freshness.states import state_of
from minpack.freshness.upstream import OpenUpstream
from minpack.freshness.values import Shipped, Unknown
from minpack.lock.values import LockedBase
from minpack.oci.config import read_config
from minpack.oci.json_node import parsed
from minpack.oci.on import DIGEST, NAME
from minpack.oci.reference import parse_image
from minpack.paths import ROOT
from minpack.rootfs.entry import Kind
from minpack.spec.base_ref import DOCKER, parse_base

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.freshness.upstream import Upstreams
    from minpack.freshness.values import Freshness, Label
    from minpack.oci.image import BuiltImage
    from minpack.paths import RootPath

#: What is read of a file at once.
_PIECE = 1 << 20


def look_at_image(label: Label, image: BuiltImage, tree: Walker, upstreams: Upstreams) -> Freshness:
    """What is found of an image.

    :param tree: of its layers.
    :raises MinpackError: something cannot be had, or is not to be trusted.
    """
    installed = installed_in(tree)
    base = base_of(image, label.source)
    checksums = _checksums(installed)
    files = {package.name: [file.path for file in found] for package, found in installed.packages if found}
    upstream, unknown = _upstream(installed, tree, label, upstreams)
    if base is not None:
        upstream, files[""], lost = _on(base, upstream, tree, set(checksums), label, upstreams)
        unknown += lost
    shipped = Shipped(
        label,
        tuple(package for package, found in installed.packages if found),
        files,
        cache(lambda path: _state(tree, path, checksums.get(path))),
        base,
        unknown=unknown,
    )
    return compare(shipped, upstream)


def look_at_lower(label: Label, base: LockedBase, upstreams: Upstreams) -> Freshness:
    """What is found of an image that another is put on, all of whose files are in that one.

    :raises MinpackError: as `look_at_image`.
    """
    now, before = _now_and_before(base, label, upstreams)
    if before is None or before.tree is None:
        lost = Unknown(f"files of {base.name}", 0, "the version that the image was made from is no longer available")
        return compare(Shipped(label, (), {}, lambda _: "", base, unknown=(lost,)), now)
    upstream, unknown = _upstream(before.installed, before.tree, label, upstreams)
    owned = before.installed.owners
    files = {package.name: [file.path for file in found] for package, found in before.installed.packages if found}
    files[""] = [path for path in _paths(before.tree) if path not in owned]
    packages = tuple(package for package, found in before.installed.packages if found)
    joined = now._replace(repositories=upstream.repositories, why=upstream.why)
    checksums, tree = _checksums(before.installed), before.tree
    state = cache(lambda path: _state(tree, path, checksums.get(path)))
    return compare(Shipped(label, packages, files, state, base, unknown=unknown), joined)


def _checksums(installed: Installed) -> dict[RootPath, str]:
    """The sums of the files of packages, by path; empty of those that a database has no sum of."""
    return {file.path: file.checksum for _, files in installed.packages for file in files}


def _now_and_before(base: LockedBase, label: Label, upstreams: Upstreams) -> tuple[OpenUpstream, OpenUpstream | None]:
    """An image as its name means it now, and as it was; None where that cannot be had any more."""
    now = upstreams.base(parse_base(base.name), label.platform)
    assert now.opened is not None, "internal error: it is an image"
    if base.digest in (now.opened.digest, now.opened.index_digest):
        return now, now
    if not base.digest or not base.name.startswith(f"{DOCKER}://"):
        return now, None
    try:
        return now, upstreams.base(parse_base(f"{base.name.partition('@')[0]}@{base.digest}"), label.platform)
    except MinpackError:
        return now, None


def _paths(tree: Walker) -> Iterator[RootPath]:
    """The paths of all that is in a tree, but for directories."""
    found = tree_below(tree.base, ROOT)
    return (path for path, entry in found if entry is not None and entry.kind is not Kind.DIRECTORY)


def base_of(image: BuiltImage, name: str) -> LockedBase | None:
    """The image that an image says it was made from; None if it names none that a registry may have.

    :param name: what to call the image in errors.
    """
    said = {**dict(read_config(image, name).labels), **_annotations(image)}
    try:
        named = parse_image(said.get(NAME, ""))
    except BadValueError:
        return None
    return LockedBase(f"{DOCKER}://{named}", BaseKind.IMAGE, digest=said.get(DIGEST, ""))


def _annotations(image: BuiltImage) -> Mapping[str, str]:
    document = parsed(image.manifest.data)
    found = document.get("annotations") if isinstance(document, dict) else None
    return {key: one for key, one in found.items() if isinstance(one, str)} if isinstance(found, dict) else {}


def _upstream(
    installed: Installed, tree: Walker, label: Label, upstreams: Upstreams
) -> tuple[OpenUpstream, tuple[Unknown, ...]]:
    """The repositories of the distribution that the image is of, if it says so and has packages."""
    if not installed.kind:
        return OpenUpstream(), (Unknown("the image", sum(1 for _ in _paths(tree)), installed.why),)
    found = upstreams.system(system_of(tree), label.platform)
    owned = len(installed.owners)
    if found.repositories is None:
        return OpenUpstream(), (Unknown("the packages", owned, found.why),)
    return OpenUpstream(repositories=found.repositories), ()


def _on(
    base: LockedBase,
    upstream: OpenUpstream,
    tree: Walker,
    owned: set[RootPath],
    label: Label,
    upstreams: Upstreams,
) -> tuple[OpenUpstream, list[RootPath], tuple[Unknown, ...]]:
    """The image that it was made from as it is now, the files of that one as it was, and what is not known of it.

    Its repositories are not asked: they are whatever somebody wrote into it.
    """
    now, before = _now_and_before(base, label, upstreams)
    joined = now._replace(repositories=upstream.repositories, why=upstream.why)
    if before is None or before.tree is None:
        what = f"the files of {base.name} that belong to no package"
        return joined, [], (Unknown(what, 0, "the version that the image was made from is no longer available"),)
    if before is now:
        return joined, [], ()
    paths = (path for path in _paths(before.tree) if path not in owned)
    return joined, [path for path in paths if before.state(path) == state_of(tree.lstat(path))], ()


def _state(tree: Walker, path: RootPath, checksum: str | None) -> str:
    """What is at a path of the image; nothing if it is not what its package has there, as far as is known.

    :param checksum: None of what is no package's.
    """
    entry = tree.lstat(path)
    if checksum is not None and entry is not None and entry.content is not None:
        if not checksum:
            # A configuration file, which may be as its package has it or not.
            return ""
        algorithm, _, wanted = checksum.partition(":")
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with entry.content.open() as reader:
            for at in range(0, entry.content.size, _PIECE):
                digest.update(reader.read_at(at, _PIECE))
        if digest.hexdigest() != wanted:
            return ""
    return state_of(entry)
