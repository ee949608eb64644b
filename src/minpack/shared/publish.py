"""Writing what a run used to a shared cache: what is not there yet, each name behind all that it stands for.

A name is written when its blobs are there. So a writer that is killed leaves nothing that a reader meets, and the next
one goes on. Two writers of one name write the same, or what serves as well: none of them loses what the other wrote.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import CredentialsError, InputError, RegistryError, SumMismatchError
from minpack.oci.documents import Blob, Descriptor
from minpack.oci.image import build_artifact
from minpack.registry.jobs import Jobs
from minpack.registry.manifests import put_manifest, tagged
from minpack.registry.push import BrokenOffError, Uploader
from minpack.shared.files import AT_ONCE, anchors_of
from minpack.shared.members import MemberError, members_of, table_of
from minpack.shared.names import (
    ARTIFACT,
    DOWNLOAD,
    KEY,
    MEMBERS,
    SHA256,
    block_tag,
    download_tag,
    downloads_tag,
)
from minpack.shared.remote import MOST_BLOBS
from minpack.store.blob import LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.oci.image import Artifact
    from minpack.progress import Progress
    from minpack.registry.repository import ImageRepository
    from minpack.shared.cache import SharedCache, UsedLayer
    from minpack.shared.use import CacheUse
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

_TASK = "writing the shared cache"
#: So often what was sent of a blob may be sent anew.
_MOST_RESTARTS = 2


def write_cache(shared: SharedCache, store: Store, progress: Progress) -> CacheUse:
    """Write to the cache that may be written to what the run used and `store` has; what was used and written.

    What goes wrong is a note.
    """
    use, to = shared.use(), shared.options.writes
    if to is None:
        return use
    if any(remote.repository == to and not remote.answers for remote in shared.remotes):
        return use._replace(notes=(*use.notes, f"nothing was written to the shared cache {to}: it does not answer"))
    writer = _Writer(shared, to, store, progress)
    try:
        writer.write()
    except (RegistryError, SumMismatchError, BrokenOffError, CredentialsError, InputError) as error:
        reason = getattr(error, "reason", "") or str(error) or "the connection broke"
        writer.notes.append(f"the shared cache {to} was not written: {reason}")
    return use._replace(
        sent=writer.sent,
        sent_layers=writer.layers,
        sent_downloads=writer.downloads,
        notes=(*use.notes, *writer.notes),
    )


class _Writer:
    """Writes to one repository."""

    def __init__(self, shared: SharedCache, to: ImageRepository, store: Store, progress: Progress) -> None:
        self.notes: list[str] = []
        self.sent = self.layers = self.downloads = 0
        self._shared = shared
        self._client = shared.client
        self._to = to
        self._store = store
        self._progress = progress
        self._wrong = {tag for remote in shared.remotes for tag in remote.wrong if remote.repository == to}
        self._open: list[StoredBlob] = []
        self._sending = _Sending(to)

    def write(self) -> None:
        """Write all that is not there.

        :raises RegistryError: the registry does not take it.
        """
        try:
            for tag, used in self._shared.layers.items():
                if not self._has(tag):
                    self._write_layer(tag, used)
            known = sorted(self._shared.downloads.items())
            for start in range(0, len(known), MOST_BLOBS):
                part = known[start : start + MOST_BLOBS]
                damaged = not self._wrong.isdisjoint(download_tag(key) for key, _ in part)
                if not self._has(tag := downloads_tag(part)) or damaged:
                    self._write_downloads(tag, part)
        finally:
            for blob in self._open:
                blob.close()

    def _has(self, tag: str) -> bool:
        return tag not in self._wrong and tagged(self._client, self._to, tag) is not None

    def _write_layer(self, tag: str, used: UsedLayer) -> None:
        blob = self._kept(used.digest.hex, LAYER)
        if blob is None:
            self.notes.append(f"the layer of {used.comment} was not written to the shared cache: it is not kept here")
            return
        layer = Blob(Descriptor(used.setting.compression.media_type, used.digest, blob.size), blob)
        table, anchors = b"", list[bytes]()
        if used.setting.is_gzip:
            try:
                members = members_of(blob.open(), blob.size, used.setting.block_size)
            except MemberError as error:
                self.notes.append(f"the layer of {used.comment} was not written to the shared cache: {error}")
                return
            table, anchors = table_of(members), anchors_of((one.sum, one.holds) for one in members)
        blobs = [layer, *([_blob(MEMBERS, table)] if table else [])]
        artifact = build_artifact(ARTIFACT, blobs, {"dev.minpack.cache.setting": used.setting.text})
        self._put(artifact, [block_tag(used.setting, one) for one in anchors], tag)
        self.layers += 1

    def _write_downloads(self, tag: str, known: Sequence[tuple[str, str]]) -> None:
        blobs, names = list[Blob](), list[str]()
        for key, sha256 in known:
            blob = self._kept(sha256)
            if blob is None or not blob.size:
                continue
            described = Descriptor(DOWNLOAD, Digest(sha256), blob.size, annotations=((KEY, key),))
            blobs.append(Blob(described, blob))
            names += [download_tag(key)] if not key.startswith(SHA256) else []
        if blobs:
            self._put(build_artifact(ARTIFACT, blobs, {}), names, tag)
            self.downloads += len(blobs)

    def _put(self, artifact: Artifact, names: Sequence[str], last: str) -> None:
        """Have the artifact in the repository, by all these names."""
        self._at_once([partial(self._push, blob) for blob in _distinct(artifact)])
        self._at_once([partial(self._name, artifact.manifest, tag) for tag in names])
        self._name(artifact.manifest, last)

    def _name(self, manifest: Blob, tag: str) -> None:
        """Let the tag stand for the artifact; where tags cannot be moved, for another that serves as well."""
        try:
            put_manifest(self._client, self._to, manifest, tag)
        except RegistryError:
            if tag in self._wrong or tagged(self._client, self._to, tag) is None:
                raise

    def _push(self, blob: Blob) -> None:
        sending = _Sending(self._to)
        uploader = Uploader(self._client, self._to, sending.note, sending.check, checks=False)
        self._sending = sending
        if uploader.push(blob):
            self.sent += blob.descriptor.size

    def _at_once(self, tasks: Sequence[partial[None]]) -> None:
        with Jobs(AT_ONCE) as jobs:
            for task in tasks:
                jobs.add(task)
            jobs.wait(lambda: self._progress(_TASK, self._sending.done, self._sending.size))

    def _kept(self, sha256: str, kind: str = "blob") -> StoredBlob | None:
        found = self._store.find(sha256, kind).blob
        self._open += [found] if found is not None else []
        return found


class _Sending:
    """How far a blob is on its way to a cache, which is given up sooner than an image that is pushed."""

    def __init__(self, to: ImageRepository) -> None:
        self.done = 0
        self.size: int | None = None
        self._to = to
        self._restarts = 0

    def note(self, descriptor: Descriptor, done: int) -> None:
        """So many bytes are sent."""
        self._restarts += done <= self.done
        self.done, self.size = done, descriptor.size

    def check(self) -> None:
        """Raise `RegistryError` if it broke off too often."""
        if self._restarts > _MOST_RESTARTS:
            raise RegistryError("push", str(self._to), "the connection keeps breaking")


def _blob(media_type: str, data: bytes) -> Blob:
    return Blob(Descriptor(media_type, Digest.of(data), len(data)), BytesContent(data))


def _distinct(artifact: Artifact) -> Iterator[Blob]:
    """The blobs of an artifact, each once."""
    blobs = (*artifact.layers, artifact.config)
    yield from {blob.descriptor.digest: blob for blob in blobs}.values()
