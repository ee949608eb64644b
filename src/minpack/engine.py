"""Loading an image into a container engine. The only module that imports the docker SDK."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from minpack.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.progress import Progress

#: Seconds without an answer after which an engine counts as gone; big images take long to unpack.
TIMEOUT = 600
CHUNK = 1 << 20


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

    hint = "start the engine, set DOCKER_HOST, or leave out --load and load the file later (docker load -i FILE)"
    try:
        client = docker.from_env(timeout=TIMEOUT, environment=dict(environment))
        version = str(client.version()["Version"])
    except (DockerException, RequestException, KeyError) as error:
        raise EngineError("reach a container engine", _reason(error), hint) from error
    try:
        client.images.load(_chunks(archive, size, progress))  # type: ignore[arg-type] # streams any iterator
        image = client.images.get(reference)
    except (DockerException, RequestException) as error:
        raise EngineError(f"load {reference!r} into the engine", _reason(error)) from error
    finally:
        client.close()
    return Loaded(str(image.id), version)


def _chunks(archive: IO[bytes], size: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    while chunk := archive.read(CHUNK):
        done += len(chunk)
        progress("loading into the engine", done, size)
        yield chunk


def _reason(error: Exception) -> str:
    """The end of the chain of causes: the SDK wraps what the system said several times."""
    while error.__cause__ is not None or error.__context__ is not None:
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return (text[:1].lower() + text[1:]).splitlines()[0] if text else type(error).__name__
