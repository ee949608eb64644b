"""Running `minpack` where stdout and stderr are terminals."""

from __future__ import annotations

import os
import pty
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from support.command import COMMAND, TIMEOUT, Ran, environment

if TYPE_CHECKING:
    from pathlib import Path


def on_terminal(*arguments: str, cwd: Path, env: dict[str, str | None] | None = None) -> Ran:
    """Run `minpack` with stdout and stderr on terminals."""
    readers, writers = zip(pty.openpty(), pty.openpty(), strict=True)
    run = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=writers[0],
        stderr=writers[1],
    )
    for writer in writers:
        os.close(writer)
    with ThreadPoolExecutor(2) as pool:
        out, err = pool.map(_all_of, readers)
    return Ran(run.wait(TIMEOUT), out, err.decode())


def _all_of(terminal: int) -> bytes:
    data = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # EIO: the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return data.replace(b"\r\n", b"\n")
        data += piece
