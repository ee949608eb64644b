"""Engines that answer nonsense, or for ever, or have another image afterwards: one clear error, and in time."""

from __future__ import annotations

import gzip
import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from minpack.engine.conversation import EngineLimits
from minpack.errors import EngineError
from minpack.output.engine import Archive, Loaded, load_archive
from support.fake_engine import FakeEngine
from support.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LIMITS = EngineLimits(silence=0.2, answer_bytes=10_000, load_bytes=100_000)
#: Longer than any of these may take.
SOON = 50.0
IDS = ("sha256:" + "c" * 64, "sha256:" + "d" * 64)
LOADED = (200, {"stream": "Loaded image: app:latest\n"})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: What follows ends with the connection.
STREAM = HEAD + b"Connection: close\r\n\r\n"
PROGRESS = b'{"status":"Loading layer","progressDetail":{"current":1,"total":2}}'


@pytest.fixture(autouse=True)
def _in_time() -> Generator[None]:
    """Each of these ends soon."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


def load(place: Path, listener: Listener | None = None, *, limits: EngineLimits = LIMITS, **answers: Any) -> Loaded:
    """Load an archive into an engine that answers so."""
    data = bytes(1_500_000)
    archive = Archive(io.BytesIO(data), len(data), "app:latest", IDS)
    with FakeEngine(place / "socket", **answers) as engine:
        environment = {"DOCKER_HOST": engine.host}
        return load_archive(archive, environment=environment, progress=listener or Listener(), limits=limits)


@pytest.mark.parametrize(
    "known", [{"Id": IDS[0]}, {"Id": IDS[1]}, {"Id": "sha256:0", "Descriptor": {"digest": IDS[1]}}]
)
def test_an_image_is_known_by_its_configuration_or_manifest(tmp_path: Path, known: dict[str, Any]) -> None:
    """Whichever digest the engine names images by, the one that was sent is the one it has."""
    listener = Listener()
    loaded = load(tmp_path, listener, load=LOADED, image=json.dumps(known).encode())
    assert loaded == (known["Id"], "20.10.24")
    assert listener.done == [1 << 20, 1_500_000]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"[]", "something else answers there"),
        (b"null", "something else answers there"),
        (b"{}", "it does not have the image afterwards"),
        (b'{"Id": ""}', "it does not have the image afterwards"),
        (b'{"Id": 7}', "it does not have the image afterwards"),
        (b'{"Id": {"digest": []}, "Descriptor": []}', "it does not have the image afterwards"),
        (b'{"Id": "sha256:0"}', "it has another image by that name afterwards"),
        (b'{"Id": "sha256:0", "Descriptor": []}', "it has another image by that name afterwards"),
        (b"[" * 9000, "something else answers there"),
        (b" " * 20_000, "its answer has more than 10000 bytes"),
        (None, "no such image"),
    ],
)
def test_an_image_that_is_not_there_is_not_loaded(tmp_path: Path, image: bytes | None, reason: str) -> None:
    """What the engine says of the image afterwards decides, and nothing else that it says."""
    with pytest.raises(EngineError, match=f"cannot load 'app:latest' into the engine at unix://.*: {reason}"):
        load(tmp_path, load=LOADED, image=image)


@pytest.mark.parametrize(
    "version", [b"[]", b"{}", b'{"Version": "1"}', b'{"ApiVersion": "../.."}', b'{"ApiVersion": 1.41}', b"[" * 9000]
)
def test_what_is_no_engine(tmp_path: Path, version: bytes) -> None:
    """Whatever document comes in place of a version, it is one clear error."""
    with pytest.raises(EngineError, match=r"cannot reach .*: something else answers there"):
        load(tmp_path, version=version)


BOMB = gzip.compress(bytes(50 << 20))


@pytest.mark.parametrize(
    ("start", "piece", "pause", "reason"),
    [
        (STREAM, b" " * 10_000, 0.0, "its answer has more than 10000 bytes"),
        (STREAM, b" ", 0.05, "it has not answered within 1 seconds"),
        (HEAD + b"X: ", b"y", 0.05, "it has not answered within 1 seconds"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.0, "it has not answered within 1 seconds"),
        (HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + BOMB, b"", 0.0, "its answer has more than"),
    ],
    ids=["endless", "a byte now and then", "a header now and then", "interim answers", "a gzip bomb"],
)
def test_a_version_without_end(tmp_path: Path, start: bytes, piece: bytes, pause: float, reason: str) -> None:
    """However the first answer goes on, it ends in time and takes little memory; and it is told what is waited for."""
    listener = Listener()
    limits = LIMITS._replace(answer=1.0) if "answered" in reason else LIMITS
    with pytest.raises(EngineError, match=rf"cannot reach .*: {reason}") as caught:
        load(tmp_path, listener, limits=limits, endless={"/version": (start, piece, pause)})
    if "answered" in reason:
        assert listener.told == [f"waiting for the container engine at unix://{tmp_path}/socket"]
        assert "docker info" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("piece", "pause", "reason"),
    [
        (PROGRESS * 100, 0.0, "its answer has more than 100000 bytes"),
        ((PROGRESS + b"\r\n") * 100, 0.0, "its answer has more than 100000 bytes"),
        (PROGRESS + b"\r\n", 0.1, "it has not answered within 2 seconds"),
        (b"", 0.1, "it has not answered within 2 seconds"),
    ],
    ids=["without newlines", "with newlines", "slowly", "nothing"],
)
def test_progress_without_end(tmp_path: Path, piece: bytes, pause: float, reason: str) -> None:
    """An engine that is never done with an image is given up on: a second for each megabyte, and half a one."""
    listener = Listener()
    limits = LIMITS._replace(load=0.5) if pause else LIMITS
    with pytest.raises(EngineError, match=rf"cannot load 'app:latest' .*: {reason}"):
        load(tmp_path, listener, limits=limits, endless={"/images/load": (STREAM, piece, pause)})
    if pause:
        assert listener.told[-1:] == [f"waiting for the container engine at unix://{tmp_path}/socket"]


def test_an_image_that_is_never_taken(tmp_path: Path) -> None:
    """An engine that takes nothing of the image is given up on too."""
    with pytest.raises(EngineError, match="it has not answered within 2 seconds"):
        load(tmp_path, limits=LIMITS._replace(load=0.5))


@pytest.mark.parametrize(
    "document",
    [
        {"errorDetail": {"message": "invalid tar header"}, "error": "invalid tar header"},
        {"errorDetail": {"message": "invalid tar header"}},
        {"errorDetail": "invalid tar header"},
        {"error": "invalid tar header"},
    ],
)
@pytest.mark.parametrize("before", [b"", PROGRESS, PROGRESS + b"\r\n", b"7 [] "])
def test_an_error_among_the_progress(tmp_path: Path, document: dict[str, Any], before: bytes) -> None:
    """An error that the engine reports as it goes is an error, though the status was 200 and the image is known."""
    start = STREAM.replace(b"Connection: close", b"Connection: close\r\nContent-Length: %d")
    body = before + json.dumps(document).encode()
    endless = {"/images/load": (start % len(body) + body, b"", 0.0)}
    with pytest.raises(EngineError, match=r"cannot load 'app:latest' .*: invalid tar header"):
        load(tmp_path, endless=endless, image=json.dumps({"Id": IDS[0]}).encode())


@pytest.mark.parametrize(("message", "shown"), [("No\nand no\n" + "no" * 20_000, "no"), ("no" * 2000, "no" * 150)])
def test_a_long_refusal_is_cut(tmp_path: Path, message: str, shown: str) -> None:
    """What an engine says takes one line, which is not long."""
    with pytest.raises(EngineError) as caught:
        load(tmp_path, load=(500, {"message": message}))
    assert caught.value.reason == shown


def test_a_redirect_is_no_answer(tmp_path: Path) -> None:
    """An engine sends nobody elsewhere."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(EngineError, match=r"cannot reach .*: HTTP 302 Found"):
        load(tmp_path, endless={"/version": (moved, b"", 0.0)})
