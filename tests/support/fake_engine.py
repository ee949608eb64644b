"""A container engine on a Unix socket that answers as it is told."""

from __future__ import annotations

import http.server
import io
import json
import socketserver
import tarfile
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}


class FakeEngine:
    """Use it in a ``with`` block; `host` is what DOCKER_HOST must be.

    :param load: the status and the document that loading an image is answered with; None for no answer at all.
    :param version: the bytes that it calls its version.
    :param image: the bytes that it says of every image; None if it knows none.
    :param endless: what to answer to paths with these endings: some bytes, then others again and again, with pauses of
        so many seconds.
    :param saved: the archive that it gives of every image.
    :param keeps: whether it knows afterwards what it was given, by its configuration's digest.
    """

    def __init__(
        self,
        socket: Path,
        load: tuple[int, dict[str, Any]] | None = None,
        version: bytes | None = None,
        image: bytes | None = None,
        endless: Mapping[str, tuple[bytes, bytes, float]] | None = None,
        saved: bytes = b"",
        *,
        keeps: bool = False,
    ) -> None:
        self.host = f"unix://{socket}"
        self.load = load
        self.version = json.dumps(VERSION).encode() if version is None else version
        self.image = image
        self.saved = saved
        self.endless = endless or {}
        self.keeps = keeps
        self.loading = threading.Event()
        self.closing = threading.Event()
        self._server = _Server(str(socket), _Handler)
        self._server.engine = self

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def image_id(archive: bytes) -> str:
    """The digest of the configuration of an image archive's one image."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        return f"sha256:{json.load(manifest)[0]['Config'].rpartition('/')[2]}"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Say the version, and what there is to say of an image."""
        engine = self.server.engine
        if self._answer_without_end():
            return
        if self.path.endswith("/version"):
            self._answer(200, engine.version)
        elif engine.image is not None:
            self._answer(200, engine.saved if self.path.endswith("/get") else engine.image)
        else:
            self._answer(404, b'{"message": "no such image"}')

    def do_POST(self) -> None:
        """Take all that is sent, then answer as told."""
        engine = self.server.engine
        engine.loading.set()
        if "/images/load" not in engine.endless and engine.load is None:
            engine.closing.wait(60)
            self.close_connection = True
            return
        given = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            piece = self.rfile.read(size + 2)
            given += piece[:-2] if engine.keeps else b""
        self.rfile.readline()
        if engine.keeps:
            engine.image = json.dumps({"Id": image_id(given)}).encode()
        if self._answer_without_end():
            return
        assert engine.load is not None
        status, document = engine.load
        self._answer(status, json.dumps(document).encode())

    def _answer_without_end(self) -> bool:
        engine = self.server.engine
        path = self.path.partition("?")[0]
        for ending, (start, piece, pause) in engine.endless.items():
            if path.endswith(ending):
                self.close_connection = True
                with suppress(OSError):
                    self.wfile.write(start)
                    while not engine.closing.wait(pause):
                        self.wfile.write(piece)
                return True
        return False

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """A Unix socket's client has none."""
        return "client"

    def log_message(self, *_: object) -> None:
        """Say nothing."""
