"""What minpack says of an entrypoint is what an engine makes of it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.walk import Walker
from minpack.errors import EntrypointError
from minpack.oci.documents import ImageConfig
from minpack.plan.entrypoint import Start, check_start
from minpack.target import Platform
from support.elfmaker import MUSL, library, program, static_program
from support.packing import minpack

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.usefixtures("root")]

#: What the program that starts ends with: no engine's own code.
CODE = 42
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Who starts what; with MINPACK_ALL every one of these users every one of these files.
NAMES = {
    "65532:65532": (
        *("app", "bin/app", "/bin/link", "/bin/app --port 80", "nosuch", "/bin", "/bin/dangling", "/bin/text"),
        *("/bin/mine", "/bin/through", "/bin/dynamic", "/bin/blank", "/bin/windows", "/bin/lost", "/bin/circle"),
    ),
    "0:0": ("/bin/mine", "/bin/plain", "/closed/app"),
    "7:8": ("/bin/mine", "/bin/open"),
}
MORE = (
    *("/bin/app", "./bin/app", "link", "/bin/nosuch", "/bin/loop", "/bin/empty", "/bin/app/x", "/bin/library"),
    *("/bin/script", "/bin/bare", "/bin/nested", "script"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system of programs, scripts and what is neither."""
    here = tmp_path / "root"
    (here / "bin").mkdir(parents=True)
    (here / "closed").mkdir()
    app = static_program(CODE)
    for name, data, mode in (
        ("bin/app", app, 0o755),
        ("bin/open", app, 0o001),
        ("bin/mine", app, 0o100),
        ("bin/plain", app, 0o644),
        ("bin/text", b"text\n", 0o755),
        ("bin/empty", b"", 0o755),
        ("bin/dynamic", program(interpreter=MUSL), 0o755),
        ("bin/library", library("liba.so"), 0o644),
        ("bin/script", b"#!/bin/app\n", 0o755),
        ("bin/blank", b"#! \t/bin/app -x y\n", 0o755),
        ("bin/windows", b"#!/bin/app\r\n", 0o755),
        ("bin/bare", b"#!app\n", 0o755),
        ("bin/lost", b"#!/bin/nosuch\n", 0o755),
        ("bin/nested", b"#!/bin/script\n", 0o755),
        ("bin/circle", b"#!/bin/circle\n", 0o755),
        ("closed/app", app, 0o755),
    ):
        (here / name).write_bytes(data)
        (here / name).chmod(mode)
    os.chown(here / "bin/mine", 7, 8)
    (here / "closed").chmod(0o700)
    for name, target in (("link", "../bin/app"), ("dangling", "/no"), ("loop", "loop"), ("through", "/closed/app")):
        os.symlink(target, here / "bin" / name)
    return here


def starts(root: Path, name: str, user: str) -> bool:
    """What minpack says of it."""
    config = ImageConfig(Platform("linux", "amd64"), (name,), env=(("PATH", PATH),), user=user)
    try:
        check_start(Start(config, Walker(DirectoryBase(str(root))), frozenset(), None, ""))
    except EntrypointError:
        return False
    return True


def test_an_engine_agrees(root: Path, docker: Docker) -> None:
    """Each name starts in a container as minpack says, as root and as other users."""
    image = docker.name()
    minpack("base", "image", root, "--platform=linux/amd64", "--cmd=/bin/app", "-t", image, "--load")
    names = NAMES
    if os.environ.get("MINPACK_ALL"):
        every = tuple(dict.fromkeys((*MORE, *(name for known in NAMES.values() for name in known))))
        names = dict.fromkeys(NAMES, every)
    differing = []
    for user, name in ((user, name) for user, those in names.items() for name in those):
        command = ("docker", "run", "--rm", "--network=none", f"--user={user}", f"--entrypoint={name}", image)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if (done.returncode == CODE) != starts(root, name, user):
            differing.append((name, user, done.returncode, done.stderr))
    assert not differing
