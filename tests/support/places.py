"""Places and users that a test needs the system for: a full disk, another user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.command import TIMEOUT, Ran, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
#: Imports all of minpack, becomes another user, and runs: that user may not even read the interpreter's files.
_AS_NOBODY = """
import importlib, os, pkgutil, sys
import difflib, docker, encodings.idna, fcntl, hashlib, json, shlex, shutil, tempfile, urllib3, zlib
import minpack
for module in pkgutil.walk_packages(minpack.__path__, "minpack."):
    if module.name != "minpack.__main__":
        importlib.import_module(module.name)
import deflate
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from minpack.cli import main
main()
"""


@contextmanager
def small_disk(path: Path, size: str = "64k") -> Iterator[Path]:
    """A new directory with a file system of its own that is soon full; skips where none can be mounted."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.decode()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@contextmanager
def shared_directory() -> Iterator[Path]:
    """A new directory that any user can reach and write to."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def as_nobody(*arguments: str, cwd: Path, env: dict[str, str | None] | None = None, **options: Any) -> Ran:
    """Run `minpack` as a user without rights; as the one who runs the tests, unless that is root."""
    start = ("-c", _AS_NOBODY) if os.geteuid() == 0 else ("-m", "minpack")
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=cwd,
        env=environment({"XDG_CACHE_HOME": None, "HOME": None, **(env or {})}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
        **options,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))
