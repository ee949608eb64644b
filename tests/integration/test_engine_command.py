"""--engine: into podman by its command or its service, into containerd by `ctr`, and what goes wrong with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from support.command import Ran, assert_refused, in_shell, minpack
from support.elfmaker import static_program
from support.fake_engine import FakeEngine
from support.packing import write_program
from support.refusals import row
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: A command that takes an archive from stdin and names its image afterwards, as it is told to.
SCRIPT = """#!{python} -I
import hashlib, json, os, sys, tarfile
place = os.path.dirname(os.path.abspath(__file__))
words = [word for word in sys.argv[1:] if not word.startswith("-")]
if "load" in words or "import" in words:
    if "{refusal}":
        sys.exit("Error: {refusal}")
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        found = {{one.name: tar.extractfile(one).read() for one in tar}}
    config = json.loads(found["manifest.json"])[0]["Config"].rpartition("/")[2]
    digest = json.loads(found["index.json"])["manifests"][0]["digest"]
    open(place + "/known", "w").write(config + " " + digest)
    open(place + "/called", "w").write(" ".join(sys.argv[1:]))
elif "{other}":
    print("{other}")
else:
    config, digest = open(place + "/known").read().split()
    listed = sys.argv[-1].removeprefix("name==")
    print(config if "inspect" in words else f"REF TYPE DIGEST\\n{{listed}} type {{digest}} 1 MB")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program."""
    (tmp_path / "app").write_bytes(static_program(7))
    return tmp_path


def command(place: Path, name: str, *, refusal: str = "", other: str = "") -> None:
    """Put a command of that name into the directory, which refuses, or has another image, if told so."""
    (place / name).write_text(SCRIPT.format(python=sys.executable, refusal=refusal, other=other))
    (place / name).chmod(0o755)


def loaded(place: Path, engine: str, *options: str, **environment: str) -> Ran:
    """A run that loads into that engine, with no other command than those of the directory."""
    env = {"PATH": str(place), "XDG_RUNTIME_DIR": str(place / "run"), "CONTAINER_HOST": None, **environment}
    return minpack("./app", "--load", "--engine", engine, "-t", "me/app:1", *options, cwd=place, env=env)


@pytest.mark.skipif(os.path.exists("/run/podman/podman.sock"), reason="podman's service runs here")
def test_podman_by_its_command(place: Path) -> None:
    """The summary says where the image is, and what to type."""
    command(place, "podman")
    ran = loaded(place, "podman")
    assert ran.code == 0, ran.err
    assert "loaded me/app:1 into podman\nnext: podman run --rm me/app:1\n" in ran.out.decode()
    assert (place / "called").read_text() == "load --quiet"


def test_podman_by_its_service(place: Path) -> None:
    """Where one listens, no command is called."""
    (place / "run" / "podman").mkdir(parents=True)
    with FakeEngine(place / "run" / "podman" / "podman.sock", load=(200, {"stream": "ok"}), keeps=True):
        ran = loaded(place, "podman")
    assert ran.code == 0, ran.err
    assert "loaded me/app:1 into podman" in ran.out.decode()


def test_containerd(place: Path) -> None:
    """Its address and namespace come from the variables that ctr has."""
    command(place, "ctr")
    ran = loaded(place, "containerd", "-o", "app.tar", CONTAINERD_ADDRESS="/a.sock", CONTAINERD_NAMESPACE="k8s.io")
    assert ran.code == 0, ran.err
    assert "loaded me/app:1 into containerd" in ran.out.decode()
    assert (place / "called").read_text() == "--address /a.sock --namespace k8s.io images import -"
    assert (place / "app.tar").exists()


def test_a_command_that_refuses(place: Path) -> None:
    """Its last line is the reason, and no file is written."""
    command(place, "ctr", refusal="no space")
    case = row("containerd refuses")
    assert_refused(loaded(place, "containerd", "-o", "app.tar"), case.code, case.message, case.hint)
    assert not (place / "app.tar").exists()


def test_a_command_that_has_another_image(place: Path) -> None:
    """What it has under the name afterwards is not what was sent."""
    command(place, "ctr", other="docker.io/me/app:1 type sha256:00 1")
    case = row("containerd has another image")
    assert_refused(loaded(place, "containerd"), case.code, case.message, case.hint)


def test_no_command(place: Path) -> None:
    """One has to be installed."""
    case = row("no command of the engine")
    assert_refused(loaded(place, "containerd"), case.code, case.message, case.hint)


#: Runs minpack where nothing answers at Docker's socket, and this directory has all commands that there are.
WITHOUT_DOCKER = """
[ ! -S /var/run/docker.sock ] || mount --bind /dev/null /var/run/docker.sock
unset DOCKER_HOST CONTAINER_HOST
export XDG_RUNTIME_DIR="$PWD" PATH="$PWD"
exec "$@"
"""


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_podman_where_no_docker_answers(place: Path) -> None:
    """Whoever names no engine gets the one that is there."""
    command(place, "podman")
    (place / "without-docker").write_text(WITHOUT_DOCKER)
    script = f'exec {need_tool("unshare")} --mount sh without-docker "$@"'
    ran = in_shell(script, "./app", "--load", "-t", "me/app:1", cwd=place)
    assert (ran.code, b"into podman" in ran.out) == (0, True), ran.err


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_the_real_podman(tmp_path: Path) -> None:
    """It has the image by its full name afterwards."""
    podman, name = need_tool("podman"), f"minpack-test/{uuid.uuid4().hex}:1"
    write_program(tmp_path / "app")
    ran = minpack("./app", "--load", "--engine", "podman", "-t", name, "-q", cwd=tmp_path)
    assert (ran.code, ran.out.decode()) == (0, f"{name}\n"), ran.err
    done = subprocess.run([podman, "image", "rm", f"docker.io/{name}"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_the_real_containerd(tmp_path: Path) -> None:
    """The one that Docker's engine brings, where it does."""
    address = "/run/docker/containerd/containerd.sock"
    if not os.path.exists(address):
        pytest.skip("Docker's engine runs no containerd of its own")
    need_tool("ctr")
    name = f"minpack-test/{uuid.uuid4().hex}:1"
    write_program(tmp_path / "app")
    env = {"CONTAINERD_ADDRESS": address, "CONTAINERD_NAMESPACE": "minpack-test"}
    ran = minpack("./app", "--load", "--engine", "containerd", "-t", name, "-q", cwd=tmp_path, env=env)
    assert (ran.code, ran.out.decode()) == (0, f"{name}\n"), ran.err
    ctr = [shutil.which("ctr") or "", "--address", address, "--namespace", "minpack-test", "images"]
    done = subprocess.run([*ctr, "rm", f"docker.io/{name}"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
