"""Real registries on loopback: Debian's docker-registry, and go-containerregistry's where it was built.

    with docker_registry(tmp_path) as registry:
        registry.host                                       # 127.0.0.1:PORT

They are told to listen at a port of their own, and are ended with the block.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.dockerregistry import running_registry
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        *("oci.image.index.v1", "oci.image.manifest.v1"),
        *("docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"),
    )
)


class RealRegistry(NamedTuple):
    """One that answers at `host`."""

    host: str
    place: Path

    def tags(self, name: str) -> list[str]:
        """The tags of a repository; none where there is no such."""
        try:
            return sorted(json.loads(self._read(f"/v2/{name}/tags/list")).get("tags") or [])
        except urllib.error.HTTPError:
            return []

    def manifest(self, name: str, reference: str) -> Any:
        """A manifest or an index."""
        return json.loads(self._read(f"/v2/{name}/manifests/{reference}"))

    def whole(self, name: str, reference: str) -> bool:
        """Whether everything below a tag or a digest is there."""
        document = self.manifest(name, reference)
        blobs = [*document.get("layers", ()), *([document["config"]] if "config" in document else [])]
        return all(self._has(f"/v2/{name}/blobs/{one['digest']}", one["size"]) for one in blobs) and all(
            self.whole(name, one["digest"]) for one in document.get("manifests", ())
        )

    def _has(self, path: str, size: int) -> bool:
        request = urllib.request.Request(f"http://{self.host}{path}", method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bool(int(answer.headers["Content-Length"]) == size)
        except urllib.error.HTTPError:
            return False

    def _read(self, path: str) -> bytes:
        request = urllib.request.Request(f"http://{self.host}{path}", headers={"Accept": ACCEPT})
        with urllib.request.urlopen(request, timeout=20) as answer:
            data: bytes = answer.read()
            return data


@contextmanager
def docker_registry(place: Path, auth: Mapping[str, Any] | None = None) -> Generator[RealRegistry]:
    """Debian's docker-registry, with its files below `place`."""
    place.mkdir(parents=True, exist_ok=True)
    with running_registry(place, auth) as host:
        yield RealRegistry(host, place)


@contextmanager
def crane_registry(place: Path) -> Generator[RealRegistry]:
    """go-containerregistry's registry, with its files below `place`."""
    port = free_port()
    (place / "data").mkdir(parents=True)
    command = [need_crane(), "registry", "serve", "--address", f"127.0.0.1:{port}", "--disk", str(place / "data")]
    with _running(command, place / "log", port):
        yield RealRegistry(f"127.0.0.1:{port}", place)


def need_crane() -> str:
    """The path of crane; without it the test is skipped."""
    return need_built("crane")


def need_built(name: str) -> str:
    """The path of a program that has to be built, in the directory MINPACK_TEST_TOOLS or as others are.

    Without it the test is skipped.
    """
    built = os.path.join(os.environ.get("MINPACK_TEST_TOOLS", ""), name)
    return built if os.access(built, os.X_OK) else need_tool(name)


def free_port() -> int:
    """A port at which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Generator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _wait(process, port, log)
            yield
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the registry did not come up: {log.read_text(errors='replace')[-500:]}")


def pushed(out: bytes) -> dict[str, str]:
    """What a quiet push printed: each repository with its digest."""
    lines = out.decode().splitlines()
    assert all(re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", line) for line in lines), lines
    return dict(line.split("@") for line in lines)
