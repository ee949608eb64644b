"""The health probe: its programs are those of its source, and it says of servers what they say of themselves."""

from __future__ import annotations

import hashlib
import platform
import random
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import hpack
import pytest

from minpack.content import read_all
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.embedded import probe as embedded
from minpack.embedded.probe import ARCHITECTURES, probe
from minpack.target import Platform, parse_platform
from support.grpcanswers import ANSWERS, END, FIRST, FRAME_SETTINGS, MESSAGE, STRANGE, frame, headers
from support.healthservers import NOT_SERVING, SERVING, canned, grpc_health, recorded, request_of, serving
from support.tools import need_tool

if TYPE_CHECKING:
    import socket

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(embedded.__file__).parent / "probes"
#: The names that qemu has for architectures, where they are others.
QEMU = {
    "386": "i386",
    "arm64": "aarch64",
    "arm64be": "aarch64_be",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
    "mipsle": "mipsel",
    "riscv": "riscv32",
}
FOREIGN = sorted(set(ARCHITECTURES) - {"amd64"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_programs_are_what_their_source_gives() -> None:
    """Each program and each file of the source has the sum of the last build: `make probe` builds, CI compares."""
    lines = (PROGRAMS / "SHA256SUMS").read_text().splitlines()
    sums = {name: total for total, _, name in (line.partition("  ") for line in lines)}
    files = {name: PROGRAMS / name for name in ARCHITECTURES}
    files |= {f"src/probe/{path.name}": path for path in (ROOT / "src/probe").iterdir() if path.is_file()}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == sums
    assert {path.name for path in PROGRAMS.iterdir()} == {*ARCHITECTURES, "SHA256SUMS"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_program_is_small_and_static(architecture: str) -> None:
    """It is of its platform, needs no loader, and has a few kilobytes."""
    content = probe(Platform("linux", architecture))
    assert content is not None
    info = read_elf(content, architecture)
    assert (info.kind, info.interpreter) == (ElfKind.STATIC, None)
    assert info.target.platform is not None
    assert info.target.platform.architecture == architecture
    assert content.size < 16_000


@pytest.mark.parametrize(("name", "has"), [("arm/v6", True), ("amd64/v3", True), ("alpha", False), ("s390", False)])
def test_platforms_have_one_or_none(name: str, *, has: bool) -> None:
    """Variants have that of their architecture; what no compiler here builds for has none."""
    assert (probe(parse_platform(name)) is not None) == has


def test_kernels_of_x32_run_that_of_amd64() -> None:
    """It is of no use to build another one."""
    one, other = (probe(Platform("linux", name)) for name in ("amd64p32", "amd64"))
    assert one is not None
    assert other is not None
    assert read_all(one, 1 << 20) == read_all(other, 1 << 20)


class Probe:
    """The probe of an architecture, run on this host."""

    def __init__(self, directory: Path, architecture: str) -> None:
        content = probe(Platform("linux", architecture))
        assert content is not None
        path = directory / "probe"
        path.write_bytes(read_all(content, 1 << 20))
        path.chmod(0o755)
        native = architecture == "amd64" and platform.machine() == "x86_64"
        qemu = () if native else (need_tool(f"qemu-{QEMU.get(architecture, architecture)}-static"),)
        self._command = (*qemu, str(path))

    def ask(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what it says."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False, timeout=60)
        assert done.stderr == ""
        return done.returncode, done.stdout.removesuffix("\n")


@pytest.fixture
def native(tmp_path: Path) -> Probe:
    """That of amd64."""
    return Probe(tmp_path, "amd64")


@pytest.mark.tool
@pytest.mark.parametrize("architecture", FOREIGN)
def test_foreign_programs_ask(architecture: str, tmp_path: Path) -> None:
    """Under emulation each asks HTTP, TCP and gRPC, by IPv4 and IPv6, and gives up in time."""
    asking = Probe(tmp_path, architecture)
    with (
        serving(canned(OK)) as port,
        serving(canned(OK), "::1") as six,
        grpc_health(whole=SERVING, bad=NOT_SERVING) as rpc,
    ):
        assert asking.ask(f"http://:{port}/x") == (0, "HTTP status 200")
        assert asking.ask(f"http://[::1]:{six}/x") == (0, "HTTP status 200")
        assert asking.ask(f"tcp://:{port}") == (0, "connected")
        assert asking.ask(f"grpc://:{rpc}") == (0, "SERVING")
        assert asking.ask(f"grpc://:{rpc}/bad") == (1, "NOT_SERVING")
    assert asking.ask(f"tcp://:{port}") == (1, "connection refused: nothing listens there")
    with serving(lambda connection: time.sleep(1)) as silent:
        assert asking.ask(f"http://:{silent}/", "50") == (1, "no answer in time")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.0 204 No Content\r\n\r\n", (0, "HTTP status 204")),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", (0, "HTTP status 302")),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", (1, "HTTP status 404")),
        (b"HTTP/1.1 503\n\n", (1, "HTTP status 503")),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", (1, "HTTP status 101")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            (0, "HTTP status 200"),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000, (0, "HTTP status 200")),
        (b"", (1, "the server closed the connection without an answer")),
        (b"HTTP/1.1 20", (1, "the server closed the connection without an answer")),
        (b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 300_000, (1, "the answer is too long")),
        (b"\x15\x03\x01\0\x02\x02\x50", (1, "the answer is not HTTP/1: is it TLS, which the probe does not speak?")),
        (b"HTTP/2 200\r\n\r\n", (1, "the answer is not HTTP/1: is it TLS, which the probe does not speak?")),
        (b"HTTP/1.1 2000\r\n\r\n", (1, "the answer is not HTTP/1: is it TLS, which the probe does not speak?")),
        (b"HTTP/1.1 099 x\r\n\r\n", (1, "the answer is not HTTP/1: is it TLS, which the probe does not speak?")),
    ],
    ids=range(14),
)
@pytest.mark.tool
def test_http(answer: bytes, expected: tuple[int, str], native: Probe) -> None:
    """The last status counts; below 200 and from 400 on it is not healthy."""
    with serving(canned(answer, pieces=1 if len(answer) > 1000 else len(answer) or 1)) as port:
        assert native.ask(f"http://:{port}/healthz") == expected


@pytest.mark.tool
def test_what_is_sent_by_http(native: Probe) -> None:
    """A request that any server takes, which names the host as it was named, and ends the connection."""
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(request_of(connection))
        connection.sendall(OK)

    with serving(answer) as port:
        native.ask(f"http://:{port}")
        native.ask(f"http://127.0.0.1:{port}/a?b=%20")
    rest = "\r\nUser-Agent: minpack-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    assert [one.decode() for one in seen] == [
        f"GET / HTTP/1.1\r\nHost: localhost:{port}{rest}",
        f"GET /a?b=%20 HTTP/1.1\r\nHost: 127.0.0.1:{port}{rest}",
    ]


@pytest.mark.tool
def test_localhost_is_asked_by_both(native: Probe) -> None:
    """A server that listens on IPv6 alone is found without a host, and with IPv4's address it is not."""
    with serving(canned(OK), "::1") as port:
        assert native.ask(f"http://:{port}") == (0, "HTTP status 200")
        assert native.ask(f"tcp://localhost:{port}") == (0, "connected")
        assert native.ask(f"tcp://127.0.0.1:{port}") == (1, "connection refused: nothing listens there")


@pytest.mark.tool
def test_a_server_that_does_not_close_is_not_waited_for(native: Probe) -> None:
    """The rest of an answer takes a part of the time that is left, so that no engine ends the probe meanwhile."""

    def keep(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.recv(1)

    with serving(keep) as port:
        started = time.monotonic()
        assert native.ask(f"http://:{port}/", "3600") == (0, "HTTP status 200")
        assert 0.5 < time.monotonic() - started < 2.7


@pytest.mark.tool
def test_a_server_that_drips_is_given_up(native: Probe) -> None:
    """The time is that of all: a byte now and then does not extend it."""

    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 100 x\r\n" * 100:
            connection.sendall(bytes((byte,)))
            time.sleep(0.02)

    started = time.monotonic()
    with serving(drip) as port:
        assert native.ask(f"http://:{port}/", "300") == (1, "no answer in time")
    assert time.monotonic() - started < 10


@pytest.mark.tool
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("http://:80", "x"),
        ("http://:80", "1", "2"),
        ("http://:80", "1000000001"),
        *((url,) for url in ("https://:1", "http://", "http://:0", "http://:65536", "http://:1x", "tcp://:1/x")),
        *((url,) for url in ("http://a:1", "http://1.2.3:1", "http://1.2.3.256:1", "http://:1/a b", "grpc://[::2]:1")),
        (f"http://:1/{'x' * 1024}",),
    ],
    ids=range(16),
)
def test_what_cannot_be_asked_is_refused(arguments: tuple[str, ...], native: Probe) -> None:
    """It says how it is used, and is not healthy."""
    code, text = native.ask(*arguments)
    assert (code, text.partition(" ")[0]) == (1, "usage:")


@pytest.mark.tool
def test_grpc_of_a_real_server(native: Probe) -> None:
    """As Google's library answers, of the server and of services with short and long names."""
    long = "x" * 900
    with grpc_health(whole=SERVING, bad=NOT_SERVING, **{long: SERVING}) as port:
        assert native.ask(f"grpc://:{port}") == (0, "SERVING")
        assert native.ask(f"grpc://:{port}/bad") == (1, "NOT_SERVING")
        assert native.ask(f"grpc://:{port}/{long}") == (0, "SERVING")
        assert native.ask(f"grpc://:{port}/none") == (1, "grpc-status 5: the server does not know the service")
    with grpc_health() as port:
        assert native.ask(f"grpc://:{port}") == (1, "grpc-status 12: the server has no health service")


@pytest.mark.tool
@pytest.mark.parametrize("name", ANSWERS)
def test_grpc_answers(name: str, native: Probe) -> None:
    """What the rules of HTTP/2, HPACK and gRPC allow is understood, and what they do not is not healthy."""
    answer, expected = ANSWERS[name]
    with serving(canned(FRAME_SETTINGS + answer, pieces=7)) as port:
        assert native.ask(f"grpc://:{port}") == expected


@pytest.mark.tool
@pytest.mark.parametrize("huffman", [True, False])
def test_every_status_of_grpc_is_read(native: Probe, *, huffman: bool) -> None:
    """Whichever way another implementation encodes it."""
    for status in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 99):
        answer = FRAME_SETTINGS + headers(
            ("grpc-status", str(status)), ("grpc-message", "no"), huffman=huffman, end=True
        )
        with serving(canned(answer)) as port:
            code, text = native.ask(f"grpc://:{port}")
        assert (code, text.partition(":")[0]) == (1, f"grpc-status {status}")


@pytest.mark.tool
def test_no_settings_are_no_http2(native: Probe) -> None:
    """A server of another protocol is told apart from one that breaks the rules."""
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", FIRST, frame(4, 1, b"", 0)):
        with serving(canned(answer)) as port:
            assert native.ask(f"grpc://:{port}") == (1, STRANGE)


@pytest.mark.tool
def test_settings_and_pings_are_acknowledged(native: Probe) -> None:
    """Before anything else comes: a server may wait for that."""
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        request_of(connection)
        connection.settimeout(10)
        connection.sendall(FRAME_SETTINGS + frame(6, 0, b"12345678", 0))
        data = b""
        while len(data) < 26:
            data += connection.recv(4096)
        seen.append(data)
        connection.sendall(FIRST + MESSAGE + END)

    with serving(answer) as port:
        assert native.ask(f"grpc://:{port}") == (0, "SERVING")
    assert seen == [frame(4, 1, b"", 0) + frame(6, 1, b"12345678", 0)]


@pytest.mark.tool
def test_what_is_sent_by_grpc(native: Probe) -> None:
    """The headers are those that gRPC wants, as another implementation decodes them."""
    seen: list[bytes] = []
    with serving(lambda connection: seen.append(request_of(connection))) as port:
        native.ask(f"grpc://:{port}/{'s' * 200}")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    (data,) = seen
    assert data.startswith(preface + frame(4, 0, b"\0\1\0\0\0\0\0\2\0\0\0\0", 0))
    rest = data[len(preface) + 21 :]
    size = int.from_bytes(rest[:3], "big")
    assert rest[3:9] == b"\1\4\0\0\0\1"
    assert [(str(name), str(value)) for name, value in hpack.Decoder().decode(rest[9 : 9 + size])] == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", f"localhost:{port}"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "minpack-probe"),
    ]
    assert rest[9 + size :] == frame(0, 1, b"\0\0\0\0\xcb\x0a\xc8\1" + b"s" * 200)


@pytest.mark.tool
def test_broken_answers_never_break_it(native: Probe) -> None:
    """Real answers with random changes, sent to the program as it is packed: it says something, and ends by itself."""
    seen: list[bytes] = []
    with serving(lambda connection: seen.append(request_of(connection))) as port:
        native.ask(f"grpc://:{port}")
    with grpc_health(whole=SERVING) as port:
        answer = recorded(port, seen[0])
    chance = random.Random(18)  # noqa: S311 - the same each time
    for number in range(60):
        data = bytearray(answer if number % 3 else OK)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with serving(canned(bytes(data[: chance.randrange(len(data))] if number % 4 == 0 else data))) as port:
            code, text = native.ask(f"{'grpc' if number % 3 else 'http'}://:{port}", "2000")
        assert code in (0, 1), data
        assert text, data
