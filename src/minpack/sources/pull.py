"""Images of registries: pulled once, verified, and kept in the store by their digests."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import MinpackError, OfflineError
from minpack.oci.documents import MAX_DOCUMENT, Blob, Descriptor
from minpack.progress import tell
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import HUB, ImageRepository

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from minpack.base.options import BaseOptions
    from minpack.content import Reader
    from minpack.oci.reference import ImageName
    from minpack.progress import Progress
    from minpack.registry.client import RegistryClient
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

_SCHEMA = "minpack.tag/1"


class Puller:
    """Gives what a repository has, from the store as far as that has it; see `minpack.oci.pulled.Documents`.

    What has a digest is never asked for twice. What a tag means is asked each time; offline, it is what it meant last.
    Leave its ``with`` block to close its connections.
    """

    def __init__(self, image: ImageName, options: BaseOptions, store: Store, progress: Progress) -> None:
        self.repository = ImageRepository(image.host, image.name)
        self._options = (options.registry or RegistryOptions())._replace(network=options.network)
        self._store = store
        self._progress = progress
        self._client: RegistryClient | None = None

    def manifest(self, tag_or_digest: str) -> tuple[Descriptor, Blob]:
        """See `Documents.manifest`."""
        if ":" in tag_or_digest:
            digest = Digest(tag_or_digest.partition(":")[2])
            found = self._kept(digest)
            # It says itself what it is: all manifests that are read here do, or are told by what is in them.
            if found is not None:
                return _described("", found)
        elif self._options.network.offline:
            return self.manifest(self._last(tag_or_digest))
        descriptor, data = self._asked().manifest(self.repository, tag_or_digest)
        self._keep(data)
        if ":" not in tag_or_digest:
            self._store.keep_record(self._record(tag_or_digest), _SCHEMA, {"digest": str(descriptor.digest)})
        return descriptor, Blob(descriptor, BytesContent(data, str(self.repository)))

    def config(self, descriptor: Descriptor) -> Blob:
        """See `Documents.config`."""
        data = self._kept(descriptor.digest)
        if data is None:
            data = self._asked().read_blob(self.repository, descriptor)
            self._keep(data)
        return Blob(descriptor, BytesContent(data, str(self.repository)))

    def layer(self, descriptor: Descriptor) -> PulledContent:
        """See `Documents.layer`."""
        return PulledContent(self, descriptor)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """The manifests that the repository has about `subject`; asked each time, and offline there are none."""
        from minpack.registry.referrers import list_referrers  # noqa: PLC0415 - for commands that want artifacts

        return () if self._options.network.offline else list_referrers(self._asked(), self.repository, subject)

    def fetch(self, descriptor: Descriptor) -> StoredBlob:
        """A blob, verified; the receiver closes it."""
        found = self._store.find(descriptor.digest.hex).blob
        if found is not None:
            downloads = self._options.network.downloads
            if downloads is not None:
                downloads.note(str(descriptor.digest), descriptor.digest.hex)
            return found
        return self._asked().fetch_blob(self.repository, descriptor, self._store, self._progress).blob

    def _asked(self) -> RegistryClient:
        """The client, made when a registry must be asked."""
        if self._client is None:
            from minpack.registry.client import RegistryClient  # noqa: PLC0415 - not for images that are in the store

            self._client = RegistryClient(self._options)
        return self._client

    def _kept(self, digest: Digest) -> bytes | None:
        """A document in the store."""
        from minpack.content import read_all  # noqa: PLC0415 - where there is one

        found = self._store.find(digest.hex).blob
        if found is None:
            return None
        with found:
            return read_all(found, MAX_DOCUMENT)

    def _keep(self, data: bytes) -> None:
        self._store.put(data).close()

    def _record(self, tag: str) -> str:
        return "tag-" + hashlib.sha256(f"{self.repository}:{tag}".encode()).hexdigest()

    def _last(self, tag: str) -> str:
        """The digest that a tag meant last.

        :raises OfflineError: it was never asked for.
        """
        record = self._store.record(self._record(tag), _SCHEMA) or {}
        digest = record.get("digest")
        if not isinstance(digest, str):
            raise OfflineError(f"docker://{self.repository}:{tag}")
        return digest

    def close(self) -> None:
        """Close what is open, and tell what registries wanted to be known; once more does no harm."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
            for warning in client.warnings:
                tell(self._progress, warning)

    def __enter__(self) -> Puller:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class PulledContent:
    """A layer of a registry's, which is fetched when it is opened, and may be mounted from its `origin`."""

    def __init__(self, puller: Puller, descriptor: Descriptor) -> None:
        self._puller = puller
        self._descriptor = descriptor
        self.size = descriptor.size
        self.where = f"{puller.repository}@{descriptor.digest}"

    @property
    def origin(self) -> ImageRepository:
        """The repository that has it."""
        return self._puller.repository

    @property
    def key(self) -> str:
        """What identifies the bytes without reading them."""
        return f"sha256:{self._descriptor.digest.hex}"

    def fetched(self) -> AbstractContextManager[StoredBlob]:
        """The bytes, verified, open until the block is left."""
        return self._puller.fetch(self._descriptor)

    def open(self) -> Reader:
        """A reader of the bytes, which closes them."""
        return _FetchedReader(self._puller.fetch(self._descriptor))


class _FetchedReader:
    """Reads a blob, and closes it when its block is left."""

    def __init__(self, blob: StoredBlob) -> None:
        self._blob = blob
        self._reader = blob.open()

    def read_at(self, offset: int, size: int) -> bytes:
        return self._reader.read_at(offset, size)

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        return self._reader.readinto_at(buffer, offset)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blob.close()


def kept_sums(digest: str, store: Store) -> tuple[str, ...]:
    """The SHA-256 of a manifest and of all that it names; nothing if the store does not have it."""
    from minpack.content import read_all  # noqa: PLC0415 - for locks alone
    from minpack.errors import UnreadableImageError  # noqa: PLC0415 - as above
    from minpack.oci.stated import DocumentSource, manifest_parts  # noqa: PLC0415 - as above

    sha256 = digest.partition(":")[2]
    blob = store.find(sha256).blob
    if blob is None:
        return ()
    with blob:
        source = DocumentSource(digest, {})
        try:
            config, layers = manifest_parts(source, source.stated(read_all(blob, MAX_DOCUMENT), digest))
        except UnreadableImageError:
            return ()
    return (sha256, *(one.digest.hex for one in (config, *layers)))


@contextmanager
def hinted(image: ImageName, text: str) -> Generator[None]:
    """Let errors of registries in the block say which base of the catalogue has what the image has.

    :param text: what the user wrote.
    """
    try:
        yield
    except MinpackError as error:
        from minpack.errors import DownloadError, RegistryError  # noqa: PLC0415 - for errors alone

        if isinstance(error, (RegistryError, DownloadError)) and image.host == HUB:
            also = _instead(image, text)
            error.hint = f"{also}; {error.hint}" if also and error.hint else also or error.hint
        raise


def _instead(image: ImageName, text: str) -> str:
    """What may have been meant in place of an image of Docker Hub: a base of the catalogue, or a path."""
    if image.name.startswith("library/"):
        from minpack.catalog.likely import likely_base  # noqa: PLC0415 - for errors alone

        name = likely_base(text)
        return f"for the base of the catalogue: --base {name}" if name else ""
    # A path of which a part is misspelled is a name that Docker Hub may have.
    is_bare = "/" in text and "://" not in text and not {":", "@"} & set(text)
    return "there is no file or directory of that name here either" if is_bare else ""


def _described(media_type: str, data: bytes) -> tuple[Descriptor, Blob]:
    descriptor = Descriptor(media_type, Digest.of(data), len(data))
    return descriptor, Blob(descriptor, BytesContent(data))
