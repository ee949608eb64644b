"""Paragraphs of fields, as Packages, Release and control files have them (deb822(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The most bytes of one paragraph; the longest of Debian's indexes has some 40 KB.
MAX_PARAGRAPH = 1 << 20
_FIELD = re.compile(rb"([!-,.-9;-~][!-9;-~]*):[ \t]*(.*)", re.DOTALL)
_DATA_NAME = re.compile(r"-(?:data|common|modules|mgc|base|core)$|-(?:data|common)-|-eng$")
_NEEDED_NAME = re.compile(rb"(?:^|[,|] *)([a-z0-9][a-z0-9.+-]+)")
DAMAGED = "it was damaged or changed in transit; fetch it again, or use another --mirror"


def split_paragraphs(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The paragraphs of a file that comes in pieces, which lines without characters separate.

    :param name: what to call the file in errors.
    :raises PackageError: a paragraph is longer than `MAX_PARAGRAPH`.
    """
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        yield from (paragraph for paragraph in whole if paragraph.strip(b"\n"))
        if len(rest) > MAX_PARAGRAPH:
            raise PackageError(name, f"it has a paragraph of more than {MAX_PARAGRAPH} bytes", DAMAGED)
    if rest.strip(b"\n"):
        yield rest


def parse_paragraph(paragraph: bytes, name: str) -> dict[str, str]:
    """The fields of a paragraph in order; lines that continue a value stay in it behind a new line.

    :param name: what to call the file in errors.
    :raises PackageError: a line is neither a field nor goes on with one, or a field is there twice.
    """
    fields: dict[str, str] = {}
    if len(paragraph) > MAX_PARAGRAPH:
        raise PackageError(name, f"it has a paragraph of more than {MAX_PARAGRAPH} bytes", DAMAGED)
    for line in re.split(rb"\n(?![ \t])", paragraph.strip(b"\n")):
        match = _FIELD.fullmatch(line)
        field = match[1].decode("ascii") if match is not None else ""
        if match is None or field in fields:
            what = f"duplicate field {field}" if match is not None else f"{_shown(line)} is not a field"
            raise PackageError(name, what, DAMAGED)
        fields[field] = match[2].decode("utf-8", "surrogateescape")
    return fields


def field_of(paragraph: bytes, field: bytes) -> bytes:
    """The first line of the value of `field`; empty if it is not there. In a fraction of the time of a whole parse."""
    name = field + b":"
    start = 0 if paragraph.startswith(name) else paragraph.find(b"\n" + name) + 1
    if not paragraph.startswith(name, start):
        return b""
    start += len(name)
    end = paragraph.find(b"\n", start)
    return paragraph[start : end if end >= 0 else None].strip()


def is_data_name(package: str) -> bool:
    """Whether a package is called as those are that have what another needs, and nothing that runs."""
    return _DATA_NAME.search(package) is not None


def source_of(paragraph: bytes, package: str) -> str:
    """The source that a package was built from, by its control paragraph; by default it is called as the package."""
    return field_of(paragraph, b"Source").partition(b" ")[0].decode("utf-8", "replace") or package


def source_version_of(paragraph: bytes) -> str:
    """The version of the source that a package was built from, by its control paragraph; by default its own."""
    _, bracket, rest = field_of(paragraph, b"Source").partition(b"(")
    found = rest.rstrip(b") ") if bracket else field_of(paragraph, b"Version")
    return found.decode("utf-8", "replace")


def names_needed(paragraph: bytes) -> tuple[str, ...]:
    """The packages that a control paragraph depends on, or recommends, alternatives among them."""
    fields = (field_of(paragraph, name) for name in (b"Pre-Depends", b"Depends", b"Recommends"))
    found = (name.decode() for field in fields for name in _NEEDED_NAME.findall(field))
    return tuple(dict.fromkeys(found))


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))
