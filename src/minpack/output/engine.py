"""Loading an image into a container engine. The only module that imports the docker SDK.

The SDK knows how an engine is reached: its address, TLS, ssh, the contexts of docker's own command. What is asked and
answered is bounded here, in bytes and as a whole in time: its own time-outs are for one read each.
"""

from __future__ import annotations

import json
import re
import time
from os import SEEK_END
from threading import Thread
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from minpack.errors import EngineError, MinpackError
from minpack.namedtuple import NamedTuple
from minpack.oci.image import put_index
from minpack.progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from docker import DockerClient
    from requests import Response

    from minpack.digest import Digest
    from minpack.oci.archive import ArchiveSink
    from minpack.oci.documents import Blob
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference
    from minpack.progress import Progress
    from minpack.target import Platform

CHUNK = 1 << 20
#: Where the engine listens unless told otherwise.
DEFAULT_HOST = "unix:///var/run/docker.sock"
#: What DOCKER_HOST may be; the SDK takes an address of TCP without its scheme too.
_HOST = re.compile(r"(http\+)?unix://.*|((tcp|https?)://)?[^\s/?#@]*:[0-9]{1,5}(/\S*)?|(ssh|npipe|fd)://\S*")

_OK = 200
#: Seconds between two looks at what is waited for.
_STEP = 0.25
#: More of what an engine says is not shown.
_LONGEST_REASON = 300

_REACH_HINT = "start the engine, set DOCKER_HOST, or leave out --load and load the file later (docker load -i FILE)"
_HOST_HINT = "write it as unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST"
_SSH_HINT = "pip install 'docker[ssh]', or leave out --load and load the file later (docker load -i FILE)"
_PERMISSION_HINT = "you may not use this socket: join the docker group, or set DOCKER_HOST"
_LOAD_HINT = "it may be too old: Docker loads zstd layers (--zstd) from 23.0 on"
_LOST_HINT = "write a file with -o, and load it with the engine's own command (docker load -i FILE)"
_SILENT_HINT = "check the engine (docker info), or write a file with -o and load it later"


class EngineLimits(NamedTuple):
    """How long an engine is waited for, in seconds, and how many bytes of its answers are read.

    `answer` is for who it is and for what it knows of an image, `load` for taking one, and there is a second more for
    each `load_rate` bytes of the image. What is waited for is told after `silence` seconds.
    """

    answer: float = 30.0
    load: float = 600.0
    load_rate: int = 1_000_000
    silence: float = 2.0
    answer_bytes: int = 1 << 20
    load_bytes: int = 16 << 20


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
    """

    def __init__(
        self,
        archive: ArchiveSink,
        out: IO[bytes],
        environment: Mapping[str, str],
        progress: Progress,
        *,
        shared: bool,
    ) -> None:
        self._archive = archive
        self._out = out
        self._environment = environment
        self._progress = progress
        self._shared = shared
        #: The engine's id of the image and the digest by which registries know it, once it is loaded.
        self.image_id = ""
        self.digest: Digest | None = None

    def has(self, digest: Digest) -> bool:
        """See `Sink.has`."""
        return self._archive.has(digest)

    def put(self, blob: Blob) -> None:
        """See `Sink.put`."""
        self._archive.put(blob)

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """See `Sink.commit`.

        :raises EngineError: see `load_archive`.
        """
        self.digest = index.digest
        if not self._shared:
            self._archive.commit(index, references)
        size = self._out.seek(0, SEEK_END)
        self._out.seek(0)
        ids = {str(index.digest), *(str(one) for image in index.images for one in (image.image_id, image.digest))}
        sent = Archive(self._out, size, references[0].familiar, ids)
        self.image_id = load_archive(sent, environment=self._environment, progress=self._progress).image_id


class MachineSink:
    """An engine that takes, of the images of several platforms, that of its machine alone."""

    def __init__(self, engine: EngineSink, platform: Platform) -> None:
        self._engine = engine
        self._platform = platform

    @property
    def image_id(self) -> str:
        """See `EngineSink`."""
        return self._engine.image_id

    @property
    def digest(self) -> Digest | None:
        """See `EngineSink`."""
        return self._engine.digest

    def has(self, digest: Digest) -> bool:
        """See `Sink.has`."""
        return self._engine.has(digest)

    def put(self, blob: Blob) -> None:
        """Take nothing: which blobs are its image's, `commit` is told."""

    def commit(self, index: Index, references: Sequence[Reference]) -> None:
        """See `Sink.commit`.

        :raises EngineError: see `load_archive`.
        """
        put_index(index.only(self._platform), self._engine, references)


def load_archive(
    archive: Archive, *, environment: Mapping[str, str], progress: Progress, limits: EngineLimits | None = None
) -> Loaded:
    """Load an image archive into the engine that `environment` (DOCKER_HOST, …) names, or the local one.

    :raises EngineError: no engine answers, it refuses the image, or has another one by that name afterwards.
    """
    from docker import from_env  # noqa: PLC0415 - here: the time that it takes is not the engine's

    limits = limits or EngineLimits()
    asking = _Asking(from_env, environment, progress, limits)
    try:
        asking.within(limits.answer, asking.reach, f"reach a container engine at {asking.host}", _REACH_HINT)
        verb = f"load {archive.reference!r} into the engine at {asking.host}"
        seconds = limits.load + archive.size / limits.load_rate
        asking.within(seconds, lambda: asking.load(archive, seconds), verb, _LOAD_HINT)
        image_id = asking.within(limits.answer, lambda: asking.find(archive), verb, _LOST_HINT)
    finally:
        asking.close()
    return Loaded(image_id, asking.version)


class _RefusalError(Exception):
    """What the engine says, or what is wrong with that; and what to do, where that is not what it mostly is."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class _Asking:
    """A conversation with an engine.

    :raises EngineError: DOCKER_HOST is not an address.
    """

    def __init__(
        self,
        connect: Callable[..., DockerClient],
        environment: Mapping[str, str],
        progress: Progress,
        limits: EngineLimits,
    ) -> None:
        given = environment.get("DOCKER_HOST") or DEFAULT_HOST
        # A password in it is not shown.
        self.host = re.sub(r":[^/@]*@", ":…@", given)
        if _HOST.fullmatch(given) is None:
            raise EngineError(f"reach a container engine at {self.host}", "DOCKER_HOST is not an address", _HOST_HINT)
        self.version = ""
        self._connect = connect
        self._environment = environment
        self._progress = progress
        self._limits = limits
        self._client: DockerClient | None = None
        self._address = ""
        self._moved = 0.0
        self._over = False

    def within(self, seconds: float, ask: Callable[[], str], verb: str, hint: str) -> str:
        """What `ask` gives, on a thread of its own, which is left alone once the time is over.

        :raises EngineError: `ask` fails, or takes longer.
        """
        answers: list[str | BaseException] = []

        def run() -> None:
            try:
                answers.append(ask())
            except BaseException as error:  # noqa: BLE001 - raised again, or put into words
                answers.append(error)

        self._wait(Thread(target=run, daemon=True), run, seconds)
        if not answers:
            raise EngineError(verb, f"it has not answered within {seconds:.0f} seconds", _SILENT_HINT)
        (answer,) = answers
        if isinstance(answer, str):
            return answer
        if isinstance(answer, MinpackError) or not isinstance(answer, Exception):
            raise answer
        raise EngineError(verb, *_reason_and_hint(answer, hint)) from answer

    def _wait(self, thread: Thread, run: Callable[[], None], seconds: float) -> None:
        """Until the thread has ended, but at most so many seconds."""
        began = self._moved = time.monotonic()
        told = False
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads.
            run()
            return
        while thread.is_alive() and (now := time.monotonic()) - began < seconds:
            if not told and now - self._moved >= self._limits.silence:
                tell(self._progress, f"waiting for the container engine at {self.host}")
                told = True
            thread.join(min(_STEP, began + seconds - now))

    def close(self) -> None:
        """Let go of the engine; what still waits for it ends when it next has something to do."""
        self._over = True
        if self._client is not None:
            self._client.close()

    def reach(self) -> str:
        """Learn the engine's version."""
        from docker.constants import DEFAULT_DOCKER_API_VERSION  # noqa: PLC0415
        from docker.utils.config import load_general_config  # noqa: PLC0415

        # With a version the SDK does not ask for it, and read whatever comes.
        seconds, environment = int(self._limits.answer), dict(self._environment)
        try:
            client = self._connect(version=DEFAULT_DOCKER_API_VERSION, timeout=seconds, environment=environment)
        except ValueError as error:
            # As of a port that is none; nobody was asked yet.
            raise _RefusalError("DOCKER_HOST is not an address") from error
        self._client = client
        client.api.headers.update(load_general_config().get("HttpHeaders") or {})
        self.host = _address_of(client, self.host)
        document = _document(self._ask("GET", f"{client.api.base_url}/version", self._limits.answer))
        api = document.get("ApiVersion")
        if not isinstance(api, str) or not re.fullmatch(r"\d{1,4}\.\d{1,4}", api, re.ASCII):
            raise _RefusalError("something else answers there")
        self.version = str(document.get("Version", ""))
        self._address = f"{client.api.base_url}/v{api}"
        return self.version

    def load(self, archive: Archive, seconds: float) -> str:
        """Send the archive, and hear what becomes of it; an error comes among the progress that it reports."""
        answer = self._ask("POST", f"{self._address}/images/load?quiet=1", seconds, archive)
        for document in _documents(answer):
            detail = document.get("errorDetail")
            said = document.get("error") or (detail.get("message") if isinstance(detail, dict) else detail)
            if said:
                raise _RefusalError(str(said))
        return ""

    def find(self, archive: Archive) -> str:
        """The id of the image that has the archive's name now, which is the archive's."""
        url = f"{self._address}/images/{quote(archive.reference, safe='/:')}/json"
        document = _document(self._ask("GET", url, self._limits.answer))
        found = document.get("Id")
        if not isinstance(found, str) or not found:
            raise _RefusalError("it does not have the image afterwards")
        descriptor = document.get("Descriptor")
        known = {found, str(descriptor.get("digest")) if isinstance(descriptor, dict) else ""}
        if known.isdisjoint(archive.ids):
            raise _RefusalError(f"it has another image by that name afterwards ({found})")
        return found

    def _ask(self, method: str, url: str, seconds: float, archive: Archive | None = None) -> bytes:
        """The body of an answer, which is not a failure."""
        assert self._client is not None, "internal error: nobody is asked"
        most = self._limits.answer_bytes if archive is None else self._limits.load_bytes
        response = self._client.api.request(
            method,
            url,
            data=self._chunks(archive) if archive is not None else None,
            # What is sent compressed may be much more.
            headers={"Accept-Encoding": "identity"},
            # By then nobody waits any more, but for the thread to end.
            timeout=seconds + _STEP,
            stream=True,
            allow_redirects=False,
        )
        with response:
            body: bytes = response.raw.read(most + 1, decode_content=False)
        if len(body) > most:
            raise _RefusalError(f"its answer has more than {most} bytes", _SILENT_HINT)
        if response.status_code != _OK:
            raise _RefusalError(_message(response, body))
        return body

    def _chunks(self, archive: Archive) -> Iterator[bytes]:
        done = 0
        while not self._over and (chunk := archive.file.read(CHUNK)):
            done += len(chunk)
            self._moved = time.monotonic()
            self._progress("loading into the engine", done, archive.size)
            yield chunk


def _address_of(client: DockerClient, host: str) -> str:
    """Where the engine is; without DOCKER_HOST a context of docker's own command may say so."""
    url = str(client.api.base_url)
    path = getattr(client.api.get_adapter(url), "socket_path", None)
    return f"unix://{path}" if path else host if url.startswith("http+docker:") else url


def _document(body: bytes) -> dict[str, Any]:
    """The JSON object that an engine answers with."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _RefusalError("something else answers there") from error
    if not isinstance(document, dict):
        raise _RefusalError("something else answers there")
    return document


def _documents(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, until something else comes."""
    text = body.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        if isinstance(document, dict):
            yield document


def _message(response: Response, body: bytes) -> str:
    """What an engine says of its refusal, else its HTTP status."""
    status = f"HTTP {response.status_code} {response.reason or ''}".rstrip()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return status
    return str((isinstance(document, dict) and document.get("message")) or status)


def _reason_and_hint(error: Exception, hint: str) -> tuple[str, str]:
    """What the engine said, else what the system said, which the SDK wraps several times; and what to do."""
    chain = tuple(_chain(error))
    refusals = [cause for cause in chain if isinstance(cause, _RefusalError)]
    said = [refusal.reason for refusal in refusals]
    hint = next((refusal.hint for refusal in refusals if refusal.hint), hint)
    said += [cause.strerror for cause in reversed(chain) if isinstance(cause, OSError) and cause.strerror]
    if any(isinstance(cause, PermissionError) for cause in chain):
        hint = _PERMISSION_HINT
    elif isinstance(chain[-1], NameError):
        hint = _SSH_HINT
    if not said and isinstance(chain[-1], (ValueError, TypeError, KeyError, AttributeError)):
        return "something else answers there", hint
    # For an address that needs a library more, the SDK's own words are the outermost.
    last = chain[0] if isinstance(chain[-1], NameError) else chain[-1]
    text = next(iter(said), str(last)).strip() or type(last).__name__
    # A sentence goes on in lower case, an acronym stays one.
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    return text.splitlines()[0][:_LONGEST_REASON], hint


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
