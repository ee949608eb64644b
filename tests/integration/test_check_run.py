"""What `minpack check` says of images is what an engine makes of them, whoever made the image.

`make starts` compares all: every image of `support.startways`, as each of the builders makes it.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.images.check import CheckedImage, check_found
from minpack.images.finding import Severity
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.spec.image_ref import parse_image_ref
from support.startbuilders import BUILDERS, by_archive, by_umoci, loaded
from support.startways import BROKEN, CODE, WARNED, StartCase, good

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.docker import Docker
    from support.startbuilders import Builder

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.usefixtures("root")]

ALL = bool(os.environ.get("MINPACK_STARTS"))
#: Some that each show another way to fail; unit tests have all, with what is expected of them.
SOME = {
    *("static", "in a further group", "library path", "found by env", "health"),
    *("hidden", "not its owner's", "unreadable", "the other libc", "set-id and path", "no such group", "twice"),
}


def images() -> Iterator[tuple[StartCase, Builder]]:
    """Each image with what builds it; of some builders alone, some images each."""
    cases = [one for way in (good, *WARNED, *BROKEN) for one in way()]
    for number, one in enumerate(cases):
        if not ALL:
            if one.name in SOME:
                yield one, by_archive
            continue
        yield one, by_archive
        if one.built:
            # Whiteouts are files for what adds a tar to a container.
            yield one, by_umoci if len(one.layers) > 1 else BUILDERS[number % len(BUILDERS)]


def starts(archive: Path, docker: Docker, name: str) -> bool:
    """Whether an engine takes the image, and a container of it starts."""
    if not loaded(archive):
        return False
    command = ("docker", "run", "--rm", "--network=none", name)
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == CODE


def test_an_engine_agrees(docker: Docker, tmp_path: Path) -> None:
    """Verdict and cause, image by image; the engine reads what minpack reads."""
    differing, count = [], 0
    for one, build in images():
        name, archive = docker.name(), tmp_path / "image.tar"
        build(one, name, archive, tmp_path)
        (found,) = checked(archive)
        errors = {finding.code for finding in found.findings if finding.level is Severity.ERROR}
        if found.starts != starts(archive, docker, name) or errors != ({one.code} if is_broken(one) else set()):
            differing.append((one.name, build.__name__, found.findings))
        archive.unlink()
        count += 1
    assert not differing
    if ALL:
        assert count >= 120
        print(f"{count} images")


def checked(archive: Path) -> tuple[CheckedImage, ...]:
    """What minpack finds."""
    options = BaseOptions(None, Network(offline=True), "2026-11-30")
    return check_found(parse_image_ref(str(archive)), options, no_progress)[1]


def is_broken(one: StartCase) -> bool:
    """Whether no container of it starts."""
    return bool(one.code) and one.name not in {warned.name for way in WARNED for warned in way()}
