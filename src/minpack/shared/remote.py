"""`RemoteCache`: one repository that is read as a shared cache: asked with little patience, and believed in nothing."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import (
    CredentialsError,
    DownloadError,
    InputError,
    NotInRegistryError,
    RegistryError,
    SumMismatchError,
)
from minpack.namedtuple import NamedTuple
from minpack.net.download import download
from minpack.net.network import Limits
from minpack.net.web import WebError
from minpack.oci.documents import Descriptor
from minpack.progress import no_progress
from minpack.registry.refusal import failure
from minpack.shared.names import ARTIFACT, KEY, SHA256, download_tag

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from minpack.net.network import Fillable, Network
    from minpack.progress import Progress
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository

#: A cache that does not help soon does not help: seconds, attempts, and how fast bytes must come.
_CONNECT, _ANSWER, _ATTEMPTS = 4.0, 8.0, 2
_LIMITS = Limits(rate=100_000, window=10.0)
#: No pause is longer, whatever the registry asks for.
_PAUSE = 1.0
#: More blobs than an artifact of a cache has.
MOST_BLOBS = 1000
_FULL, _PARTIAL, _GONE = 200, 206, (404, 410)


def impatient(network: Network) -> Network:
    """The network as a cache is read by: without other caches, and nothing is waited for long."""
    pause = network.pause
    return network._replace(
        connect_timeout=_CONNECT,
        read_timeout=_ANSWER,
        attempts=_ATTEMPTS,
        limits=_LIMITS,
        pause=lambda seconds: pause(min(seconds, _PAUSE)),
        # Who reads is offline or not; who writes downloads nothing.
        offline=False,
        downloads=None,
    )


class CacheArtifact(NamedTuple):
    """What a tag of a cache stands for: blobs, as far as its manifest is to be believed."""

    blobs: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


class _WholeError(Exception):
    """The registry gives blobs whole alone."""


class RemoteCache:
    """One repository; several threads may ask it. Once something is wrong with it, it is asked for nothing more.

    :param network: how the client reaches it.
    """

    def __init__(self, client: RegistryClient, repository: ImageRepository, network: Network) -> None:
        self.repository = repository
        #: Why it is not asked any more; empty while it is.
        self.problem = ""
        #: Whether it answers.
        self.answers = True
        #: The bytes of blobs that came from it.
        self.received = 0
        #: The tags of what turned out to be wrong.
        self.wrong: set[str] = set()
        self._client = client
        self._network = network
        self._downloads: dict[str, Descriptor] = {}

    def __str__(self) -> str:
        return str(self.repository)

    def refuse(self, tag: str, reason: str) -> None:
        """Ask it for nothing more: what it has under `tag` is wrong."""
        self.wrong.add(tag)
        self.problem = self.problem or f"its {tag[:20]}… is wrong: {reason}"

    def artifact(self, tag: str) -> CacheArtifact | None:
        """What the tag stands for; None if it has no such tag, or something else there."""
        found: CacheArtifact | None = None
        if not self.problem:
            with self._asking():
                _, data = self._client.manifest(self.repository, tag)
                found = _artifact(data)
                if found is None:
                    self.refuse(tag, "it is not a cache artifact")
        return found

    def fetch(
        self, blob: Descriptor, part: Fillable, limit: int | None = None, progress: Progress = no_progress
    ) -> bool:
        """Fill `part` with the blob; whether it is there, and has its digest.

        :param limit: the most bytes, where its size is not known and is 0.
        """
        fetched = False
        if not self.problem:
            with self._asking():
                self.received += self._download(blob, part, limit, progress)
                fetched = True
        return fetched

    def read(self, blob: Descriptor, limit: int) -> bytes | None:
        """A small blob, verified."""
        found: bytes | None = None
        if not self.problem and blob.size <= limit:
            with self._asking():
                found = self._client.request(
                    *(self.repository, "GET", f"blobs/{blob.digest}"), limit=blob.size, named=f"{self}@{blob.digest}"
                ).body
                self.received += len(found)
                if Digest.of(found) != blob.digest:
                    self.refuse(str(blob.digest), "it has another digest")
                    found = None
        return found

    def read_range(self, blob: Descriptor, start: int, size: int) -> bytes | None:
        """So many bytes of a blob, unverified; None if the registry gives no parts of blobs, or has not this one."""
        found: bytes | None = None
        if not self.problem:
            with self._asking(), suppress(_WholeError):
                found = self._range(blob, start, size)
                self.received += len(found)
        return found

    def _range(self, blob: Descriptor, start: int, size: int) -> bytes:
        try:
            answer = self._client.request(
                *(self.repository, "GET", f"blobs/{blob.digest}"),
                headers={"Range": f"bytes={start}-{start + size - 1}"},
                limit=size,
                expected=(_FULL, _PARTIAL),
                named=f"{self}@{blob.digest}",
            )
        except RegistryError as error:
            if getattr(error.__cause__, "kind", "") == "too-much":
                raise _WholeError from error
            raise
        if answer.status != _PARTIAL or len(answer.body) != size:
            raise _WholeError
        return answer.body

    def download(self, key: str) -> Descriptor | None:
        """The blob that is kept as `key`; one that is known by its SHA-256 need not be there."""
        if key.startswith(SHA256):
            return self._downloads.get(key) or Descriptor("", Digest(key.removeprefix(SHA256)), 0)
        if key not in self._downloads and (artifact := self.artifact(download_tag(key))) is not None:
            for one in artifact.blobs:
                self._downloads.setdefault(dict(one.annotations).get(KEY, ""), one)
        return self._downloads.get(key)

    def _download(self, blob: Descriptor, part: Fillable, limit: int | None, progress: Progress) -> int:
        """Fill `part` with the blob; how many bytes it has."""
        path, named = f"blobs/{blob.digest}", f"{self}@{blob.digest}"
        wish = self._client.wish(self.repository, named)
        try:
            download(
                f"https://{self.repository.api_host}/v2/{self.repository.name}/{path}",
                part,
                limit=blob.size or limit or 0,
                size=blob.size or None,
                network=self._network,
                progress=progress,
                request=lambda ask, budget: self._client.open(wish, path, ask, budget),
                fixed=True,
            )
        except DownloadError as error:
            cause = error.__cause__
            found = cause if isinstance(cause, WebError) else WebError(error.reason)
            raise failure(found, wish, self._client.redact) from error
        actual = part.sum("sha256")
        if actual != blob.digest.hex:
            raise SumMismatchError(named, "SHA-256", blob.digest.hex, actual, "")
        return part.size

    @contextmanager
    def _asking(self) -> Generator[None]:
        """Whatever goes wrong in the block ends its use; that something is not there is nothing wrong."""
        try:
            yield
        except NotInRegistryError as error:
            if error.status not in _GONE:
                self._give_up(error.reason)
        except RegistryError as error:
            self.answers = error.status is not None and error.status < 500 and error.status != 429  # noqa: PLR2004
            self._give_up(error.reason)
        except SumMismatchError as error:
            self._give_up(f"a blob of it has another digest, {error.actual[:12]}…")
        except (CredentialsError, InputError) as error:
            self._give_up(error.message)

    def _give_up(self, reason: str) -> None:
        self.problem = self.problem or reason


def _artifact(data: bytes) -> CacheArtifact | None:
    """The artifact of a manifest; None if it is none of a cache."""
    import json  # noqa: PLC0415

    try:
        document = json.loads(data)
        blobs, annotations = document["layers"], document.get("annotations") or {}
        if document.get("artifactType") != ARTIFACT or not isinstance(annotations, dict):
            return None
        if not 0 < len(blobs) <= MOST_BLOBS:
            return None
        texts = {key: value for key, value in annotations.items() if isinstance(value, str)}
        return CacheArtifact(tuple(map(_described, blobs)), texts)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def _described(blob: Mapping[str, object]) -> Descriptor:
    """A descriptor.

    :raises ValueError: it is none.
    """
    digest, size, media_type = blob["digest"], blob["size"], blob["mediaType"]
    annotations = blob.get("annotations") or {}
    if (
        not (isinstance(digest, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", digest, re.ASCII))
        or not (isinstance(size, int) and not isinstance(size, bool) and size > 0)
        or not isinstance(media_type, str)
        or not isinstance(annotations, dict)
    ):
        raise ValueError("no descriptor")
    texts = tuple((key, value) for key, value in annotations.items() if isinstance(value, str))
    return Descriptor(media_type, Digest(digest.removeprefix("sha256:")), size, annotations=texts)
