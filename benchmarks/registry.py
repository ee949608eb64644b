"""A registry on this machine to push to: Debian's docker-registry, with its files in the benchmark's directory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {place}/data}}}}
http: {{addr: '{host}', secret: bench}}
"""
#: So many times it is looked for, a twentieth of a second apart.
PATIENCE = 200


@contextmanager
def registry(place: Path) -> Generator[str]:
    """``HOST:PORT`` of a registry with its files in `place`; empty where docker-registry is not installed."""
    command = shutil.which("docker-registry")
    if command is None:
        yield ""
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (place / "data").mkdir(parents=True)
    (place / "config.yml").write_text(CONFIG.format(place=place, host=f"127.0.0.1:{port}"), encoding="ascii")
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen((command, "serve", str(place / "config.yml")), stdout=log, stderr=log) as process,
    ):
        try:
            wait(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def wait(port: int) -> None:
    """Until something listens at `port`."""
    for _ in range(PATIENCE):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
