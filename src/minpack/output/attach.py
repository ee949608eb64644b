"""Adding artifacts to an image that is finished: in a layout, in an archive, or in a repository."""

from __future__ import annotations

import os
import shutil
from typing import IO, TYPE_CHECKING

from minpack.content import BytesContent, FileContent
from minpack.errors import ArchiveError, UnreadableImageError
from minpack.host.atomic import new_file
from minpack.oci import mediatypes
from minpack.oci.archive import blob_header
from minpack.oci.image import by_subject
from minpack.oci.layout import blob_path, marked_for_cosign
from minpack.paths import RootPath
from minpack.registry.manifests import keep_referrers, put_manifest
from minpack.registry.push import Uploader
from minpack.rootfs.entry import file
from minpack.tar.header import padded
from minpack.tar.read import read_members
from minpack.tar.write import headers, padding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Digest
    from minpack.oci.documents import Blob
    from minpack.oci.image import Artifact
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository
    from minpack.tar.read import Member

_INDEX = "index.json"
_PIECE = 1 << 20


def attach_to_layout(path: str, root: Digest, artifacts: Sequence[Artifact]) -> None:
    """Add `artifacts` to the layout in the directory `path`, whose image with that digest is signed by one of them.

    :raises OutputError: a file cannot be written.
    """
    for blob in _blobs(artifacts):
        place = os.path.join(path, blob_path(blob.descriptor.digest))
        if not os.path.exists(place):
            with new_file(place, force=True) as out:
                blob.copy_to(out)
    place = os.path.join(path, _INDEX)
    with open(place, "rb") as before:
        data = before.read()
    marked = marked_for_cosign(data, root)
    if marked != data:
        # Last: until then the layout is what it was.
        with new_file(place, force=True) as out:
            out.write(marked)


def attach_to_archive(path: str, root: Digest, artifacts: Sequence[Artifact]) -> None:
    """Add `artifacts` to the archive at `path`, whose image with that digest is signed by one of them.

    The archive is written anew and takes the place of the one before: nothing else in it changes.

    :raises UnreadableImageError: it is no OCI archive.
    :raises OutputError: it cannot be written.
    """
    index, names = _index_member(path)
    with open(path, "rb") as before, new_file(path, force=True) as out:
        before.seek(index.start)
        marked = marked_for_cosign(before.read(index.size), root)
        before.seek(0)
        _copy(before, out, index.at)
        for blob in _blobs(artifacts):
            if blob_path(blob.descriptor.digest) not in names:
                out.write(blob_header(blob.descriptor))
                blob.copy_to(out)
                out.write(padding(blob.descriptor.size))
        out.write(headers(file(RootPath(f"/{_INDEX}"), BytesContent(marked)), 0) + marked + padding(len(marked)))
        before.seek(index.start + padded(index.size))
        shutil.copyfileobj(before, out)


def attach_to_repository(client: RegistryClient, repository: ImageRepository, artifacts: Sequence[Artifact]) -> None:
    """Add `artifacts` to a repository that has what they are about.

    :raises RegistryError: the registry does not take one.
    """
    uploader = Uploader(client, repository, lambda *_: None, lambda: None)
    for blob in _blobs(artifacts):
        if blob.descriptor.media_type not in mediatypes.MANIFESTS:
            uploader.push(blob)
    for artifact in artifacts:
        put_manifest(client, repository, artifact.manifest)
    for subject, about in by_subject(artifacts).items():
        keep_referrers(client, repository, subject, about)


def _index_member(path: str) -> tuple[Member, set[str]]:
    """The index's member, and the names of all.

    :raises UnreadableImageError: there is none.
    """
    found, names = None, set[str]()
    try:
        for member in read_members(FileContent(path, os.stat(path).st_size), path):
            name = member.name.removeprefix("./")
            names.add(name)
            found = member if name == _INDEX else found
    except ArchiveError as error:
        # It was read before, unpacked.
        hint = "unpack it first, or push it and sign the image in the registry"
        raise UnreadableImageError(
            path, "it is compressed, and signatures are added to plain archives", hint
        ) from error
    if found is None:
        reason = "it is a docker save archive: its image has no final digest until it is pushed"
        raise UnreadableImageError(path, reason, "push it, and sign the image in the registry")
    return found, names


def _blobs(artifacts: Sequence[Artifact]) -> tuple[Blob, ...]:
    """All of them, each once and behind those that it names."""
    return tuple({blob.descriptor.digest: blob for one in artifacts for blob in one.blobs}.values())


def _copy(before: IO[bytes], out: IO[bytes], size: int) -> None:
    """Copy `size` bytes."""
    while size and (piece := before.read(min(size, _PIECE))):
        out.write(piece)
        size -= len(piece)
