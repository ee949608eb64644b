"""Making tars byte by byte, so that a test can have any field of a header wrong."""

from __future__ import annotations

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR = b"ustar\x0000"
GNU = b"ustar  \0"
V7 = bytes(8)
#: As ustar; star has marks of its own behind a shorter prefix, see `star_prefix`.
STAR = USTAR


def header(
    name: str | bytes,
    *,
    kind: bytes = b"0",
    size: int | bytes = 0,
    mode: int | bytes = 0o644,
    uid: int | bytes = 0,
    gid: int | bytes = 0,
    link: str | bytes = b"",
    mtime: int | bytes = 0,
    magic: bytes = USTAR,
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header block; numbers given as bytes are put in as they are, and the sum is right unless given."""
    block = bytearray(BLOCK)
    _put(block, 0, 100, _bytes(name))
    _put(block, 100, 8, _octal(mode, 8))
    _put(block, 108, 8, _octal(uid, 8))
    _put(block, 116, 8, _octal(gid, 8))
    _put(block, 124, 12, _octal(size, 12))
    _put(block, 136, 12, _octal(mtime, 12))
    _put(block, 156, 1, kind)
    _put(block, 157, 100, _bytes(link))
    _put(block, 257, 8, magic)
    _put(block, 345, 155, prefix)
    _put(block, 148, 8, b" " * 8)
    _put(block, 148, 8, checksum if checksum is not None else b"%06o\0 " % sum(block))
    return bytes(block)


def member(name: str | bytes, data: bytes = b"", **fields: bytes | int | str) -> bytes:
    """A header and its data, with the size written unless given."""
    fields.setdefault("size", len(data))
    return header(name, **fields) + padded(data)  # type: ignore[arg-type]


def directory(name: str | bytes, mode: int = 0o755) -> bytes:
    """A directory's header."""
    return header(name, kind=b"5", mode=mode)


def symlink(name: str | bytes, target: str | bytes) -> bytes:
    """A symlink's header."""
    return header(name, kind=b"2", mode=0o777, link=target)


def hard_link(name: str | bytes, target: str | bytes) -> bytes:
    """A hard link's header."""
    return header(name, kind=b"1", link=target)


def records(**values: str | bytes) -> bytes:
    """Pax records; in a keyword, two underscores stand for a dot."""
    return b"".join(record(key.replace("__", ".").encode(), _bytes(value)) for key, value in values.items())


def record(key: bytes, value: bytes) -> bytes:
    """One pax record, whose length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d" % length + rest


def pax(data: bytes, kind: bytes = b"x") -> bytes:
    """An extended header that holds `data`; ``g`` makes a global one."""
    return member("PaxHeaders/x", data, kind=kind)


def long_name(text: str | bytes, kind: bytes = b"L") -> bytes:
    """GNU's header for a long name; ``K`` makes one for a long link."""
    return member("././@LongLink", _bytes(text) + b"\0", kind=kind, magic=GNU)


def star_prefix(prefix: str) -> bytes:
    """The prefix field of star's format, with the two times that are in it."""
    return prefix.encode().ljust(131, b"\0") + b"00000000001 00000000002 "


def sparse_member(name: str, size: int, pieces: dict[int, bytes]) -> bytes:
    """A sparse file in GNU's older form, with as many blocks of its map as it takes."""
    data = b"".join(pieces.values())
    numbers = [b"%011o\0%011o\0" % (at, len(piece)) for at, piece in pieces.items()]
    block = bytearray(header(name, kind=b"S", size=len(data), magic=GNU))
    first, rest = numbers[:4], numbers[4:]
    _put(block, 386, 96, b"".join(first))
    _put(block, 482, 13, bytes((bool(rest),)) + b"%011o\0" % size)
    _put(block, 148, 8, b" " * 8)
    _put(block, 148, 8, b"%06o\0 " % sum(block))
    while rest:
        more, rest = rest[:21], rest[21:]
        block += b"".join(more).ljust(504, b"\0") + bytes((bool(rest),)) + bytes(7)
    return bytes(block) + padded(data)


def archive(*members: bytes) -> bytes:
    """A whole tar."""
    return b"".join(members) + END


def padded(data: bytes) -> bytes:
    """`data` up to the next block."""
    return data + bytes(-len(data) % BLOCK)


def _put(block: bytearray, at: int, size: int, data: bytes) -> None:
    assert len(data) <= size
    block[at : at + len(data)] = data


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _octal(value: int | bytes, size: int) -> bytes:
    return value if isinstance(value, bytes) else b"%0*o\0" % (size - 1, value)
