"""One header block of a tar: its sum, its numbers, its name.

The formats are ustar (POSIX.1-2017, "pax", section "ustar Interchange Format"),
GNU's (GNU tar manual, "Basic Tar Format") and the older ones without a magic.
"""

from __future__ import annotations

BLOCK = 512


def is_header(block: bytes) -> bool:
    """Whether `block` is a header: the sum of its bytes is the one written in it.

    Some old writers summed bytes as signed numbers; POSIX has readers take both.
    """
    if len(block) != BLOCK:
        return False
    written = number(block[148:156])
    if written is None:
        return False
    # Zero bytes, most of a header, add nothing: leaving them out makes the sum four times faster.
    rest = (block[:148] + block[156:]).translate(None, b"\0")
    total = sum(rest) + 8 * ord(" ")
    return total == written or total - 256 * sum(byte > 127 for byte in rest) == written  # noqa: PLR2004 - the sign bit


def number(field: bytes) -> int | None:
    """The number in a field, octal or GNU's base 256; 0 if it is blank, None if it is not a number or negative."""
    if field[0] & 0x80:
        # The rest are negative, or too large for any use; GNU tar and Go disagree on them.
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else None  # noqa: PLR2004 - the mark itself
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    try:
        # int() alone would take underscores, signs and a prefix too.
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None


def name_of(block: bytes) -> bytes:
    """The name in a header, behind its prefix where the format has one; GNU's has times there."""
    name = block[:100].partition(b"\0")[0]
    if block[257:263] != b"ustar\0":
        return name
    prefix = block[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if prefix else name


def link_of(block: bytes) -> bytes:
    """The link in a header."""
    return block[157:257].partition(b"\0")[0]


def padded(size: int) -> int:
    """The bytes that `size` bytes of data take up in a tar."""
    return (size + BLOCK - 1) // BLOCK * BLOCK
