"""Changing single fields of made ELF files, 64-bit and little-endian ones: for files that say what is not true."""

from __future__ import annotations

import struct

#: Offset and format of the header's fields.
HEADER = {
    "class": (4, "B"),
    "data": (5, "B"),
    "osabi": (7, "B"),
    "type": (16, "H"),
    "machine": (18, "H"),
    "entry": (24, "Q"),
    "phoff": (32, "Q"),
    "shoff": (40, "Q"),
    "flags": (48, "I"),
    "phentsize": (54, "H"),
    "phnum": (56, "H"),
}
#: Offset and format of the fields of a program header, from its start.
SEGMENT = {
    "type": (0, "I"),
    "flags": (4, "I"),
    "offset": (8, "Q"),
    "vaddr": (16, "Q"),
    "file_size": (32, "Q"),
    "memory_size": (40, "Q"),
    "align": (48, "Q"),
}
SEGMENTS_AT, SEGMENT_SIZE, TAG_SIZE = 64, 56, 16


def put(data: bytes, at: int, form: str, *values: int) -> bytes:
    """`data` with `values` at offset `at`."""
    changed = bytearray(data)
    struct.pack_into("<" + form, changed, at, *values)
    return bytes(changed)


def get(data: bytes, at: int, form: str) -> int:
    """The number at offset `at`."""
    return int(struct.unpack_from("<" + form, data, at)[0])


def set_header(data: bytes, /, **fields: int) -> bytes:
    """`data` with other values in its ELF header."""
    for name, value in fields.items():
        at, form = HEADER[name]
        data = put(data, at, form, value)
    return data


def segment_at(data: bytes, type_: int) -> int:
    """The offset of the first program header of that type."""
    count = get(data, *HEADER["phnum"])
    starts = (SEGMENTS_AT + SEGMENT_SIZE * n for n in range(count))
    return next(at for at in starts if get(data, at, "I") == type_)


def segment_field(data: bytes, type_: int, name: str) -> int:
    """A field of the first program header of that type."""
    into, form = SEGMENT[name]
    return get(data, segment_at(data, type_) + into, form)


def set_segment(data: bytes, segment: int, /, **fields: int) -> bytes:
    """`data` with other values in the first program header of type `segment`."""
    start = segment_at(data, segment)
    for name, value in fields.items():
        into, form = SEGMENT[name]
        data = put(data, start + into, form, value)
    return data


def tag_at(data: bytes, tag: int) -> int:
    """The offset of the first entry `tag` of the dynamic section."""
    at = segment_field(data, 2, "offset")
    while get(data, at, "Q") != tag:
        at += TAG_SIZE
    return at


def set_tag(data: bytes, tag: int, value: int, *, new_tag: int | None = None) -> bytes:
    """`data` with another value, or another tag, in the first entry `tag` of the dynamic section."""
    return put(data, tag_at(data, tag), "QQ", tag if new_tag is None else new_tag, value)
