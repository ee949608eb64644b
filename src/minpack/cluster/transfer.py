"""Files on their way through a registry: blobs by their digests, and a tag that keeps them there.

    inputs-<64 digits>    files that images are made of, by the SHA-256 of all their digests

The tags are in the repository of a shared cache, and may be deleted as all that is there; only while images are built
are the blobs needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from minpack.cluster.files import SentKind
from minpack.digest import Digest
from minpack.errors import OutputError, RegistryError
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import build_artifact
from minpack.registry.manifests import put_manifest, tagged
from minpack.registry.push import BrokenOffError, Uploader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from minpack.cluster.files import SentFile
    from minpack.content import FileContent
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository
    from minpack.store.store import Store

ARTIFACT = "application/vnd.minpack.inputs.v1"
_FILE = "application/octet-stream"
#: A manifest lists no more blobs.
_MOST_BLOBS = 1000


class Sender:
    """Sends files to one repository, each blob once."""

    def __init__(self, client: RegistryClient, repository: ImageRepository) -> None:
        self._client = client
        self._repository = repository
        self._uploader = Uploader(client, repository, lambda _descriptor, _done: None, lambda: None)
        self._sent: set[str] = set()
        self._tagged: set[str] = set()

    def send(self, files: Iterable[SentFile], contents: Mapping[str, FileContent]) -> None:
        """Let the repository have the bytes of all files.

        :param contents: where the bytes of each sum are.
        :raises RegistryError: it does not take them.
        :raises MinpackError: a file has changed since it was listed.
        """
        sizes = dict(sorted({one.sha256: one.size for one in files if one.size}.items()))
        described = [Descriptor(_FILE, Digest(sha256), size) for sha256, size in sizes.items()]
        for start in range(0, len(described), _MOST_BLOBS):
            self._send(described[start : start + _MOST_BLOBS], contents)

    def _send(self, described: Sequence[Descriptor], contents: Mapping[str, FileContent]) -> None:
        tag = f"inputs-{hashlib.sha256(''.join(one.digest.hex for one in described).encode()).hexdigest()}"
        if tag in self._tagged:
            return
        blobs = [Blob(one, contents[one.digest.hex]) for one in described]
        artifact = build_artifact(ARTIFACT, blobs, {})
        for blob in (*blobs, artifact.config):
            self._push(blob)
        if tagged(self._client, self._repository, tag) != artifact.manifest.descriptor.digest:
            put_manifest(self._client, self._repository, artifact.manifest, tag)
        self._tagged.add(tag)

    def _push(self, blob: Blob) -> None:
        digest = blob.descriptor.digest.hex
        if digest in self._sent:
            return
        try:
            self._uploader.push(blob)
        except BrokenOffError as error:
            raise RegistryError("push", str(self._repository), "the connection keeps breaking") from error
        self._sent.add(digest)


def place_files(
    files: Sequence[SentFile], below: str, client: RegistryClient, repository: ImageRepository, store: Store
) -> None:
    """Have the files below the directory `below`, each at its own path there, with the bytes of their sums.

    :raises MinpackError: the repository has not all of them.
    :raises OSError: one cannot be written.
    """
    for one in files:
        if one.kind is SentKind.FILE:
            _place_file(one, below, client, repository, store)
        elif one.kind is SentKind.DIRECTORY:
            os.makedirs(below + one.path, exist_ok=True)
    for one in files:
        if one.kind is SentKind.NAME:
            os.makedirs(os.path.dirname(below + one.path), exist_ok=True)
            os.link(below + one.target, below + one.path)
    links = (one for one in files if one.kind in (SentKind.LINK, SentKind.LEADS))
    for one in sorted(links, key=lambda link: link.path):
        _place_link(one, below)
    # From below up: a directory may be one that nobody can write to.
    for one in sorted(files, reverse=True):
        if one.kind is SentKind.DIRECTORY:
            os.chmod(below + one.path, one.mode)


def _place_file(one: SentFile, below: str, client: RegistryClient, repository: ImageRepository, store: Store) -> None:
    path = below + one.path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not one.size:
        with open(path, "xb"):
            pass
    else:
        descriptor = Descriptor(_FILE, Digest(one.sha256), one.size)
        with client.fetch_blob(repository, descriptor, store).blob as blob, open(path, "xb") as file:
            os.lseek(blob.fileno(), 0, os.SEEK_SET)
            with os.fdopen(os.dup(blob.fileno()), "rb") as source:
                shutil.copyfileobj(source, file)
    os.chmod(path, one.mode)


def _place_link(one: SentFile, below: str) -> None:
    """Have a link; one that is a way to another place leads to that below `below`."""
    path = below + one.path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if one.kind is SentKind.LINK:
        os.symlink(one.target, path)
        return
    if not os.path.lexists(path):
        os.symlink(below + one.target, path)
    if os.path.realpath(path) != below + one.target:
        raise OutputError(path, "links lead to it in a way that cannot be had on another machine")
