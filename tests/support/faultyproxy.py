"""A forwarder of connections on 127.0.0.1 that breaks some of what passes, as a bad network or a bad registry does.

    with FaultyProxy(registry.host, seed=7) as proxy:
        push(..., f"{proxy.host}/me/app:1")
        proxy.done                                          # what it broke, in order

It reads requests and answers of HTTP/1.1 as far as it must to know where they end, and chooses by the seed alone which
of them goes wrong and how: the same seed breaks the same requests, whatever the time.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Self

PIECE = 1 << 16
#: What can go wrong with one request.
KINDS = (
    "reset before it is passed on",
    "reset in the middle of its body",
    "reset before the answer",
    "answer cut",
    "503",
    "429",
    "500 after it was done",
    "slow",
    "wrong digest",
)


class Broken(NamedTuple):
    """What went wrong with a request."""

    kind: str
    request: str


class FaultyProxy:
    """The forwarder. Use it in a ``with`` block; `host` is ``127.0.0.1:PORT``.

    :param target: ``HOST:PORT`` of the registry.
    :param share: of how many requests one goes wrong: 4 is every fourth.
    :param most: nothing goes wrong any more after so many.
    """

    def __init__(self, target: str, seed: int, share: int = 4, most: int = 1000) -> None:
        self.done: list[Broken] = []
        self._target = (target.rpartition(":")[0], int(target.rpartition(":")[2]))
        self._random = random.Random(seed)  # noqa: S311 - what is wanted is the same again
        self._share = share
        self._most = most
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def choose(self, request: str) -> str:
        """What goes wrong with this request; empty for nothing."""
        with self._lock:
            if len(self.done) >= self._most or self._random.randrange(self._share):
                return ""
            kind = self._random.choice(KINDS)
            self.done.append(Broken(kind, request))
            return kind

    def _serve(self, client: socket.socket) -> None:
        try:
            with socket.create_connection(self._target) as server, client:
                _Pair(self, client, server).run()
        except (OSError, EOFError, ValueError):
            client.close()


class _Stream:
    """What comes from a socket, by lines and by bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def head(self) -> bytes:
        """The lines up to the empty one, with it."""
        lines = []
        while line := self._file.readline(1 << 16):
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        raise EOFError

    def body(self, size: int) -> bytes:
        """Some of the next `size` bytes."""
        data = self._file.read1(min(size, PIECE))
        if not data:
            raise EOFError
        return data


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else 0


class _Pair:
    def __init__(self, proxy: FaultyProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._from_client, self._from_server = _Stream(client), _Stream(server)
        self._local = f"{client.getsockname()[0]}:{client.getsockname()[1]}".encode()
        self._remote = f"{server.getpeername()[0]}:{server.getpeername()[1]}".encode()

    def run(self) -> None:
        """Pass on requests and answers until one side has had enough."""
        while True:
            head = self._from_client.head()
            request = head.split(b"\r\n")[0].decode()
            kind = self._proxy.choose(request)
            if not self._passed(head, kind):
                return

    def _passed(self, head: bytes, kind: str) -> bool:
        """Pass on one request with its answer; False if the connection is over."""
        size = _length(head)
        if kind == KINDS[0]:
            return self._reset()
        if kind in ("503", "429"):
            self._drain(size)
            self._say(f"{kind} Busy\r\nRetry-After: 0".encode())
            return True
        self._server.sendall(head.replace(self._local, self._remote))
        stop = size // 2 if kind == KINDS[1] else None
        if not self._body(self._from_client, self._server, size, stop):
            return self._reset()
        return self._answered(head, kind)

    def _answered(self, request: bytes, kind: str) -> bool:
        if kind == "slow":
            time.sleep(0.3)
        answer = self._from_server.head()
        size = 0 if request.startswith(b"HEAD ") or b" 204 " in answer[:20] else _length(answer)
        if kind == KINDS[2]:
            return self._reset()
        if kind == "500 after it was done":
            self._drain_server(size)
            self._say(b"500 Oops")
            return True
        if kind == "wrong digest":
            answer = re.sub(rb"(?i)(docker-content-digest: sha256:)[0-9a-f]{4}", rb"\g<1>beef", answer)
        answer = answer.replace(self._remote, self._local)
        if kind == "answer cut":
            self._client.sendall(answer[: len(answer) // 2])
            return self._reset()
        self._client.sendall(answer)
        return self._body(self._from_server, self._client, size, None)

    def _body(self, source: _Stream, target: socket.socket, size: int, stop: int | None) -> bool:
        """Pass on a body; False if it stopped on purpose."""
        done = 0
        while done < size:
            piece = source.body(size - done)
            if stop is not None and done + len(piece) > stop:
                target.sendall(piece[: stop - done])
                return False
            target.sendall(piece)
            done += len(piece)
        return stop is None

    def _drain(self, size: int) -> None:
        while size > 0:
            size -= len(self._from_client.body(size))

    def _drain_server(self, size: int) -> None:
        while size > 0:
            size -= len(self._from_server.body(size))

    def _say(self, status: bytes) -> None:
        self._client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    def _reset(self) -> bool:
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()
        self._server.close()
        return False
