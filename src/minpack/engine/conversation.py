"""Talking to a container engine. The only module that imports the docker SDK.

The SDK knows how an engine is reached: its address, TLS, ssh, the contexts of docker's own command. What is asked and
answered is bounded here, in bytes and as a whole in time: its own time-outs are for one read each.
"""

from __future__ import annotations

import json
import re
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

from minpack.errors import EngineError, MinpackError
from minpack.namedtuple import NamedTuple
from minpack.progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from docker import DockerClient
    from requests import Response

    from minpack.progress import Progress

#: Bytes that are sent or taken at once.
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

_HOST_HINT = "write it as unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST"
_PERMISSION_HINT = "you may not use this socket: join the docker group, or set DOCKER_HOST"
SILENT_HINT = "check the engine (docker info), or write a file with -o and load it later"


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


class RefusalError(Exception):
    """What the engine says, or what is wrong with that; and what to do, where that is not what it mostly is."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class EngineConversation:
    """A conversation with an engine.

    :raises EngineError: DOCKER_HOST is not an address.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        progress: Progress,
        limits: EngineLimits,
    ) -> None:
        from docker import from_env  # noqa: PLC0415 - here: the time that it takes is not the engine's

        given = environment.get("DOCKER_HOST") or DEFAULT_HOST
        # A password in it is not shown.
        self.host = re.sub(r":[^/@]*@", ":…@", given)
        if _HOST.fullmatch(given) is None:
            raise EngineError(f"reach a container engine at {self.host}", "DOCKER_HOST is not an address", _HOST_HINT)
        self.version = ""
        self._connect: Callable[..., DockerClient] = from_env
        self._environment = environment
        self.progress = progress
        self.limits = limits
        self._client: DockerClient | None = None
        self._address = ""
        self.moved = 0.0
        self.is_over = False

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
            raise EngineError(verb, f"it has not answered within {seconds:.0f} seconds", SILENT_HINT)
        (answer,) = answers
        if isinstance(answer, str):
            return answer
        if isinstance(answer, MinpackError) or not isinstance(answer, Exception):
            raise answer
        raise EngineError(verb, *_reason_and_hint(answer, hint)) from answer

    def _wait(self, thread: Thread, run: Callable[[], None], seconds: float) -> None:
        """Until the thread has ended, but at most so many seconds."""
        began = self.moved = time.monotonic()
        told = False
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads.
            run()
            return
        while thread.is_alive() and (now := time.monotonic()) - began < seconds:
            if not told and now - self.moved >= self.limits.silence:
                tell(self.progress, f"waiting for the container engine at {self.host}")
                told = True
            thread.join(min(_STEP, began + seconds - now))

    def close(self) -> None:
        """Let go of the engine; what still waits for it ends when it next has something to do."""
        self.is_over = True
        if self._client is not None:
            self._client.close()

    def reach(self) -> str:
        """Learn the engine's version."""
        from docker.constants import DEFAULT_DOCKER_API_VERSION  # noqa: PLC0415
        from docker.utils.config import load_general_config  # noqa: PLC0415

        # With a version the SDK does not ask for it, and read whatever comes.
        seconds, environment = int(self.limits.answer), dict(self._environment)
        try:
            client = self._connect(version=DEFAULT_DOCKER_API_VERSION, timeout=seconds, environment=environment)
        except ValueError as error:
            # As of a port that is none; nobody was asked yet.
            raise RefusalError("DOCKER_HOST is not an address") from error
        self._client = client
        client.api.headers.update(load_general_config().get("HttpHeaders") or {})
        self.host = _address_of(client, self.host)
        document = parsed_object(self.ask("GET", f"{client.api.base_url}/version", self.limits.answer))
        api = document.get("ApiVersion")
        if not isinstance(api, str) or not re.fullmatch(r"\d{1,4}\.\d{1,4}", api, re.ASCII):
            raise RefusalError("something else answers there")
        self.version = str(document.get("Version", ""))
        self._address = f"{client.api.base_url}/v{api}"
        return self.version

    def ask(
        self, method: str, path: str, seconds: float, body: Iterable[bytes] | None = None, most: int | None = None
    ) -> bytes:
        """The body of an answer, which is not a failure.

        :param path: behind the version of the API.
        :param body: what is sent.
        :param most: the most bytes of the answer; None for what short ones have.
        """
        found = bytearray()
        self.answer(method, path, seconds, found.extend, body, most)
        return bytes(found)

    def answer(
        self,
        method: str,
        path: str,
        seconds: float,
        take: Callable[[bytes], object],
        body: Iterable[bytes] | None = None,
        most: int | None = None,
    ) -> None:
        """As `ask`, with the body given to `take` piece by piece."""
        assert self._client is not None, "internal error: nobody is asked"
        most = self.limits.answer_bytes if most is None else most
        response = self._client.api.request(
            method,
            f"{self._address}{path}" if not path.startswith("http") else path,
            data=body,
            # What is sent compressed may be much more.
            headers={"Accept-Encoding": "identity"},
            # By then nobody waits any more, but for the thread to end.
            timeout=seconds + _STEP,
            stream=True,
            allow_redirects=False,
        )
        with response:
            if response.status_code != _OK:
                said_most = min(most, self.limits.load_bytes)
                said: bytes = response.raw.read(said_most + 1, decode_content=False)
                if len(said) > said_most:
                    raise RefusalError(f"its answer has more than {said_most} bytes", SILENT_HINT)
                raise RefusalError(_message(response, said))
            size = 0
            while not self.is_over and (piece := response.raw.read(min(CHUNK, most + 1 - size), decode_content=False)):
                size += len(piece)
                if size > most:
                    raise RefusalError(f"its answer has more than {most} bytes", SILENT_HINT)
                self.moved = time.monotonic()
                take(piece)


def _address_of(client: DockerClient, host: str) -> str:
    """Where the engine is; without DOCKER_HOST a context of docker's own command may say so."""
    url = str(client.api.base_url)
    path = getattr(client.api.get_adapter(url), "socket_path", None)
    return f"unix://{path}" if path else host if url.startswith("http+docker:") else url


def parsed_object(body: bytes) -> dict[str, Any]:
    """The JSON object that an engine answers with."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusalError("something else answers there") from error
    if not isinstance(document, dict):
        raise RefusalError("something else answers there")
    return document


def parsed_objects(body: bytes) -> Iterator[dict[str, Any]]:
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
    refusals = [cause for cause in chain if isinstance(cause, RefusalError)]
    said = [refusal.reason for refusal in refusals]
    hint = next((refusal.hint for refusal in refusals if refusal.hint), hint)
    said += [cause.strerror for cause in reversed(chain) if isinstance(cause, OSError) and cause.strerror]
    if any(isinstance(cause, PermissionError) for cause in chain):
        hint = _PERMISSION_HINT
    elif isinstance(chain[-1], NameError):
        hint = f"pip install 'docker[ssh]'; {hint}"
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
