"""Mirrors and proxies that keep a download going for ever: each limit, and that nothing the server does lifts it."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from minpack.errors import DownloadError, InputError
from minpack.net.budget import Budget, SpentError
from minpack.net.download import download, read_document
from minpack.net.network import Limits, Network
from support.mirror import Behaviour, Mirror, always, changing, cut, dribble, raw, status, without_end

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

DATA = os.urandom(1 << 17)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"%x\r\n%b\r\n0\r\n" % (len(DATA), DATA)
#: A byte now and then: a hundred in a second.
NOW_AND_THEN = 0.01
#: Limits that are soon reached, but for the rate: a test that is about another one may be slow.
LIMITS = Limits(overhead=300_000, restarts=2)
#: The same for what is slow.
HASTY = LIMITS._replace(rate=5000, window=0.3)
#: Longer than any of these downloads may take, shorter than what they would.
SOON = 50.0


@pytest.fixture
def mirror() -> Generator[Mirror]:
    """A server of this test's own."""
    with Mirror() as running:
        yield running


@pytest.fixture
def network() -> Network:
    """A network with such limits."""
    return Network(pause=lambda _: None, connect_timeout=5, read_timeout=5, limits=LIMITS)


@pytest.fixture(autouse=True)
def _in_time() -> Generator[None]:
    """Each of these ends soon."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


class Sink:
    """Takes the bytes, and counts how often they were thrown away."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.cleared = 0

    def write(self, data: bytes, at: int) -> None:
        self.data[at:] = data

    def clear(self) -> None:
        self.data.clear()
        self.cleared += 1


def bring(url: str, network: Network) -> bytes:
    """The body of `url`, by its known size."""
    sink = Sink()
    download(url, sink, limit=len(DATA), network=network, size=len(DATA))
    return bytes(sink.data)


SLOW = "the server is too slow: .* bytes in 0.3 seconds, and 5000 a second are required"
MUCH = "the server sends over 300000 bytes of headers and framing"


def limited(network: Network, reason: str = SLOW) -> Network:
    """The network whose limit for that is soon reached."""
    return network._replace(limits=HASTY if reason == SLOW else LIMITS)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (without_end(CHUNKED + BODY, b"X: y\r\n" * 1000), MUCH),
        (without_end(CHUNKED + BODY, b"X: y\r\n", NOW_AND_THEN), SLOW),
        (without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), MUCH),
        (without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n", NOW_AND_THEN), SLOW),
        (without_end(b"HTTP/1.1 200 OK\r\nX: ", b"y", NOW_AND_THEN), SLOW),
        (without_end(b"HTTP/1.1 2", b"0", NOW_AND_THEN), SLOW),
        (without_end(CHUNKED, b"0", NOW_AND_THEN), SLOW),
        (without_end(CHUNKED, b"1;" + b"x" * 1000 + b"\r\na\r\n"), MUCH),
        (dribble(1, NOW_AND_THEN), SLOW),
        (dribble(500, 0.2), SLOW),
    ],
    ids=[
        "trailers-endless",
        "trailer-slow",
        "continue-endless",
        "continue-slow",
        "header-slow",
        "status-slow",
        "chunk-slow",
        "chunk-extensions",
        "body-slow",
        "body-in-bursts",
    ],
)
def test_an_answer_without_end_ends(mirror: Mirror, network: Network, behaviour: Behaviour, reason: str) -> None:
    """Whatever part of an answer goes on for ever, fast or slowly, the limit it breaks is named, and what to do."""
    with pytest.raises(DownloadError, match=reason) as caught:
        bring(mirror.add("/file", DATA, always(behaviour)), limited(network, reason))
    assert "--mirror" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (without_end(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), MUCH),
        (without_end(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", NOW_AND_THEN), SLOW),
    ],
    ids=["proxy-endless", "proxy-slow"],
)
def test_a_proxy_without_end_ends(mirror: Mirror, network: Network, behaviour: Behaviour, reason: str) -> None:
    """The same of what a proxy answers to CONNECT."""
    mirror.add("example.invalid:443", b"", always(behaviour))
    # What http.client of Python 3.12 and later makes of more than 100 lines is an answer that not valid HTTP.
    through = limited(network, reason)._replace(proxies={"https": mirror.url}, attempts=2)
    with pytest.raises(DownloadError, match=f"{reason}|not valid HTTP|connection broke"):
        bring("https://example.invalid/x", through)


@pytest.mark.parametrize(
    "again",
    [
        status(416),
        raw(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc"),
    ],
    ids=["flap-416", "flap-206"],
)
@pytest.mark.parametrize("more", [0, 1 << 20], ids=["as-much", "more-each-time"])
def test_beginning_again_has_an_end(mirror: Mirror, network: Network, again: Behaviour, more: int) -> None:
    """A server that breaks off behind a megabyte and gives no rest is asked a few times, though each time more came."""
    data = bytes(8 << 20)
    flaps = (flap for time in range(6) for flap in (cut((1 << 20) + 5000 + time * more), again))
    url = mirror.add("/file", data, *flaps)
    with pytest.raises(DownloadError, match="restarted 2 times" if more else r"HTTP (206|416) \(after 4 attempts\)"):
        download(url, Sink(), limit=len(data), network=network, size=len(data))
    assert len(mirror.requests) == (6 if more else 4)


def test_a_file_that_always_changes_has_an_end(mirror: Mirror, network: Network) -> None:
    """With another ETag each time, what came is thrown away only so often."""
    data = bytes(3 << 20)
    url = mirror.add("/file", data, always(changing(1 << 20)))
    sink = Sink()
    with pytest.raises(DownloadError, match="restarted 2 times"):
        download(url, sink, limit=len(data), network=network, size=len(data))
    assert sink.cleared == 3
    assert sink.data == b""


def test_a_redirect_does_not_begin_anew(mirror: Mirror, network: Network) -> None:
    """Redirects and attempts share one budget: each of these alone would be in time."""
    slow = without_end(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 40, 0.1)
    for at in range(3):
        answer = b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\nConnection: close\r\n" % (at + 1)
        mirror.add(f"/{at}", b"", _late(0.15, answer))
    mirror.add("/3", DATA, always(slow))
    with pytest.raises(DownloadError, match=SLOW):
        bring(f"{mirror.url}/0", limited(network))
    assert len(mirror.requests) < 4


def _late(seconds: float, answer: bytes) -> Behaviour:
    """Send `answer` after so many seconds."""

    def act(handler: object, _: bytes) -> None:
        time.sleep(seconds)
        raw(answer + b"\r\n").act(handler, b"")  # type: ignore[arg-type]

    return Behaviour(act)


def test_failures_are_counted_from_the_furthest_byte(mirror: Mirror, network: Network) -> None:
    """What has to be brought a second time is no headway."""
    data = os.urandom(3 << 20)
    mirror.etag = False
    url = mirror.add("/file", data, always(cut(1 << 20)))
    with pytest.raises(DownloadError, match="after 3 attempts"):
        download(url, Sink(), limit=len(data), network=network._replace(attempts=3), size=len(data))


def test_pauses_are_not_the_servers(mirror: Mirror, network: Network) -> None:
    """A server may ask to be left alone for longer than it may be slow."""
    url = mirror.add("/file", DATA, status(503, {"Retry-After": "1"}))
    limits = HASTY._replace(window=2.0)
    assert bring(url, network._replace(pause=lambda _: time.sleep(2.1), limits=limits)) == DATA


def test_a_fast_download_may_take_longer_than_the_window(mirror: Mirror, network: Network) -> None:
    """The rate is a limit, the time alone is none."""
    url = mirror.add("/file", DATA, dribble(5000, 0.1))
    assert bring(url, network._replace(limits=HASTY._replace(window=2.0))) == DATA


def test_small_chunks_are_read(mirror: Mirror, network: Network) -> None:
    """Framing may be nearly as large as the file."""
    mirror.chunked = True
    url = mirror.add("/file", DATA, dribble(8, 0))
    limits = Limits(overhead=70_000)
    assert read_document(url, limit=len(DATA), network=network._replace(limits=limits)) == DATA


def _server(talk: Callable[[socket.socket], None]) -> Generator[int]:
    """The port of a server that treats each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        talk(connection)
                except OSError:
                    if listener.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def slow_handshake() -> Generator[int]:
    """The port of a server that begins a TLS record, and sends a byte of it now and then."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    yield from _server(talk)


def test_a_handshake_without_end_ends(slow_handshake: int, network: Network) -> None:
    """TLS is given the time of a connection as a whole, and that counts too."""
    with pytest.raises(DownloadError, match=SLOW):
        bring(f"https://127.0.0.1:{slow_handshake}/x", limited(network))
    impatient = network._replace(connect_timeout=0.1, attempts=2, limits=Limits())
    with pytest.raises(DownloadError, match="after 2 attempts"):
        bring(f"https://127.0.0.1:{slow_handshake}/x", impatient)


def test_a_name_without_end_ends(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    """A name server that never finishes is not waited for: the system's own function has no limit."""
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(SOON))
    try:
        with pytest.raises(DownloadError, match=r"cannot be resolved \(timed out\) \(after 2 attempts\)"):
            bring("http://name.invalid/x", network._replace(read_timeout=0.1, attempts=2, limits=Limits()))
        with pytest.raises(DownloadError, match=rf"{SLOW} \(the host name cannot be resolved \(timed out\)\)"):
            bring("http://name.invalid/x", limited(network))
    finally:
        hanging.set()


def test_addresses_are_tried_in_turn(mirror: Mirror, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the addresses of a name the first that takes a connection is used."""
    port = int(mirror.url.rpartition(":")[2])
    real = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refused = socket.getaddrinfo("127.0.0.1", closed.getsockname()[1], type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [*refused, *real])
    mirror.add("/file", DATA)
    assert bring(f"http://name.invalid:{port}/file", network) == DATA


def test_a_process_that_was_stopped_goes_on() -> None:
    """Of a time in which nothing was looked at no more counts than one wait takes."""
    budget = Budget(Limits(window=0.3), longest=0.1)
    time.sleep(0.4)
    budget.spend(0)
    time.sleep(0.1)
    budget.spend(0)
    time.sleep(0.15)
    with pytest.raises(SpentError):
        budget.spend(0)


@pytest.mark.parametrize("kind", ["pipe", "directory", "large"])
def test_what_is_no_file_of_authorities(tmp_path: Path, network: Network, kind: str) -> None:
    """A named pipe in the place of the certificates is refused, not waited for; so is what is too large."""
    path = tmp_path / "ca.pem"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    with pytest.raises(InputError, match=r"ca\.pem"):
        bring("https://127.0.0.1:1/x", network._replace(ca_file=str(path)))
