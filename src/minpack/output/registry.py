"""A registry as a `Sink`: blobs go there as they come, several at once, then the manifests, and the names last."""

from __future__ import annotations

from contextlib import suppress
from queue import Full, Queue
from threading import Event, Lock
from typing import TYPE_CHECKING

from minpack.errors import RegistryError
from minpack.oci import mediatypes
from minpack.oci.image import by_subject
from minpack.output.target import WrittenTarget
from minpack.progress import tell
from minpack.registry.client import RegistryClient
from minpack.registry.jobs import PAUSE, Jobs, StoppedError
from minpack.registry.manifests import keep_referrers, put_manifest, tagged
from minpack.registry.push import BrokenOffError, Uploader
from minpack.registry.repository import ImageRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from minpack.digest import Digest, Writable
    from minpack.oci.documents import Blob, Descriptor
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference
    from minpack.progress import Progress
    from minpack.registry.options import RegistryOptions

#: Blobs that are on their way at one time.
AT_ONCE = 4
#: Pieces of a layer that wait for the network while the next is compressed.
_AHEAD = 16


class RegistrySink:
    """The repositories of `references`, on one registry or several. Leave its ``with`` block to give up the rest.

    A blob must stay readable until `commit` returns. Another repository of the same registry gets it by a mount.

    :param checks: compare blobs with their digests before they are sent.
    :param asks_replaced: ask what each name means before it means the image.
    :param before_names: called for each repository once all is there but the names.
    """

    def __init__(
        self,
        options: RegistryOptions,
        references: Sequence[Reference],
        progress: Progress,
        *,
        checks: bool = False,
        asks_replaced: bool = False,
        before_names: Callable[[RegistryClient, ImageRepository, Index], object] | None = None,
    ) -> None:
        self._client = RegistryClient(options)
        self._jobs = Jobs(AT_ONCE)
        self._progress = progress
        self._asks_replaced = asks_replaced
        self._before_names = before_names
        #: What names meant before, as far as that was asked and is known.
        self._replaced: dict[tuple[ImageRepository, str], Digest | None] = {}
        self._given: set[Digest] = set()
        self._streams: dict[Digest, list[_Stream]] = {}
        self._open: list[_Stream] = []
        #: Uploads that are begun for configurations: of a layer that was being made, they are known last.
        self._begun: dict[Uploader, str] = {}
        self._lock = Lock()
        self._far: dict[Digest, tuple[str, int, int]] = {}
        #: The bytes of blobs that were sent, how many blobs those were, and how many were there or were mounted.
        self.sent = self.sent_blobs = self.kept_blobs = 0
        self._references = references
        self._tags: dict[ImageRepository, list[str]] = {}
        for reference in references:
            self._tags.setdefault(ImageRepository(reference.host, reference.name), []).append(reference.tag)
        #: By registry: the first gets each blob, the others mount it from there.
        self._uploaders: dict[str, list[Uploader]] = {}
        for repository in self._tags:
            uploader = Uploader(self._client, repository, self._note, self._jobs.check_wanted, checks=checks)
            self._uploaders.setdefault(repository.host, []).append(uploader)

    def has(self, digest: Digest) -> bool:
        """See `Sink.has`: whether it is on its way."""
        return digest in self._given

    def put(self, blob: Blob) -> None:
        """See `Sink.put`; what is wrong with it may be raised by a later call.

        :raises RegistryError: a registry does not take a blob.
        """
        digest, media_type = blob.descriptor.digest, blob.descriptor.media_type
        # Those go there last, by another way.
        if digest in self._given or media_type in (*mediatypes.INDEXES, *mediatypes.MANIFESTS):
            return
        self._given.add(digest)
        streams = self._streams.pop(digest, [])
        for number, uploaders in enumerate(self._uploaders.values()):
            stream = streams[number] if streams else None
            self._jobs.add(lambda uploaders=uploaders, stream=stream: self._push(blob, uploaders, stream))  # type: ignore[misc] # bound now
        self._report()

    def begin_blob(self) -> Writable:
        """See `StreamingSink.begin_blob`: what is written goes to every registry as it comes.

        A blob that was begun before and has not ended is dropped.
        """
        for stream in self._open:
            stream.drop()
        self._open = [_Stream(uploaders[0], self._jobs) for uploaders in self._uploaders.values()]
        for stream in self._open:
            self._jobs.add(stream.run)
        for uploaders in self._uploaders.values():
            self._jobs.add(lambda uploader=uploaders[0]: self._begin(uploader))  # type: ignore[misc] # bound now
        # Those that wait for a thread would wait for the others to end, and those for the bytes that wait for them.
        for stream in self._open[self._jobs.threads :]:
            stream.drop()
        return _Streams(self._open)

    def end_blob(self, descriptor: Descriptor) -> None:
        """The blob is whole; `put` follows, by which it is sent again where that failed."""
        for stream in self._open:
            stream.end()
        self._streams[descriptor.digest], self._open = self._open, []

    def commit(self, index: Index, references: Sequence[Reference]) -> None:  # noqa: ARG002 - known from the start
        """See `Sink.commit`.

        :raises RegistryError: a registry does not take a blob, a manifest or a name.
        """
        self._wait()
        for level in _levels(index):
            for repository in self._tags:
                for manifest in level:
                    self._jobs.add(
                        lambda repository=repository, manifest=manifest: put_manifest(  # type: ignore[misc] # as above
                            self._client, repository, manifest
                        )
                    )
            self._wait()
        for repository in self._tags:
            for subject, about in by_subject(index.artifacts).items():
                keep_referrers(self._client, repository, subject, about)
            if self._before_names is not None:
                self._before_names(self._client, repository, index)
        for repository, tags in self._tags.items():
            for tag in tags:
                if self._asks_replaced:
                    self._ask_replaced(repository, tag)
                put_manifest(self._client, repository, index.root_blob, tag)

    def pushed(self, index: Index) -> tuple[WrittenTarget, ...]:
        """What was pushed, a target for each name."""
        return tuple(
            WrittenTarget(
                *("registry", None, str(one), index.digest, self.sent),
                replaced=self._replaced.get((ImageRepository(one.host, one.name), one.tag)),
            )
            for one in self._references
        )

    def _ask_replaced(self, repository: ImageRepository, tag: str) -> None:
        # Nothing is pushed less for it: a registry that does not say is no failure.
        with suppress(RegistryError):
            self._replaced[repository, tag] = tagged(self._client, repository, tag)

    @property
    def notes(self) -> tuple[str, ...]:
        """What registries wanted their users to know."""
        return self._client.warnings

    def _push(self, blob: Blob, uploaders: Sequence[Uploader], stream: _Stream | None) -> None:
        """Have a blob in all repositories of a registry."""
        streamed = stream is not None and stream.finish(blob.descriptor)
        origin: ImageRepository | None = getattr(blob.content, "origin", None)
        source = origin.name if origin is not None and origin.host == uploaders[0].repository.host else ""
        for uploader in uploaders:
            sent = streamed and uploader is uploaders[0]
            if not sent:
                sent = uploader.push(blob, source, self._take_begun(uploader, blob))
            source = uploader.repository.name
            with self._lock:
                self.sent += blob.descriptor.size if sent else 0
                self.sent_blobs += sent
                self.kept_blobs += not sent

    def _begin(self, uploader: Uploader) -> None:
        """Begin an upload for a configuration, unless there is one; what is wrong shows again where it is sent."""
        if uploader not in self._begun:
            with suppress(RegistryError):
                self._begun[uploader] = uploader.begin()

    def _take_begun(self, uploader: Uploader, blob: Blob) -> str:
        """Where to send a configuration for which an upload was begun; empty for others."""
        return self._begun.pop(uploader, "") if blob.descriptor.media_type in mediatypes.CONFIGS else ""

    def _note(self, descriptor: Descriptor, done: int) -> None:
        """Of a blob so many bytes are sent; called on any thread."""
        self._far[descriptor.digest] = (_task(descriptor), done, descriptor.size)

    def _report(self) -> None:
        for task, done, total in tuple(self._far.values()):
            self._progress(task, done, total)

    def _wait(self) -> None:
        self._jobs.wait(self._report)

    def __enter__(self) -> RegistrySink:
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for warning in self.notes if error is not None else ():
            # They may say why.
            tell(self._progress, warning)
        # First: what is being made must not wait for a server that takes nothing more.
        self._jobs.close()
        for stream in self._open:
            stream.drop()
        self._client.__exit__(None, None, None)


class _Streams:
    """Writes to all of them."""

    def __init__(self, streams: Sequence[_Stream]) -> None:
        self._streams = streams

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`, sooner or later."""
        piece = bytes(data)
        for stream in self._streams:
            stream.write(piece)


class _Stream:
    """A blob that is sent while it is made. Where that fails, nothing is lost but the time: it is sent again."""

    def __init__(self, uploader: Uploader, jobs: Jobs) -> None:
        self._uploader = uploader
        self._jobs = jobs
        self._pieces: Queue[bytes | None] = Queue(_AHEAD)
        self._location = ""
        self._failed = False
        self._over = Event()

    def write(self, piece: bytes) -> None:
        """Send `piece` as soon as there is room."""
        self._put(piece)

    def end(self) -> None:
        """That was all of it."""
        self._put(None)

    def drop(self) -> None:
        """Nothing more comes, and it is no blob."""
        self._failed = True
        with suppress(Full):
            self._pieces.put_nowait(None)

    def run(self) -> None:
        """Send what comes until it ends."""
        try:
            if not self._failed:
                self._location = self._uploader.patch(self._uploader.begin(), self._all, None)
        except (RegistryError, BrokenOffError, StoppedError):
            # What is wrong is met again where it is sent anew, and told there.
            self._failed = True
        finally:
            self._over.set()

    def finish(self, descriptor: Descriptor) -> bool:
        """Let what was sent be the blob that is described; whether it is."""
        self._over.wait()
        if self._failed:
            return False
        try:
            self._uploader.finish(self._location, descriptor)
        except (RegistryError, BrokenOffError):
            return False
        return True

    def _put(self, piece: bytes | None) -> None:
        while not (self._failed or self._over.is_set()):
            try:
                self._pieces.put(piece, timeout=PAUSE)
            except Full:
                self._failed = self._jobs.stopped
            else:
                return

    def _all(self) -> Iterator[bytes]:
        """The pieces as they come."""
        while not self._failed and (piece := self._pieces.get()) is not None:
            self._jobs.check_wanted()
            yield piece
        if self._failed:
            raise StoppedError


def _task(descriptor: Descriptor) -> str:
    kind = "config" if descriptor.media_type in mediatypes.CONFIGS else "layer"
    return f"pushing {kind} {descriptor.digest.hex[:12]}"


def _levels(index: Index) -> Iterator[tuple[Blob, ...]]:
    """The manifests that must be there before a name is given, each behind those that it names or is about."""
    about_root = {one.manifest for one in index.artifacts if one.subject and one.subject.digest == index.digest}
    if index.document is not None:
        yield tuple(image.manifest for image in index.images)
        # An index may list artifacts, too.
        yield tuple(one.manifest for one in index.artifacts if one.manifest not in about_root)
    if about_root:
        yield (index.root_blob,)
        yield tuple(one.manifest for one in index.artifacts if index.document is None or one.manifest in about_root)
