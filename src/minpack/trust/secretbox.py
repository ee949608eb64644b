"""NaCl's secret box, XSalsa20 with Poly1305, in which cosign keeps private keys.

The `cryptography` library has no Salsa20. Keys have a few hundred bytes, so that plain Python is quick enough.
Sources: Bernstein, "Salsa20 specification" and "Extending the Salsa20 nonce"; NaCl, "Secret-key authenticated
encryption": the stream's first 32 bytes are the key of Poly1305, and the tag stands before the text.
"""

from __future__ import annotations

import struct

KEY_SIZE, NONCE_SIZE, TAG_SIZE = 32, 24, 16
_BLOCK, _WORD = 64, 0xFFFFFFFF
_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_ROTATIONS = (7, 9, 13, 18)


def open_box(key: bytes, nonce: bytes, box: bytes) -> bytes | None:
    """What is in `box`; None if it was made with another key, or changed."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - for encrypted keys alone
    from cryptography.hazmat.primitives.poly1305 import Poly1305  # noqa: PLC0415

    tag, text = box[:TAG_SIZE], box[TAG_SIZE:]
    stream = _stream(key, nonce, KEY_SIZE + len(text))
    try:
        Poly1305.verify_tag(stream[:KEY_SIZE], text, tag)
    except InvalidSignature:
        return None
    return _xor(text, stream[KEY_SIZE:])


def sealed_box(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """`data` in a box; a nonce is used once for a key."""
    from cryptography.hazmat.primitives.poly1305 import Poly1305  # noqa: PLC0415 - for encrypted keys alone

    stream = _stream(key, nonce, KEY_SIZE + len(data))
    text = _xor(data, stream[KEY_SIZE:])
    return Poly1305.generate_tag(stream[:KEY_SIZE], text) + text


def _xor(data: bytes, stream: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


def _stream(key: bytes, nonce: bytes, size: int) -> bytes:
    """The first `size` bytes of XSalsa20."""
    start, words = _state(key, nonce[:16]), (0, 5, 10, 15, 6, 7, 8, 9)
    mixed = _mixed(start)
    derived = struct.pack("<8I", *(mixed[word] for word in words))
    blocks = -(-size // _BLOCK)
    return b"".join(_block(derived, nonce[16:] + struct.pack("<Q", number)) for number in range(blocks))[:size]


def _block(key: bytes, place: bytes) -> bytes:
    """64 bytes of Salsa20."""
    start = _state(key, place)
    return struct.pack("<16I", *((a + b) & _WORD for a, b in zip(start, _mixed(start), strict=True)))


def _state(key: bytes, place: bytes) -> list[int]:
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", place)
    return [_SIGMA[0], *k[:4], _SIGMA[1], *n, _SIGMA[2], *k[4:], _SIGMA[3]]


def _mixed(start: list[int]) -> list[int]:
    """The state after 20 rounds, of columns and rows in turn."""
    words = list(start)
    for _ in range(10):
        for quarter in (*_COLUMNS, *_ROWS):
            for at, rotation in enumerate(_ROTATIONS):
                total = (words[quarter[at]] + words[quarter[at - 1]]) & _WORD
                words[quarter[(at + 1) % 4]] ^= ((total << rotation) | (total >> (32 - rotation))) & _WORD
    return words
