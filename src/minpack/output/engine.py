"""Loading an image into a container engine."""

from __future__ import annotations

import time
from os import SEEK_END
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from minpack.engine.conversation import (
    CHUNK,
    EngineConversation,
    EngineLimits,
    RefusalError,
    parsed_object,
    parsed_objects,
)
from minpack.errors import EngineError
from minpack.namedtuple import NamedTuple
from minpack.oci.image import put_index
from minpack.progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from minpack.digest import Digest
    from minpack.oci.archive import ArchiveSink
    from minpack.oci.documents import Blob
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference
    from minpack.progress import Progress
    from minpack.target import Platform

_REACH_HINT = "start the engine, set DOCKER_HOST, or leave out --load and load the file later (docker load -i FILE)"
_LOAD_HINT = "it may be too old: Docker loads zstd layers (--zstd) from 23.0 on"
_LOST_HINT = "write a file with -o, and load it with the engine's own command (docker load -i FILE)"


class Loaded(NamedTuple):
    """What the engine says it loaded: its id of the image, and the engine's version."""

    image_id: str
    engine: str


class Archive(NamedTuple):
    """An image archive of `size` bytes, read from its start, and what an engine may know its image by.

    Engines name images by the digest of the configuration or, if they keep them in containerd, of the manifest.
    """

    file: IO[bytes]
    size: int
    reference: str
    ids: Collection[str]


class EngineSink:
    """An engine, which takes an image as the archive in `out`.

    :param environment: the variables that name an engine (DOCKER_HOST, …).
    :param shared: the archive is a sink of its own, which gets the same image first.
    :param engine: ``docker``, ``podman`` or ``containerd``; empty for the first of the first two that is there.
    """

    def __init__(
        self,
        archive: ArchiveSink,
        out: IO[bytes],
        environment: Mapping[str, str],
        progress: Progress,
        *,
        shared: bool,
        engine: str = "",
    ) -> None:
        self._archive = archive
        #: Its name; Docker's, or where that does not answer podman's, if it was given none.
        self.engine = engine
        self._out = out
        self._environment = environment
        self._progress = progress
        self._shared = shared
        #: The engine's id of the image and the digest by which registries know it, once it is loaded.
        self.image_id = ""
        self.digest: Digest | None = None

    def has(self, digest: Digest) -> bool:
        """Whether the archive has the blob."""
        return self._archive.has(digest)

    def put(self, blob: Blob) -> None:
        """Write the blob into the archive; raise `SumMismatchError` if its bytes are not those of its digest."""
        self._archive.put(blob)

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """Load the archive into the engine, with these names.

        :raises EngineError: see `load_archive`.
        """
        self.digest = index.digest
        if not self._shared:
            self._archive.commit(index, references)
        size = self._out.seek(0, SEEK_END)
        self._out.seek(0)
        ids = {str(index.digest), *(str(one) for image in index.images for one in (image.image_id, image.digest))}
        sent = Archive(self._out, size, references[0].familiar, ids)
        self.image_id = self._load(sent, str(references[0]))

    def _load(self, sent: Archive, name: str) -> str:
        """The engine's id of the image, which is loaded; `name` is in full."""
        if self.engine in ("podman", "containerd"):
            return self._load_by_command(sent, name)

        def otherwise() -> Loaded | None:
            """What podman loaded, where nobody named an engine and Docker's does not answer."""
            from minpack.engine.command import has_podman  # noqa: PLC0415 - where there is no Docker alone

            if not has_podman(self._environment):
                return None
            tell(self._progress, "no Docker engine answers: loading into podman")
            self.engine = "podman"
            return Loaded(self._load_by_command(sent, name), "podman")

        named = self.engine or self._environment.get("DOCKER_HOST")
        return load_archive(
            sent,
            environment=self._environment,
            progress=self._progress,
            otherwise=None if named else otherwise,
        ).image_id

    def _load_by_command(self, sent: Archive, name: str) -> str:
        """As `_load`, of what is not Docker's engine."""
        from minpack.engine import command  # noqa: PLC0415 - for other engines than Docker's

        archive = command.CommandLoad(sent.file, sent.size, name, sent.ids)
        if self.engine == "containerd":
            return command.load_by_ctr(archive, self._environment, self._progress)
        host = command.podman_host(self._environment)
        if host:
            environment = {"DOCKER_HOST": host}
            return load_archive(sent, environment=environment, progress=self._progress).image_id
        return command.load_by_podman(archive, self._progress)


class MachineSink:
    """An engine that takes, of the images of several platforms, that of its machine alone."""

    def __init__(self, engine: EngineSink, platform: Platform) -> None:
        self._engine = engine
        self._platform = platform

    @property
    def image_id(self) -> str:
        """The engine's id of the image, once it is loaded."""
        return self._engine.image_id

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.engine

    @property
    def digest(self) -> Digest | None:
        """The digest by which registries know the image, once it is loaded."""
        return self._engine.digest

    def has(self, digest: Digest) -> bool:
        """Whether the archive has the blob."""
        return self._engine.has(digest)

    def put(self, blob: Blob) -> None:
        """Take nothing: which blobs are its image's, `commit` is told."""

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """Load the image of the engine's platform alone, with these names.

        :raises EngineError: see `load_archive`.
        """
        put_index(index.only(self._platform), self._engine, references)


def load_archive(
    archive: Archive,
    *,
    environment: Mapping[str, str],
    progress: Progress,
    limits: EngineLimits | None = None,
    otherwise: Callable[[], Loaded | None] | None = None,
) -> Loaded:
    """Load an image archive into the engine that `environment` (DOCKER_HOST, …) names, or the local one.

    :param otherwise: loads it elsewhere if no engine answers, or says that it cannot.
    :raises EngineError: no engine answers, it refuses the image, or has another one by that name afterwards.
    """
    limits = limits or EngineLimits()
    asking = _Loading(environment, progress, limits)
    try:
        try:
            asking.within(limits.answer, asking.reach, f"reach a container engine at {asking.host}", _REACH_HINT)
        except EngineError:
            loaded = otherwise() if otherwise is not None else None
            if loaded is None:
                raise
            return loaded
        verb = f"load {archive.reference!r} into the engine at {asking.host}"
        seconds = limits.load + archive.size / limits.load_rate
        asking.within(seconds, lambda: asking.load(archive, seconds), verb, _LOAD_HINT)
        image_id = asking.within(limits.answer, lambda: asking.find(archive), verb, _LOST_HINT)
    finally:
        asking.close()
    return Loaded(image_id, asking.version)


class _Loading(EngineConversation):
    """A conversation in which an engine takes an archive."""

    def load(self, archive: Archive, seconds: float) -> str:
        """Send the archive, and hear what becomes of it; an error comes among the progress that it reports."""
        answer = self.ask("POST", "/images/load?quiet=1", seconds, self._chunks(archive), self.limits.load_bytes)
        for document in parsed_objects(answer):
            detail = document.get("errorDetail")
            said = document.get("error") or (detail.get("message") if isinstance(detail, dict) else detail)
            if said:
                raise RefusalError(str(said))
        return ""

    def find(self, archive: Archive) -> str:
        """The id of the image that has the archive's name now, which is the archive's."""
        path = f"/images/{quote(archive.reference, safe='/:')}/json"
        document = parsed_object(self.ask("GET", path, self.limits.answer))
        found = document.get("Id")
        if not isinstance(found, str) or not found:
            raise RefusalError("it does not have the image afterwards")
        descriptor = document.get("Descriptor")
        known = {found, str(descriptor.get("digest")) if isinstance(descriptor, dict) else ""}
        if known.isdisjoint(archive.ids):
            raise RefusalError(f"it has another image by that name afterwards ({found})")
        return found

    def _chunks(self, archive: Archive) -> Iterator[bytes]:
        done = 0
        while not self.is_over and (chunk := archive.file.read(CHUNK)):
            done += len(chunk)
            self.moved = time.monotonic()
            self.progress("loading into the engine", done, archive.size)
            yield chunk
