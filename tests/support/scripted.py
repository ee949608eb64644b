"""A web server on 127.0.0.1 whose every answer a function of the test gives.

    with Scripted(lambda request: Answer(404)) as server:
        client.request(ImageRepository(server.host, "me/app"), ...)
        server.requests[0].headers["Authorization"]

`Answer` may have other bytes than HTTP (`raw`), or never end (`endless`). With `tls` it speaks TLS.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from email.message import Message
    from typing import Self


class Asked(NamedTuple):
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What is answered. `raw` is sent instead of anything else; `endless` after the headers again and again."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    raw: bytes | None = None
    endless: bytes = b""
    #: The length that is said, if it is not the body's.
    length: int | None = None


def problem(status: int, code: str, message: str = "no", headers: Mapping[str, str] | None = None) -> Answer:
    """What registries answer when something is wrong."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, body)


class Scripted:
    """The server. Use it in a ``with`` block; `host` is ``127.0.0.1:PORT``."""

    def __init__(self, answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.scripted = self
        self.server.tls = tls
        self.port = self.server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"

    @property
    def paths(self) -> list[str]:
        """The method and path of each request, in order."""
        return [f"{one.method} {one.path}" for one in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    scripted: Scripted
    tls: ssl.SSLContext | None

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        with self.tls.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def serve(self) -> None:
        scripted = self.server.scripted
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = self.path if self.command == "CONNECT" else parts.path
        asked = Asked(self.command, path, parse_qs(parts.query), self.headers, body)
        with scripted.lock:
            scripted.requests.append(asked)
        answer = scripted.answer(asked)
        if answer.raw is not None:
            self.close_connection = True
            self.wfile.write(answer.raw)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.endless:
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        if answer.length is not None:
            self.close_connection = True
        while answer.endless and not scripted.closing.is_set():
            self.wfile.write(answer.endless)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = serve  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
