"""As much of DER (X.690) as tells how much work a file asks for."""

from __future__ import annotations

_INTEGER, _SEQUENCE = 0x02, 0x30
_MOST_DEPTH = 10


def integers(data: bytes, depth: int = 0) -> tuple[int, ...]:
    """The integers in the first value of the sequence `data`, at any depth; none where it is no such.

    The first value of an encrypted PKCS#8 key says how it is encrypted (RFC 5958, section 3).
    """
    outer = _values(data)
    if not outer or outer[0][0] != _SEQUENCE:
        return ()
    inner = _values(outer[0][1])
    return _within(inner[0][1], depth) if inner and inner[0][0] == _SEQUENCE else ()


def _within(data: bytes, depth: int) -> tuple[int, ...]:
    found: list[int] = []
    for kind, content in _values(data):
        if kind == _INTEGER:
            found.append(int.from_bytes(content, "big"))
        elif kind == _SEQUENCE and depth < _MOST_DEPTH:
            found += _within(content, depth + 1)
    return tuple(found)


def _values(data: bytes) -> list[tuple[int, bytes]]:
    """The values one after the other, each with its kind, as far as they are whole."""
    found, at = [], 0
    while at + 2 <= len(data):
        kind, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + size > len(data):
            break
        found.append((kind, data[at : at + size]))
        at += size
    return found
