"""Servers whose health is asked: canned answers byte by byte, a gRPC server of Google's library, and what they said."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent import futures
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
#: What of a request the probe sends in any case: less, and a server may see it in two pieces.
_LEAST_REQUEST = 18


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Generator[int]:
    """A port at which each connection is given to `answer`, one after the other."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, answer), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        # A thread that waits in accept(2) is not woken by close(2).
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def _serve(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            answer(connection)


def canned(data: bytes, *, pieces: int = 1) -> Callable[[socket.socket], None]:
    """Reads a request and answers with `data`, in as many pieces."""

    def answer(connection: socket.socket) -> None:
        request_of(connection)
        size = max(1, -(-len(data) // pieces))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
        connection.shutdown(socket.SHUT_WR)
        # What is not read when a connection is closed takes the answer with it.
        connection.settimeout(5)
        while connection.recv(4096):
            pass

    return answer


def request_of(connection: socket.socket) -> bytes:
    """The first bytes of a request."""
    data = b""
    while len(data) < _LEAST_REQUEST:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


@contextlib.contextmanager
def grpc_health(**services: int) -> Generator[int]:
    """The port of a gRPC server with these services; `whole` is what it says of itself, if it says anything."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    if services:
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        for name, status in services.items():
            servicer.set("" if name == "whole" else name, status)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait(10)


def recorded(port: int, request: bytes) -> bytes:
    """What the gRPC server at `port` answers to a request, all of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(1)
        data = b""
        with contextlib.suppress(TimeoutError):
            while piece := connection.recv(65536):
                data += piece
    return data
