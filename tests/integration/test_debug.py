"""Images of every kind are debugged in real engines: a shell in them, or tools beside a container that runs.

The shell is that of a real Alpine. What traces is a small program with a library, from packages that the test makes;
strace itself has a test with the marker for what must be built.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from support.apkmaker import Made, file, make_package, publish
from support.cc import Compiler
from support.command import COMMAND, environment, minpack
from support.mirror import Mirror
from support.registries import need_built
from support.repository import KEY
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from support.docker import Docker

pytestmark = pytest.mark.engine
#: A program that does something each moment.
APP = """
#include <fcntl.h>
#include <unistd.h>
int main(void) { for (;;) { int f = open("/etc/passwd", O_RDONLY); close(f); usleep(20000); } }
"""
#: Says which calls of the kernel a process makes, by number: as strace does.
TRACER = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
const char *name_of(long number);
int main(int count, char **words) {
    int status, pid = atoi(words[1]);
    if (ptrace(PTRACE_ATTACH, pid, 0, 0)) { perror("attach"); return 1; }
    waitpid(pid, &status, 0);
    for (int at = 0; at < 40; at++) {
        struct user_regs_struct found;
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        waitpid(pid, &status, 0);
        ptrace(PTRACE_GETREGS, pid, 0, &found);
        puts(name_of(found.orig_rax));
    }
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return 0;
}
"""
NAMES = 'const char *name_of(long n) { return n == 2 ? "open" : n == 257 ? "openat" : n == 3 ? "close" : "other"; }'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Generator[Path]:
    """A directory with an image of each kind of program, and the tools of a real Alpine as tools.tar.gz.

    No other process that runs tests has the images' names: one that removes its images would take ours.
    """
    path = tmp_path_factory.mktemp("debugged")
    base = data / "bases" / "alpine-minirootfs-3.20.3-x86_64.tar.gz"
    (path / "tools.tar.gz").symlink_to(base)
    unique, names = uuid.uuid4().hex, []
    for name, compiler, flags, options in (
        ("glibc", "gcc", (), ("--base", "/")),
        ("musl", "musl-gcc", (), ("--base", "tools.tar.gz")),
        ("static", "gcc", ("-static",), ()),
    ):
        built = Compiler(path, compiler).program(name, APP, *flags)
        names.append(f"minpack-test/{unique}:{name}")
        ran = minpack(f"./{built.name}", *options, "-t", names[-1], "-o", f"{name}.tar", "--dest", "/app", cwd=path)
        assert ran.code == 0, ran.err
    yield path
    subprocess.run([need_tool("docker"), "rmi", "-f", *names], check=False, capture_output=True)


@pytest.fixture(scope="module")
def packages(place: Path) -> Generator[tuple[str, ...]]:
    """The options by which tools come from packages of the test's own: a tracer, and the library that it needs."""
    musl = Compiler(place, "musl-gcc")
    names = musl.make_library("libnames.so.1", NAMES)
    tracer = musl.program("tracer", TRACER, str(names))
    made = (
        make_package(
            *("tracer", "1.0-r0", [file("usr/bin/tracer", tracer.read_bytes(), 0o755)]),
            keys=(KEY,),
            depends="so:libnames.so.1 so:libc.musl-x86_64.so.1",
        ),
        make_package(
            *("names", "1.0-r0", [file("usr/lib/libnames.so.1", names.read_bytes(), 0o755)]),
            keys=(KEY,),
            provides="so:libnames.so.1=1",
        ),
    )
    with Mirror() as mirror:
        yield served(place, mirror, made)


def served(place: Path, mirror: Mirror, made: Sequence[Made]) -> tuple[str, ...]:
    """The options by which packages come from a server, which has these."""
    publish(mirror, "/alpine/v3.20/main", made, keys=(KEY,))
    publish(mirror, "/alpine/v3.20/community", (), keys=(KEY,))
    (place / "keys").mkdir(exist_ok=True)
    (place / "keys" / KEY.name).write_bytes(KEY.public.pem)
    return ("--mirror", f"{mirror.url}/alpine", "--keys", "keys")


def debug(place: Path, *arguments: str) -> str:
    """What `minpack debug` prints, of tools of the real Alpine."""
    ran = minpack("debug", *arguments, "--tools-base", "tools.tar.gz", cwd=place)
    assert ran.code == 0, ran.err
    return ran.out.decode()


def beside(place: Path, container: str, script: str, *options: str) -> str:
    """What the shell beside a container prints for a script."""
    command = (*COMMAND, "debug", "--attach", container, "--exec", "-q", "--tools-base", "tools.tar.gz", *options)
    done = subprocess.run(
        command, cwd=place, env=environment({}), input=script, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["glibc", "musl", "static"])
def test_a_shell_is_in_the_image(kind: str, place: Path, docker: Docker) -> None:
    """As the image's user, beside its program, whose layers are as they were."""
    name, below = docker.name(), docker.name()
    debug(place, f"{kind}.tar", "--load", "-t", name)
    script = "id -u; /app & sleep 0.1; ps; readlink /proc/$!/exe; wc -c < /proc/$!/root/app; ls /nowhere; exit 7"
    ran = docker.run(name, "-c", script, status=7)
    assert ran.stdout.startswith("65532\n")
    assert " /app\n" in ran.stdout
    assert f"\n/app\n{(place / kind).stat().st_size}\n" in ran.stdout
    assert "ls: /nowhere: No such file or directory" in ran.stderr
    (loaded,) = docker.load(place / f"{kind}.tar")
    docker.call("tag", loaded, below)
    layers = docker.inspect(name)["RootFS"]["Layers"]
    assert layers[:-1] == docker.inspect(below)["RootFS"]["Layers"]


@pytest.mark.parametrize("kind", ["glibc", "static"])
def test_tools_are_beside_a_container(kind: str, place: Path, docker: Docker, packages: tuple[str, ...]) -> None:
    """They see its processes and its files, whoever its user is, and trace its program."""
    name, container = docker.name(), f"minpack-test-{uuid.uuid4().hex}"
    (loaded,) = docker.load(place / f"{kind}.tar")
    docker.call("tag", loaded, name)
    docker.call("run", "-d", "--name", container, "--network", "none", name)
    try:
        script = "ps; wc -c < /proc/1/root/app; echo from tools > /proc/1/root/tmp/x; tracer 1"
        said = beside(place, container, script, "--tools", "tracer", "-t", docker.name(), *packages)
        assert " /app\n" in said
        assert f"\n{(place / kind).stat().st_size}\n" in said
        assert {"openat", "close"} <= set(said.splitlines())
        assert docker.call("cp", f"{container}:/tmp/x", "-").stdout.find("from tools") > 0
        assert docker.call("inspect", "-f", "{{.State.Running}}", container).stdout == "true\n"
    finally:
        docker.call("rm", "-f", container)


def test_what_attaches_is_printed(place: Path, docker: Docker) -> None:
    """The one command, as a line that a shell takes; the image that it starts is loaded."""
    name = docker.name()
    said = debug(place, "--attach", "web", "-t", name, "-q")
    options = "--pid=container:web --network=container:web --cap-add=SYS_PTRACE --user=0:0"
    assert said == f"docker run --rm -it {options} {name}\n"
    assert docker.inspect(name)["Config"]["Entrypoint"] == ["/.debug/bin/sh"]


def test_a_command_that_is_not_there_is_told(place: Path, docker: Docker) -> None:
    """Once all is made: what is there then is enough to attach by hand."""
    (place / "only").mkdir(exist_ok=True)
    command = ("debug", "--attach", "web", "--exec", "--tools-base", "tools.tar.gz", "-t", docker.name())
    ran = minpack(*command, cwd=place, env={"PATH": str(place / "only")})
    assert ran.code == 1
    assert "cannot run docker: No such file or directory" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="podman of a user has a store of its own, which may not be set up")
def test_podman_has_its_container(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --engine podman."""
    # Its own limits are more than some machines give (containers.conf(5), "default_ulimits").
    (tmp_path / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=512:512"]\n')
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    podman, unique = need_tool("podman"), uuid.uuid4().hex
    names = [f"localhost/minpack-test/{unique}:{tag}" for tag in ("1", "2")]
    ran = minpack("./musl", "--base", "tools.tar.gz", "--load", "--engine", "podman", "-t", names[0], cwd=place)
    assert ran.code == 0, ran.err
    try:
        subprocess.run([podman, "run", "-d", "--name", unique, "--network", "none", names[0]], check=True)
        said = beside(place, unique, "ps; ls /proc/1/root/etc", "--engine", "podman", "-t", names[1])
        assert " /usr/local/bin/musl\n" in said
        assert "\npasswd\n" in said
    finally:
        subprocess.run([podman, "rm", "-f", "-t", "0", unique], check=False, capture_output=True)
        subprocess.run([podman, "rmi", "-f", *names], check=False, capture_output=True)


def test_a_pod_gets_the_tools_from_a_registry(place: Path, tmp_path: Path) -> None:
    """Kubectl is given what was pushed, by its digest."""
    from support.fakeregistry import FakeRegistry

    said = tmp_path / "said"
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    kubectl.chmod(0o755)
    with FakeRegistry() as registry:
        name = f"{registry.host}/me/tools:1"
        options = ("-t", name, "--push", "--exec", "--tools-base", "tools.tar.gz")
        path = f"{tmp_path}:{os.environ['PATH']}"
        ran = minpack("debug", "--attach", "prod/pod/web/app", *options, cwd=place, env={"PATH": path})
        assert ran.code == 0, ran.err
        digest = registry.tagged["me/tools", "1"]
    for _ in range(100):
        if said.exists():
            break
        time.sleep(0.05)
    words = ["debug", "-i", "--namespace", "prod", "pod/web", "--image", f"{registry.host}/me/tools@{digest}"]
    assert said.read_text().splitlines() == [*words, "--target", "app", "--profile", "general"]


@pytest.mark.oracle
def test_strace_runs_on_a_container(place: Path, docker: Docker) -> None:
    """Itself, from a package with it as it was built for musl."""
    strace = need_built("strace-musl")
    with open(strace, "rb") as program:
        item = file("usr/bin/strace", program.read(), 0o755)
    name, container = docker.name(), f"minpack-test-{uuid.uuid4().hex}"
    (loaded,) = docker.load(place / "glibc.tar")
    docker.call("tag", loaded, name)
    docker.call("run", "-d", "--name", container, "--network", "none", name)
    try:
        with Mirror() as mirror:
            options = served(place, mirror, [make_package("strace", "6.1-r0", [item], keys=(KEY,))])
            script = "timeout 1 strace -e trace=openat -p 1 2>&1 | head -3"
            said = beside(place, container, script, "--tools", "strace", "-t", docker.name(), *options)
    finally:
        docker.call("rm", "-f", container)
    assert 'openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3\n' in said
