"""Answers of gRPC servers about their health, right ones and wrong ones, and what the health probe says of each."""

from __future__ import annotations

import struct

import hpack

#: The settings that a server begins with, all of them the defaults.
FRAME_SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def frame(kind: int, flags: int, payload: bytes = b"", stream: int = 1) -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers(*rows: tuple[str, str], huffman: bool = True, end: bool = False, flags: int = 0) -> bytes:
    """A frame of headers, encoded by another implementation for a table of no size."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return frame(1, 4 | end | flags, encoder.encode(rows, huffman=huffman))


FIRST = headers((":status", "200"), ("content-type", "application/grpc"))
MESSAGE = frame(0, 0, b"\0\0\0\0\2\x08\1")
END = headers(("grpc-status", "0"), end=True)
STRANGE = "the answer is not HTTP/2: is it TLS, which the probe does not speak?"
WRONG = "the answer breaks the rules of HTTP/2"
NO_MESSAGE = "the answer has no message that can be read"
ANSWERS = {
    "plain": (FIRST + MESSAGE + END, (0, "SERVING")),
    "plain text": (FIRST + MESSAGE + headers(("grpc-status", "0"), huffman=False, end=True), (0, "SERVING")),
    "padded": (FIRST + frame(0, 8, b"\3\0\0\0\0\2\x08\1abc") + END, (0, "SERVING")),
    "padding alone": (FIRST + frame(0, 8, b"\4\0\0\0") + END, (1, WRONG)),
    "in pieces": (FIRST + frame(0, 0, b"\0\0\0\0") + frame(0, 0, b"\2\x08") + frame(0, 0, b"\1") + END, (0, "SERVING")),
    "unknown fields": (FIRST + frame(0, 0, b"\0\0\0\0\x0b\x12\2ab\x1d\0\0\0\0\x08\1") + END, (0, "SERVING")),
    "other frames": (FIRST + frame(8, 0, b"\0\0\0\1", 0) + frame(99, 0, b"?") + MESSAGE + END, (0, "SERVING")),
    "going away": (FIRST + frame(7, 0, b"\x7f\xff\xff\xff" + bytes(4), 0) + MESSAGE + END, (0, "SERVING")),
    "gone": (frame(7, 0, bytes(8), 0), (1, "the server refused the call")),
    "reset": (FIRST + frame(3, 0, bytes(4)), (1, "the server refused the call")),
    "not serving": (FIRST + frame(0, 0, b"\0\0\0\0\2\x08\2") + END, (1, "NOT_SERVING")),
    "unknown": (FIRST + frame(0, 0, b"\0\0\0\0\0") + END, (1, "serving status 0")),
    "compressed": (FIRST + frame(0, 0, b"\1\0\0\0\2\x08\1") + END, (1, NO_MESSAGE)),
    "too short": (FIRST + frame(0, 0, b"\0\0\0\0\3\x08\1") + END, (1, NO_MESSAGE)),
    "too long": (FIRST + frame(0, 0, b"\0\0\0\1\0" + bytes(256)) + END, (1, NO_MESSAGE)),
    "no message": (headers((":status", "200"), ("grpc-status", "0"), end=True), (1, NO_MESSAGE)),
    "no status": (
        FIRST + frame(0, 1, b"\0\0\0\0\2\x08\1"),
        (1, "the answer has no grpc-status: it is not a gRPC server"),
    ),
    "a web server": (
        headers((":status", "404"), end=True),
        (1, "the answer has no grpc-status: it is not a gRPC server"),
    ),
    "priority": (frame(1, 4 | 32, bytes(5) + b"\x88") + MESSAGE + END, (0, "SERVING")),
    "priority alone": (frame(1, 4 | 32, bytes(4)), (1, WRONG)),
    "continued": (frame(1, 0, b"") + frame(9, 0, b"") + frame(9, 4, b"\x88") + MESSAGE + END, (0, "SERVING")),
    "interrupted": (frame(1, 0, b"") + MESSAGE, (1, WRONG)),
    "continues nothing": (frame(9, 4, b"\x88"), (1, WRONG)),
    "another stream": (frame(1, 4, b"\x88", 3), (1, WRONG)),
    "pushed": (frame(5, 4, bytes(4)), (1, WRONG)),
    "a dynamic table": (frame(1, 4, b"\xbe"), (1, WRONG)),
    "a table of some size": (frame(1, 4, b"\x3f\xe1\x1f"), (1, WRONG)),
    "index 0": (frame(1, 4, b"\x80"), (1, WRONG)),
    "a name that ends early": (frame(1, 4, b"\0\x05ab"), (1, WRONG)),
    "a number that does not end": (frame(1, 4, b"\xff\xff\xff\xff\xff\xff\1"), (1, WRONG)),
    "a frame that is too large": (b"\0\x40\1\0\0\0\0\0\1", (1, WRONG)),
    "a bad ping": (frame(6, 0, bytes(7), 0), (1, WRONG)),
    "bad settings": (frame(4, 0, bytes(5), 0), (1, WRONG)),
}
