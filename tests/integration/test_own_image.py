"""minpack's own image, as `make image` makes it: of Debian's packages and pinned wheels, for two platforms."""

from __future__ import annotations

import fcntl
import filecmp
import importlib.util
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.apt import debian_mirror
from support.command import environment, minpack
from support.packing import SOURCE
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from support.docker import Docker

pytestmark = [pytest.mark.tool, pytest.mark.xdist_group("own-image")]

TOP = SOURCE.parent
PYTHON = ("/usr/bin/python3.13", "-I", "-m", "minpack")


class Built(NamedTuple):
    """The archive, and what `minpack build` says of it."""

    archive: Path
    document: Any


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """A cache of its own, and Debian's mirror, from which Python is."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return {"MINPACK_MIRROR_DEBIAN": debian_mirror(), "MINPACK_NO_PACKAGES": None, "MINPACK_CACHE_DIR": cache}


@pytest.fixture(scope="module")
def built(settings: dict[str, str | None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The image of this tree. Wheels are from the Python package index: without it the tests are skipped."""
    (TOP / "build").mkdir(exist_ok=True)
    with (TOP / "build/own-image.lock").open("w") as lock:
        # What is in build/image is one for all workers.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _made(settings, tmp_path_factory)


def _made(settings: dict[str, str | None], tmp_path_factory: pytest.TempPathFactory) -> Built:
    command = (sys.executable, "release/image.py")
    done = subprocess.run(
        command, cwd=TOP, env=environment(settings), check=False, capture_output=True, text=True, timeout=600
    )
    if "No matching distribution found" in done.stderr:
        pytest.skip(f"no Python package index answers: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return build(tmp_path_factory.mktemp("image"), settings)


def build(place: Path, settings: dict[str, str | None], *options: str) -> Built:
    """What minpack.toml makes of what is in build/image."""
    archive = place / "minpack.tar"
    ran = minpack("build", "-o", str(archive), *options, "--json", cwd=TOP, env=settings)
    assert ran.code == 0, ran.err
    (image,) = ran.document["images"]
    return Built(archive, image)


def recipe() -> ModuleType:
    """The script that makes what the image is packed from."""
    spec = importlib.util.spec_from_file_location("image", TOP / "release/image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_whole_and_for_two_platforms(built: Built) -> None:
    """Every library in it loads, or a note would say so; it has a few tens of megabytes for each platform."""
    assert built.document["platforms"] == ["linux/amd64", "linux/arm64"]
    assert built.document["notes"] == []
    assert built.document["size"] < 2 * 40_000_000


def test_it_runs_and_packs_without_a_network(built: Built, docker: Docker, tmp_path: Path) -> None:
    """In Docker, for whoever starts it, with a program of this machine on its libraries; what it packs runs."""
    image, packed = docker.name(), docker.name()
    (loaded,) = docker.load(built.archive)
    docker.call("tag", loaded, image)
    user = ("--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{tmp_path}:/work", "--volume", "/:/host:ro")
    assert docker.run(image, "--version").stdout.startswith("minpack ")
    program = f"/host{need_tool('printf')}"
    docker.run(image, program, "--base", "/host", "-t", packed, "-o", "printf.tar", options=user)
    docker.load(tmp_path / "printf.tar")
    assert docker.run(packed, "packed").stdout == "packed"


def test_that_for_arm64_runs_and_packs(built: Built, tmp_path: Path) -> None:
    """By qemu in a root of its own: it packs its Python, which starts from the new root."""
    qemu, chroot = need_tool("qemu-aarch64-static"), need_tool("chroot")
    if os.geteuid() != 0:
        pytest.skip("only root can change the root")
    root = tmp_path / "root"
    done = minpack("export", str(built.archive), "--platform", "linux/arm64", "-o", str(root), cwd=tmp_path)
    assert done.code == 0, done.err
    shutil.copy(qemu, root / "qemu")

    def run(inside: Path, *arguments: str) -> str:
        command = (chroot, str(inside), "/qemu", *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout

    assert run(root, *PYTHON, "--version").startswith("minpack ")
    run(root, *PYTHON, PYTHON[0], "--base", "/", "--format", "rootfs", "-o", "/work/python")
    shutil.copy(qemu, root / "work/python/qemu")
    assert run(root / "work/python", "/usr/local/bin/python3.13", "--version").startswith("Python 3.13")


def test_the_same_bytes_twice(built: Built, settings: dict[str, str | None], tmp_path: Path) -> None:
    """Compiled and packed once more, without what is kept."""
    recipe_ = recipe()
    again = tmp_path / "again"
    (wheel,) = (TOP / "build/image/wheels").glob("minpack-*.whl")
    recipe_.unpack(wheel, again)
    recipe_.compile_all(again, recipe_.SITE)
    first = TOP / "build/image/minpack"
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert sum(name.endswith(".pyc") for name in names) > 100
    assert filecmp.cmpfiles(first, again, names, shallow=False) == (names, [], [])
    assert build(tmp_path, settings, "--no-cache").document["digest"] == built.document["digest"]
