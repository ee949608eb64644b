"""Debian's docker-registry on 127.0.0.1, set up as a test wants it.

with running_registry(tmp_path, auth=..., tls=...) as host:
    ...                                                 # 127.0.0.1:PORT
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

#: The user and the password of `password_file`.
USER, PASSWORD = "tester", "a-pass:word/w1th+signs"
_HASH = "$2b$04$dbG4MK6AMnV81brqrFZHP.GFfkI51ItlDANgrEbOeMEju5W7Fnvzq"


def password_file(place: Path) -> dict[str, Any]:
    """The configuration for a registry that knows `USER`."""
    file = place / "htpasswd"
    file.write_text(f"{USER}:{_HASH}\n", encoding="ascii")
    return {"htpasswd": {"realm": "test", "path": str(file)}}


@contextmanager
def running_registry(
    place: Path, auth: Mapping[str, Any] | None = None, tls: Mapping[str, Any] | None = None
) -> Generator[str]:
    """A registry with its files below `place`; ``HOST:PORT``."""
    command = need_tool("docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    document: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "test", **({"tls": dict(tls)} if tls else {})},
        **({"auth": dict(auth)} if auth else {}),
    }
    # JSON is YAML.
    (place / "config.yml").write_text(json.dumps(document), encoding="ascii")
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen([command, "serve", str(place / "config.yml")], stdout=log, stderr=log) as process,
    ):
        try:
            _wait(process, port, place / "log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(400):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.025)
        else:
            return
    pytest.fail(f"the registry did not come up: {log.read_text(errors='replace')[-500:]}")
