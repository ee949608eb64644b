"""A web server on 127.0.0.1 that behaves as badly as it is told.

    with Mirror() as mirror:
        mirror.add("/v3.22/releases/x86_64/file.tar.gz", data)            # served properly
        mirror.add("/flaky", data, cut(1000), status(503))                # the first two answers go wrong
        mirror.add("/never", data, always(status(500)))                   # every answer does
        mirror.add_tree("/v3.20/releases/x86_64", Path("bases"))          # every file of a directory
        download(f"{mirror.url}/flaky", ...)
        mirror.paths                                                      # what was asked for, in order
        mirror.requests[0].headers["Range"]                               # and how

Behaviours, each for one answer, in the order given; after them the file is served properly:

    status(503, {"Retry-After": "1"})   another status, with headers and a short body
    redirect("/other")                  302 to a path of this server or to another address
    cut(1000)                           the connection is closed after that many bytes of the body
    reset(1000)                         the same, with a TCP reset
    hang(1000)                          nothing more comes after that many bytes, until the server closes
    dribble(10, 0.1)                    pieces of 10 bytes with pauses of 0.1 s
    after(act)                          as ever, once `act` is done
    wrong(b"...")                       other bytes, with a matching Content-Length
    endless()                           a body of zeros without a length that never ends
    raw(b"HTTP/1.1 200 ...")            these bytes instead of any answer
    without_end(b"HTTP/1.1 2", b"0", 1) these, then the others again and again, with pauses of 1 s
    changing(1000)                      another file with another ETag each time, which breaks off after some 1000 bytes

Switches: `ranges` (Range is understood), `etag` (a strong ETag is sent),
`modified` (Last-Modified is sent), `lengths` (Content-Length is sent),
`chunked` (bodies come in chunks). As a proxy it serves requests for other
hosts from its own files, and answers CONNECT with what was added as
``host:port``, without ever making a tunnel. With `certificate`, a PEM file of certificate and
key, it speaks TLS.
"""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import ssl
import struct
import threading
from itertools import count
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message
    from pathlib import Path
    from typing import Self


class Request(NamedTuple):
    """One request as it came in; the case of header names does not matter."""

    method: str
    path: str
    headers: Message


class Behaviour(NamedTuple):
    """How one answer goes wrong; made by the functions below."""

    act: Callable[[_Handler, bytes], None]
    forever: bool = False


def always(behaviour: Behaviour) -> Behaviour:
    """The same, for every answer."""
    return behaviour._replace(forever=True)


def status(code: int, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with another status."""
    return Behaviour(lambda handler, _: handler.answer(code, b"no\n", headers or {}))


def redirect(target: str, code: int = 302) -> Behaviour:
    """Send the client elsewhere."""
    return status(code, {"Location": target})


def wrong(data: bytes) -> Behaviour:
    """Serve `data` instead."""
    return Behaviour(lambda handler, _: handler.serve(data))


def after(act: Callable[[], object]) -> Behaviour:
    """Serve as ever once `act` is done."""

    def behave(handler: _Handler, data: bytes) -> None:
        act()
        handler.serve(data)

    return Behaviour(behave)


def cut(after: int) -> Behaviour:
    """Close the connection after `after` bytes of the body."""
    return Behaviour(lambda handler, data: handler.serve(data, after=after))


def reset(after: int) -> Behaviour:
    """Reset the connection after `after` bytes of the body."""

    def act(handler: _Handler, data: bytes) -> None:
        handler.serve(data, after=after)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return Behaviour(act)


def hang(after: int) -> Behaviour:
    """Send nothing more after `after` bytes of the body."""

    def act(handler: _Handler, data: bytes) -> None:
        handler.serve(data, after=after)
        handler.wfile.flush()
        handler.mirror.closing.wait(60)

    return Behaviour(act)


def dribble(piece: int, pause: float) -> Behaviour:
    """Send the body in pieces of `piece` bytes, `pause` seconds apart."""
    return Behaviour(lambda handler, data: handler.serve(data, piece=piece, pause=pause))


def endless() -> Behaviour:
    """Send zeros for as long as the client takes them."""

    def act(handler: _Handler, _: bytes) -> None:
        handler.start(200, {})
        while not handler.mirror.closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    return Behaviour(act)


def raw(answer: bytes) -> Behaviour:
    """Send `answer` as it is, and close."""
    return Behaviour(lambda handler, _: handler.send_raw(answer))


def without_end(start: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """Send `start` as it is, then `piece` for as long as the client takes it, with pauses."""

    def act(handler: _Handler, _: bytes) -> None:
        handler.send_raw(start)
        while not handler.mirror.closing.wait(pause):
            handler.wfile.write(piece)

    return Behaviour(act)


def changing(size: int) -> Behaviour:
    """Each time begin another file, with another ETag, and break off after `size` bytes and one more each time."""
    times = count()

    def act(handler: _Handler, data: bytes) -> None:
        time = next(times)
        handler.start(200, {"ETag": f'"{time}"', "Content-Length": str(len(data)), "Connection": "close"})
        handler.wfile.write(data[: size + time])
        handler.close_connection = True

    return Behaviour(act)


class Mirror:
    """The server. Use it in a ``with`` block; `url` is its address, without a slash at the end."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.ranges = True
        self.etag = True
        self.modified = False
        self.lengths = True
        self.chunked = False
        self._files: dict[str, tuple[bytes | Path, list[Behaviour]]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.mirror = self
        self._server.certificate = certificate
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def add(self, path: str, content: bytes | Path, *behaviours: Behaviour) -> str:
        """Serve `content` at `path`, after `behaviours`; the address of it."""
        self._files[path] = (content, list(behaviours))
        return self.url + path

    def remove(self, start: str) -> None:
        """Serve nothing any more whose path begins with `start`."""
        with self._lock:
            self._files = {path: files for path, files in self._files.items() if not path.startswith(start)}

    def add_tree(self, path: str, directory: Path) -> None:
        """Serve every file in `directory` below `path`."""
        for file in sorted(directory.iterdir()):
            if file.is_file():
                self.add(f"{path}/{file.name}", file)

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    def take(self, request: Request) -> tuple[bytes, Behaviour | None] | None:
        """Note a request; what to answer it with."""
        with self._lock:
            self.requests.append(request)
            content, behaviours = self._files.get(request.path, (None, []))
            if content is None:
                return None
            behaviour = behaviours[0] if behaviours else None
            if behaviour is not None and not behaviour.forever:
                behaviours.pop(0)
        return content if isinstance(content, bytes) else content.read_bytes(), behaviour

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    mirror: Mirror
    certificate: Path | None

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)
        if self.certificate is not None:
            # Here rather than on the listening socket: a failing handshake then ends one thread only.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            request.settimeout(10)
            with context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def mirror(self) -> Mirror:
        assert isinstance(self.server, _Server)
        return self.server.mirror

    def do_GET(self) -> None:
        path = urlsplit(self.path).path if "://" in self.path else self.path
        found = self.mirror.take(Request(self.command, path, self.headers))
        if found is None:
            self.answer(404, b"not found\n", {})
            return
        content, behaviour = found
        if behaviour is None:
            self.serve(content)
        else:
            behaviour.act(self, content)

    def do_CONNECT(self) -> None:
        self.do_GET()

    def answer(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.start(code, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def start(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()

    def serve(self, data: bytes, *, after: int | None = None, piece: int = 1 << 16, pause: float = 0.0) -> None:
        headers, code, start = self._validators(data), 200, self._range_start(data)
        if start:
            if start >= len(data):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            code = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        if self.mirror.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.mirror.lengths:
            headers["Content-Length"] = str(len(body))
        self.start(code, headers)
        sent = body if after is None else body[:after]
        for at in range(0, len(sent), piece):
            self._write(sent[at : at + piece])
            if pause and self.mirror.closing.wait(pause):
                break
        if after is not None:
            self.close_connection = True
        elif self.mirror.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def send_raw(self, answer: bytes) -> None:
        self.close_connection = True
        self.wfile.write(answer)

    def _write(self, piece: bytes) -> None:
        if self.mirror.chunked:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        self.wfile.write(piece)
        self.wfile.flush()

    def _validators(self, data: bytes) -> dict[str, str]:
        headers = {}
        if self.mirror.etag:
            headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if self.mirror.modified:
            headers["Last-Modified"] = "Fri, 06 Sep 2024 11:21:39 GMT"
        return headers

    def _range_start(self, data: bytes) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None or not self.mirror.ranges:
            return 0
        condition = self.headers.get("If-Range")
        if condition is not None and condition not in self._validators(data).values():
            return 0
        return int(match[1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
