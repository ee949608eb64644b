"""What `minpack deployment` prints runs the image: podman plays that of Kubernetes, docker-compose that of Compose."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.cc import Compiler
from support.packing import minpack
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.docker import Docker

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.usefixtures("root")]

#: Says as whom and with which rights it runs, writes to directories, and waits for the signal to stop.
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void stopped(int number) { printf("signal %d\n", number); fflush(stdout); _exit(0); }
int main(int count, char **words) {
    char text[4096];
    const char *places[] = {getenv("HOME"), "/data", "/logs", "/tmp", "/work", "/etc"};
    signal(SIGINT, stopped); signal(SIGTERM, stopped);
    printf("%d:%d", getuid(), getgid());
    for (int at = 0; at < 6; at++) {
        snprintf(text, sizeof text, "%s/new", places[at]);
        FILE *file = fopen(text, "w");
        printf(" %s=%s", places[at], file && fputs("x", file) >= 0 && !fclose(file) ? "yes" : "no");
    }
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(text, sizeof text, status)) {
        char *name = strtok(text, ":"), *value = strtok(0, "\t\n");
        if (strstr(" CapEff CapBnd NoNewPrivs Seccomp ", name) && strlen(name) > 5) printf(" %s", value);
    }
    puts("");
    fflush(stdout);
    pause();
    return 0;
}
"""
#: What no other process has called so.
NAME = f"web{os.getpid()}"
WRITTEN = "65532:65532 /home/nonroot=yes /data=yes /logs=yes /tmp=yes /work=yes /etc=no"
NOTHING = "0000000000000000"
#: CAP_NET_BIND_SERVICE.
BIND = "0000000000000400"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the program."""
    Compiler(tmp_path).program("program", SOURCE, "-static")
    return tmp_path


def image(place: Path, name: str, *more: str) -> str:
    """The archive of an image that writes to a few directories."""
    kept = ("--any-user", "-w", "/work", "--volume", "/data", "--dir", "/logs", "--stop-signal", "INT")
    minpack("./program", *kept, "-t", name, "-o", "image.tar", *more, cwd=place)
    return "image.tar"


def printed(place: Path, *arguments: str) -> Path:
    """The file with what the command prints, by itself: podman builds what has the image's name beside it."""
    (place / "here").mkdir(exist_ok=True)
    path = place / "here" / f"{len(os.listdir(place / 'here'))}.yaml"
    path.write_text(minpack("deployment", "image.tar", *arguments, cwd=place).stdout)
    return path


def call(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What a command printed."""
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


def awaited(said: Callable[[], str]) -> str:
    """The first line of what is said, once it is."""
    until = time.monotonic() + 30
    while not (text := said()) and time.monotonic() < until:
        time.sleep(0.1)
    return text


@pytest.fixture
def podman(place: Path) -> Iterator[Callable[..., str]]:
    """Calls podman, which asks for no more than this machine has."""
    tool = need_tool("podman")
    (place / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    env = {**os.environ, "CONTAINERS_CONF": str(place / "containers.conf")}
    (place / "here").mkdir()

    def called(*words: str | Path) -> str:
        return call(tool, *words, cwd=place / "here", env=env)

    yield called
    subprocess.run((tool, "rmi", "-f", f"docker.io/minpack-test/{NAME}:1"), capture_output=True, check=False, env=env)


@pytest.mark.parametrize(
    ("kind", "container"),
    [("pod", f"{NAME}-{NAME}"), ("deployment", f"{NAME}-pod-0-{NAME}")],
    ids=["pod", "deployment"],
)
def test_kubernetes(place: Path, podman: Callable[..., str], kind: str, container: str) -> None:
    """As its user, with a read-only root, without capabilities, with the default filter of system calls."""
    image(place, f"minpack-test/{NAME}:1")
    podman("load", "-q", "-i", place / "image.tar")
    document = printed(place, "--for", "kubernetes", "--kind", kind, "--name", NAME)
    try:
        podman("play", "kube", "--network", "none", document)
        assert awaited(lambda: podman("logs", container)) == f"{WRITTEN} {NOTHING} {NOTHING} 1 2\n"
        podman("stop", container)
        assert podman("logs", container).endswith("\nsignal 2\n")
    finally:
        podman("play", "kube", "--down", document)


def test_kubernetes_with_capabilities(place: Path, podman: Callable[..., str]) -> None:
    """The capability of the program's file is its own, and nothing else is."""
    call(need_tool("setcap"), "cap_net_bind_service=ep", place / "program", cwd=place)
    image(place, f"minpack-test/{NAME}:1")
    podman("load", "-q", "-i", place / "image.tar")
    document = printed(place, "--for", "kubernetes", "--kind", "pod", "--name", NAME)
    try:
        podman("play", "kube", "--network", "none", document)
        assert awaited(lambda: podman("logs", f"{NAME}-{NAME}")) == f"{WRITTEN} {BIND} {BIND} 0 2\n"
    finally:
        podman("play", "kube", "--down", document)


@pytest.mark.parametrize("capable", [False, True], ids=["plain", "capable"])
def test_compose(place: Path, docker: Docker, *, capable: bool) -> None:
    """The same in an engine: of a volume the content and the owner are the image's."""
    tool, name = need_tool("docker-compose"), docker.name()
    if capable:
        call(need_tool("setcap"), "cap_net_bind_service=ep", place / "program", cwd=place)
    image(place, name)
    docker.load(place / "image.tar")
    document = printed(place, "--for", "compose", "--name", "web")
    (place / "none.yaml").write_text("services: {web: {network_mode: none}}\n")
    project = (tool, "-p", name[13:25], "-f", document, "-f", place / "none.yaml")
    try:
        call(*project, "up", "-d", cwd=place)
        said = awaited(lambda: call(*project, "logs", "--no-color", "--no-log-prefix", cwd=place))
        expected = f"{WRITTEN} {BIND} {BIND} 0 2" if capable else f"{WRITTEN} {NOTHING} {NOTHING} 1 2"
        assert expected in said
        call(*project, "stop", cwd=place)
        assert "signal 2" in call(*project, "logs", "--no-color", cwd=place)
    finally:
        call(*project, "down", "-v", cwd=place)


def test_compose_takes_everything_that_is_printed(place: Path) -> None:
    """Its own reader finds no fault, and reads what was meant."""
    image(place, "me/app:1", "--expose", "53/udp", "--expose", "8080")
    document = printed(place, "--for", "compose")
    read: dict[str, Any] = yaml.safe_load(call(need_tool("docker-compose"), "-f", document, "config", cwd=place))
    assert read["services"]["app"]["image"] == "docker.io/me/app:1"
    assert [str(port) for port in read["services"]["app"]["ports"]]
    assert list(read["volumes"]) == ["app-data"]
