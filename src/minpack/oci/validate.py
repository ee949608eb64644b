"""Reading a result back: what its documents say, checked against one another and against the bytes they describe.

The rules are the OCI image-spec's (image-layout.md, manifest.md, config.md, layer.md), Docker's for
`manifest.json`, and those that minpack sets itself so that every engine unpacks the same tree. All
issues are found, not the first alone; memory does not grow with the sizes of blobs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.content import FileContent
from minpack.digest import Digest
from minpack.errors import ArchiveError, InputError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.oci.documents import MAX_DOCUMENT
from minpack.oci.json_node import Issues, JsonNode, read_document
from minpack.oci.layer_rules import TreeRules, check_layer, filling_issues, header_issues
from minpack.oci.mediatypes import INDEX
from minpack.oci.rules import (
    check_artifact,
    check_config,
    check_docker_manifest,
    check_index,
    check_layout_file,
    check_manifest,
    check_platforms,
    subject_of,
)
from minpack.rootfs.entry import Kind
from minpack.tar.header import BLOCK, padded
from minpack.tar.read import read_members
from minpack.tar.write import END

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.content import Content, Reader
    from minpack.oci.documents import Descriptor
    from minpack.oci.rules import IndexFacts, ManifestFacts
    from minpack.tar.read import Member

PIECE = 1 << 20
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_DOCUMENTS = ("index.json", "manifest.json", "oci-layout")


class _Parts(NamedTuple):
    """What an image lies in: its documents by name, and its blobs."""

    documents: Mapping[str, Content]
    blobs: Mapping[Digest, Content]


def validate_archive(path: str) -> tuple[str, ...]:
    """All that is wrong with the image archive at the host's `path`; nothing if it is as it should be.

    :raises InputError: it cannot be read.
    """
    issues = Issues("archive")
    parts = _archive_parts(path, issues)
    _check_image(parts, issues, docker=True)
    return tuple(issues.found)


def validate_layout(path: str) -> tuple[str, ...]:
    """All that is wrong with the image layout in the host's directory `path`; nothing if it is as it should be.

    :raises InputError: it cannot be read.
    """
    issues = Issues("layout")
    try:
        parts = _layout_parts(path, issues)
    except OSError as error:
        raise InputError(path, reason_of(error)) from error
    _check_image(parts, issues, docker=False)
    return tuple(issues.found)


def _archive_parts(path: str, issues: Issues) -> _Parts:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise InputError(path, reason_of(error)) from error
    archive, end = FileContent(path, size), 0
    found: dict[str, Content] = {}
    try:
        with archive.open() as reader:
            for member in read_members(archive, path):
                end = member.start + padded(member.size)
                for what in _member_issues(reader, member, found):
                    issues.add(f"{member.name!r}: {what}")
                found[member.name] = FileContent(path, member.size, member.start)
        if size != end + len(END):
            issues.add(f"{size - end} bytes follow the last member; expected {len(END)}")
    except ArchiveError as error:
        issues.add(error.reason)
    return _parts(found, issues)


def _member_issues(reader: Reader, member: Member, before: Mapping[str, Content]) -> Iterator[str]:
    """What is wrong with a member, but for its name and its data."""
    if member.name in before:
        yield "duplicate entry"
    if member.kind is not Kind.FILE or (member.mode, member.uid, member.gid) != (0o644, 0, 0):
        yield "it is not a file of root's with mode 0644"
    yield from header_issues(reader.read_at(member.start - BLOCK, BLOCK), 0)
    yield from filling_issues(reader, member)


def _layout_parts(path: str, issues: Issues) -> _Parts:
    found: dict[str, Content] = {}
    for directory, names, files in os.walk(path, onerror=_raise):
        for name in (*names, *files):
            place = os.path.join(directory, name)
            inside = os.path.relpath(place, path)
            if os.path.islink(place):
                issues.add(f"{inside!r}: it is a symlink")
            elif name in files:
                found[inside] = FileContent(place, os.stat(place).st_size)
    return _parts(found, issues)


def _raise(error: OSError) -> None:
    raise error


def _parts(found: Mapping[str, Content], issues: Issues) -> _Parts:
    documents: dict[str, Content] = {}
    blobs: dict[Digest, Content] = {}
    for name, content in found.items():
        blob = _BLOB.fullmatch(name)
        if blob is not None:
            blobs[Digest(blob[1])] = content
        elif name in _DOCUMENTS:
            documents[name] = content
        else:
            issues.add(f"{name!r}: it belongs to no image")
    return _Parts(documents, blobs)


def _check_image(parts: _Parts, issues: Issues, *, docker: bool) -> None:
    """Follow the images from the index down to the layers' files."""
    for digest, content in parts.blobs.items():
        actual = _digest(content)
        if actual != digest:
            issues.add(f"blob {digest}: its digest is {actual}")
    check_layout_file(read_document(parts.documents.get("oci-layout"), issues.within("oci-layout")))
    index = check_index(read_document(parts.documents.get("index.json"), issues.within("index.json")))
    images = _images(parts, index, issues) if index is not None else ()
    _check_docker(parts, index, _for_docker(images), issues, docker=docker)
    used: set[Digest] = {index.root.digest} if index is not None else set()
    for image in images:
        used.add(image.descriptor.digest)
        if image.manifest is not None:
            used |= _named(image.manifest)
            _check_contents(parts, image.manifest, image.platform, issues)
    used = _with_artifacts(parts, used, issues)
    for digest in sorted(parts.blobs.keys() - used):
        issues.add(f"blob {digest}: nothing refers to it")


class _Image(NamedTuple):
    """An image that an index lists; the manifest is None if it says too little."""

    descriptor: Descriptor
    platform: object
    manifest: ManifestFacts | None


def _images(parts: _Parts, index: IndexFacts, issues: Issues) -> tuple[_Image, ...]:
    """The image that `index.json` lists, or those that the index in it does."""
    listed: tuple[tuple[Descriptor, object], ...] = ((index.root, index.platform),)
    if index.root.media_type == INDEX:
        listed = check_platforms(_described(parts, index.root, issues.within(f"index {index.root.digest}")))
    return tuple(_Image(one, platform, _check_manifest(parts, one, issues)) for one, platform in listed)


def _for_docker(images: tuple[_Image, ...]) -> ManifestFacts | None:
    """The manifest that engines without an index get: of amd64, else the first."""
    platforms = [image.platform if isinstance(image.platform, dict) else {} for image in images]
    at = next((at for at, platform in enumerate(platforms) if platform.get("architecture") == "amd64"), 0)
    return images[at].manifest if images else None


def _named(manifest: ManifestFacts) -> set[Digest]:
    """The blobs that a manifest names."""
    return {manifest.config.digest, *(layer.digest for layer in manifest.layers)}


def _with_artifacts(parts: _Parts, used: set[Digest], issues: Issues) -> set[Digest]:
    """The blobs in use, with those of artifacts that are about them, or about these; the manifests are checked."""
    left = {digest: document for digest in parts.blobs.keys() - used if (document := _about(parts, digest)) is not None}
    while found := [digest for digest, document in left.items() if subject_of(document) in used]:
        for digest in sorted(found):
            within = issues.within(f"artifact {digest}")
            manifest = check_artifact(left.pop(digest)._replace(issues=within))
            used = used | {digest}
            for one in (manifest.config, *manifest.layers) if manifest is not None else ():
                _blob(parts, one, within)
                used |= {one.digest}
    return used


def _about(parts: _Parts, digest: Digest) -> JsonNode | None:
    """What a blob says that is the manifest of an artifact, which has a subject."""
    content = parts.blobs[digest]
    with content.open() as reader:
        if content.size > MAX_DOCUMENT or reader.read_at(0, 1) != b"{":
            return None
    document = read_document(content, Issues(""))
    return document if document.field("subject").value is not None else None


def _check_manifest(parts: _Parts, descriptor: Descriptor, issues: Issues) -> ManifestFacts | None:
    within = issues.within(f"manifest {descriptor.digest}")
    return check_manifest(_described(parts, descriptor, within))


def _check_contents(parts: _Parts, manifest: ManifestFacts, platform: object, issues: Issues) -> None:
    """The configuration and the layers, each against the other."""
    document = _described(parts, manifest.config, issues.within(f"config {manifest.config.digest}"))
    config = check_config(document, len(manifest.layers), platform, manifest.annotations)
    tree = TreeRules(config.created if config is not None else None)
    diff_ids = config.diff_ids if config is not None else ()
    for number, layer in enumerate(manifest.layers):
        within = issues.within(f"layer {number} {layer.digest}")
        content = _blob(parts, layer, within)
        if content is not None:
            check_layer(content, layer.media_type, next(iter(diff_ids[number : number + 1]), None), tree, within)


def _check_docker(
    parts: _Parts, index: IndexFacts | None, manifest: ManifestFacts | None, issues: Issues, *, docker: bool
) -> None:
    """Docker's own list says the same as the index, and is there in archives alone."""
    content = parts.documents.get("manifest.json")
    within = issues.within("manifest.json")
    if docker:
        check_docker_manifest(read_document(content, within), index.names if index is not None else (), manifest)
    elif content is not None:
        within.add("it belongs to archives, not to layouts")


def _described(parts: _Parts, descriptor: Descriptor, issues: Issues) -> JsonNode:
    """The document that `descriptor` describes."""
    content = _blob(parts, descriptor, issues)
    return read_document(content, issues) if content is not None else JsonNode(None, "", issues)


def _blob(parts: _Parts, descriptor: Descriptor, issues: Issues) -> Content | None:
    """The blob that `descriptor` describes, if it is there."""
    content = parts.blobs.get(descriptor.digest)
    if content is None:
        issues.add("it is missing")
    elif content.size != descriptor.size:
        issues.add(f"it has {content.size} bytes and its descriptor says {descriptor.size}")
    return content


def _digest(content: Content) -> Digest:
    from hashlib import sha256  # noqa: PLC0415

    found = sha256()
    with content.open() as reader:
        for at in range(0, content.size, PIECE):
            found.update(reader.read_at(at, PIECE))
    return Digest(found.hexdigest())
