"""Health checks, from the option to what an engine says of a container."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import read_all
from minpack.embedded.probe import probe
from minpack.target import Platform
from support.cc import Compiler
from support.healthservers import NOT_SERVING, SERVING, grpc_health, recorded, request_of, serving
from support.packing import minpack, packed, write_program

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from support.docker import Docker

#: Listens at a port of the loopback interface, answers each request with the bytes that its second argument has in
#: hexadecimal; with "health" it says by its exit code what its third argument says.
SERVER = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static unsigned char answer[65536], request[65536];
  size_t size = 0;
  if (!strcmp(argv[1], "health")) return atoi(argv[2]);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (char *hex = argv[2]; hex && hex[0] && hex[1]; hex += 2) {
    char digits[3] = {hex[0], hex[1], 0};
    answer[size++] = strtol(digits, 0, 16);
  }
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&at, sizeof at)) return 13;
  if (argc < 3) return 0;
  listen(listener, 16);
  for (;;) {
    int one = accept(listener, 0, 0);
    if (read(one, request, sizeof request) > 0) {
      write(one, answer, size);
      shutdown(one, SHUT_WR);
      while (read(one, request, sizeof request) > 0);
    }
    close(one);
  }
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server above, a static program."""
    return Compiler(tmp_path_factory.mktemp("server")).program("server", SERVER, "-static")


def health_in(docker: Docker, *arguments: str | Path, start: str = "10s", wait: float = 30) -> dict[str, Any]:
    """What the engine says of the health of a container of the image that these pack."""
    name = docker.name()
    every = ("--health-interval=100ms", "--health-retries=2", f"--health-start-period={start}")
    minpack(*arguments, *every, "-t", name, "--load", "-q")
    container = docker.call("run", "-d", "--network=none", name).stdout.strip()
    try:
        until = time.monotonic() + wait
        while time.monotonic() < until:
            state = json.loads(docker.call("inspect", container).stdout)[0]["State"]
            assert state["Running"], state
            if state["Health"]["Status"] != "starting":
                break
            time.sleep(0.1)
        assert isinstance(state["Health"], dict)
        return state["Health"]
    finally:
        docker.call("rm", "-f", container)


def said(health: dict[str, Any]) -> tuple[str, str]:
    """The state, and what the probe said last."""
    return health["Status"], health["Log"][-1]["Output"].removesuffix("\n")


def grpc_answer(status: int, tmp_path: Path) -> bytes:
    """What a real gRPC server answers to the probe, word by word."""
    content = probe(Platform("linux", "amd64"))
    assert content is not None
    path = tmp_path / "probe"
    path.write_bytes(read_all(content, 1 << 20))
    path.chmod(0o755)
    seen: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        seen.append(request_of(connection))

    with serving(listen) as port:
        subprocess.run([path, f"grpc://:{port}"], check=False, capture_output=True)
    with grpc_health(whole=status) as port:
        return recorded(port, seen[0])


@pytest.mark.engine
@pytest.mark.tool
@pytest.mark.parametrize(
    ("url", "answer", "expected"),
    [
        ("http://:8080/healthz", b"HTTP/1.1 200 OK\r\n\r\n", ("healthy", "HTTP status 200")),
        ("http://:8080/healthz", b"HTTP/1.1 503 No\r\n\r\n", ("unhealthy", "HTTP status 503")),
        ("tcp://:8080", b"", ("healthy", "connected")),
        ("tcp://:8081", b"", ("unhealthy", "connection refused: nothing listens there")),
        ("grpc://:8080", SERVING, ("healthy", "SERVING")),
        ("grpc://:8080", NOT_SERVING, ("unhealthy", "NOT_SERVING")),
        ("exec:/usr/local/bin/server health 0", b"", ("healthy", "")),
        ("exec:server health 1", b"", ("unhealthy", "")),
    ],
    ids=("http", "http 503", "tcp", "tcp refused", "grpc", "grpc not serving", "exec", "exec fails"),
)
def test_an_engine_says_it(
    url: str, answer: bytes | int, expected: tuple[str, str], server: Path, docker: Docker, tmp_path: Path
) -> None:
    """Each kind, healthy and not: failures during the start do not count, and the time after it is not waited for."""
    data = answer if isinstance(answer, bytes) else grpc_answer(answer, tmp_path)
    start = "10s" if expected[0] == "healthy" else "1ms"
    health = health_in(docker, server, "--health", url, "--cmd=8080", f"--cmd={data.hex() or '00'}", start=start)
    assert said(health) == expected


@pytest.mark.engine
def test_what_an_engine_reads(docker: Docker, tmp_path: Path) -> None:
    """The configuration that Docker shows has what was asked for."""
    name = docker.name()
    times = ("--health-interval=1m", "--health-timeout=2s", "--health-start-period=3s", "--health-retries=4")
    minpack(write_program(tmp_path / "app"), "--health=tcp://:80", *times, "-t", name, "--load", "-q")
    assert docker.inspect(name)["Config"]["Healthcheck"] == {
        "Test": ["CMD", "/.minpack/probe", "tcp://:80", "2000"],
        "Interval": 60 * 10**9,
        "Timeout": 2 * 10**9,
        "StartPeriod": 3 * 10**9,
        "Retries": 4,
    }


def run_lines(*arguments: str | Path) -> list[str]:
    """What a pack with -v prints."""
    return minpack(*arguments, "--dry-run", "-v").stdout.splitlines()


def yaml_of(*arguments: str | Path) -> list[str]:
    """The probe of Kubernetes that a pack with -v prints."""
    lines = run_lines(*arguments)
    start = lines.index("# for a container of Kubernetes")
    return lines[start + 1 : lines.index("", start)]


TIMES = ["  periodSeconds: 30", "  timeoutSeconds: 30", "  failureThreshold: 3"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://:80", ["  httpGet:", '    path: "/"', "    port: 80"]),
        ("tcp://:80", ["  tcpSocket:", "    port: 80"]),
        ("grpc://:80", ["  grpc:", "    port: 80"]),
        ("grpc://:80/a.B", ["  grpc:", "    port: 80", '    service: "a.B"']),
        ("exec:app 'a \"b'", ["  exec:", '    command: ["app", "a \\"b"]']),
        # The kubelet asks from outside, and what listens there it cannot reach.
        ("tcp://127.0.0.1:80", ["  exec:", '    command: ["/.minpack/probe", "tcp://127.0.0.1:80"]']),
    ],
)
def test_the_probe_of_kubernetes(url: str, expected: list[str], tmp_path: Path) -> None:
    """It asks the same, as Kubernetes itself can."""
    app = write_program(tmp_path / "app")
    assert yaml_of(app, "--health", url) == ["readinessProbe:", *expected, *TIMES]


def test_times_of_kubernetes(tmp_path: Path) -> None:
    """Whole seconds, and a startup probe for Docker's start period."""
    app = write_program(tmp_path / "app")
    times = ("--health-interval=1500ms", "--health-timeout=1s", "--health-retries=9")
    start = ("--health-start-period=61s", "--health-start-interval=2s")
    assert yaml_of(app, "--health=tcp://:1", *times, *start) == [
        *("readinessProbe:", "  tcpSocket:", "    port: 1"),
        *("  periodSeconds: 2", "  timeoutSeconds: 1", "  failureThreshold: 9"),
        *("startupProbe:", "  tcpSocket:", "    port: 1"),
        *("  periodSeconds: 2", "  timeoutSeconds: 1", "  failureThreshold: 31"),
    ]


def test_the_probe_is_a_file_like_any_other(tmp_path: Path) -> None:
    """It has a reason, a size and a sum, and who runs it is told."""
    app = write_program(tmp_path / "app")
    document = packed(app, "--health=tcp://:80", "-o", tmp_path / "out.tar")
    (file,) = (one for one in document["files"] if one["path"] == "/.minpack/probe")
    content = probe(Platform("linux", "amd64"))
    assert content is not None
    assert (file["mode"], file["uid"], file["size"], file["from"]) == ("0755", 0, content.size, "default")
    assert file["reason"]["kind"] == "health"
    assert file["reason"]["text"] == "asks tcp://:80 for --health"
    assert document["config"]["health"] == {
        "test": ["CMD", "/.minpack/probe", "tcp://:80"],
        **dict.fromkeys(("interval", "timeout", "start_period", "start_interval", "retries")),
    }
    done = minpack(app, "--health=tcp://:80", "-o", tmp_path / "out.tar")
    assert any(line.split()[:2] == ["health", "probe"] for line in done.stdout.splitlines())
    assert "podman runs it only in images in Docker's own format" in done.stderr
    assert packed(app, "-o", tmp_path / "plain.tar")["config"]["health"] is None


@pytest.mark.parametrize(
    ("status", "arguments", "text"),
    [
        (3, ("--health=exec:/bin/none",), "cannot run the health check '/bin/none': the image has no such file"),
        (3, ("--health=exec:none x",), "cannot run the health check 'none': it is not in PATH"),
        (3, ("--health=tcp://:80", "--dir=/.minpack:0700:0:0"), "65532:65532 may not enter '/.minpack' (mode 0700)"),
        (2, ("--health=none",), "there is no image below with a health check to remove"),
        (2, ("--health-timeout=1s",), "cannot use --health-timeout: there is no health check to configure"),
        (2, ("--health=tcp://:80", "--health-start-interval=1s"), "without a start period it is never used"),
        (2, ("--health=tcp://:80", "--format=rootfs"), "cannot use --health: --format rootfs writes the bare files"),
    ],
)
def test_what_cannot_work_is_refused(status: int, arguments: tuple[str, ...], text: str, tmp_path: Path) -> None:
    """Before anything is written."""
    done = minpack(write_program(tmp_path / "app"), *arguments, "-o", tmp_path / "out", status=status)
    assert text in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_platform_without_a_probe(tmp_path: Path) -> None:
    """It is said, with what works there too."""
    app = write_program(tmp_path / "app")
    data = bytearray(app.read_bytes())
    # elf(5), e_machine: Alpha.
    data[18:20] = b"\x26\x90"
    app.write_bytes(data)
    done = minpack(app, "--health=tcp://:80", "-o", tmp_path / "out.tar", status=2)
    assert "cannot use --health 'tcp://:80': minpack has no health probe for linux/alpha" in done.stderr
    assert "exec:PROGRAM" in done.stderr


def test_check_runs_it(tmp_path: Path) -> None:
    """`minpack check` sees that the probe is there, and that what it is to be run by can be run."""
    app = write_program(tmp_path / "app")
    minpack(app, "--health=tcp://:80", "-o", tmp_path / "out.tar", "-q")
    document = json.loads(minpack("check", tmp_path / "out.tar", "--json").stdout)
    assert [one for one in document["images"][0]["findings"] if one["code"] == "health-check"] == []
