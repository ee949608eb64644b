"""Loading an image into a container engine. The only module that imports the docker SDK."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from minpack.errors import EngineError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

    from minpack.progress import Progress

#: Seconds without an answer after which there is no engine.
ANSWER_TIMEOUT = 30
#: Seconds without an answer after which loading has failed; big images take long to unpack.
LOAD_TIMEOUT = 600
CHUNK = 1 << 20
#: Where the engine listens unless told otherwise.
DEFAULT_HOST = "unix:///var/run/docker.sock"


class Loaded(NamedTuple):
    """What the engine says it loaded: its id of the image, and the engine's version."""

    image_id: str
    engine: str


def load_archive(
    archive: IO[bytes], size: int, reference: str, *, environment: Mapping[str, str], progress: Progress
) -> Loaded:
    """Load an image archive into the engine that `environment` (DOCKER_HOST, …) names, or the local one.

    :param archive: read from its start to its end.
    :raises EngineError: no engine answers, it refuses the image, or it does not know it afterwards.
    """
    import docker  # noqa: PLC0415
    from docker.errors import DockerException  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    host = environment.get("DOCKER_HOST") or DEFAULT_HOST
    # What is no engine may answer anything: the SDK takes documents apart as they come.
    failures = (DockerException, RequestException, OSError, ValueError, TypeError, KeyError, AttributeError)
    try:
        client = docker.from_env(timeout=ANSWER_TIMEOUT, environment=dict(environment))
        version = str(client.version()["Version"])
    except failures as error:
        hint = "start the engine, set DOCKER_HOST, or leave out --load and load the file later (docker load -i FILE)"
        raise EngineError(f"reach a container engine at {host}", _reason(error), hint) from error
    client.api.timeout = LOAD_TIMEOUT
    client.api.hooks["response"].append(_refuse)
    try:
        client.images.load(_chunks(archive, size, progress))  # type: ignore[arg-type] # streams any iterator
        image = client.images.get(reference)
    except failures as error:
        hint = "what it can load depends on its version: Docker takes --zstd from 23.0 on"
        raise EngineError(f"load {reference!r} into the engine at {host}", _reason(error), hint) from error
    finally:
        client.close()
    return Loaded(str(image.id), version)


def _chunks(archive: IO[bytes], size: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    while chunk := archive.read(CHUNK):
        done += len(chunk)
        progress("loading into the engine", done, size)
        yield chunk


def _refuse(response: Response, **_: object) -> None:
    """Raise what an HTTP status of failure says: the SDK's `load` does not look at it."""
    from docker.errors import create_api_error_from_http_exception  # noqa: PLC0415
    from requests.exceptions import HTTPError  # noqa: PLC0415

    try:
        response.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)


def _reason(error: Exception) -> str:
    """What the engine said, else what the system said, which the SDK wraps several times."""
    chain = tuple(_chain(error))
    said = [str(text) for cause in chain if (text := getattr(cause, "explanation", None))]
    said += [cause.strerror for cause in reversed(chain) if isinstance(cause, OSError) and cause.strerror]
    if not said and isinstance(chain[-1], (ValueError, TypeError, KeyError, AttributeError)):
        return "what answers is no engine"
    # For an address that needs a library more, the SDK's own words are the outermost.
    last = chain[0] if isinstance(chain[-1], NameError) else chain[-1]
    text = next(iter(said), str(last)).strip() or type(last).__name__
    return (text[:1].lower() + text[1:]).splitlines()[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
