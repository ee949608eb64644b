"""Finished images, to look at and to run: archives of minpack's, and the name of one in the Docker engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FILES = 5000


class Images(NamedTuple):
    """Archives of a program, of the same with 5,000 files, and of ffmpeg with its libraries, None without ffmpeg.

    `loaded` is what the program's is called in the engine; empty where none takes it.
    """

    program: Path
    many: Path
    ffmpeg: Path | None
    loaded: str


@contextmanager
def images(minpack: str, program: Path, work: Path) -> Generator[Images]:
    """Make them in `work`; the engine has the program's until the end."""
    name = f"minpack-bench-{os.getpid()}:1"
    archive, many, other = work / "image.tar", work / "image-many.tar", work / "image-ffmpeg.tar"
    pack = (minpack, "-q", "--no-cache", "-o")
    subprocess.run((*pack, str(archive), str(program), "-t", name), check=True, stdout=subprocess.DEVNULL)
    data = ("--add", f"{_data(work / 'data')}:/data")
    subprocess.run((*pack[:-1], "-o", str(many), str(program), *data), check=True, stdout=subprocess.DEVNULL)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is not None:
        subprocess.run((*pack, str(other), ffmpeg, "--base", "/"), check=True, stdout=subprocess.DEVNULL)
    is_loaded = _docker("load", "-i", str(archive))
    try:
        yield Images(archive, many, other if ffmpeg is not None else None, name if is_loaded else "")
    finally:
        if is_loaded:
            _docker("image", "rm", "--force", name)


def _data(place: Path) -> Path:
    """A directory of 5,000 files of all sizes up to 8 kB."""
    for number in range(FILES):
        path = place / str(number % 7) / str(number % 53) / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(4, "big") * (number * number % 2048 + 1))
    return place


def _docker(*arguments: str) -> bool:
    """Whether the client is there and did that."""
    try:
        return subprocess.run(("docker", *arguments), capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
