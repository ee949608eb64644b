"""Licences in a machine-readable copyright file (DEP-5, "Machine-readable debian/copyright file", version 1.0)."""

from __future__ import annotations

import re

from minpack.deb.control import parse_paragraph, split_paragraphs
from minpack.errors import PackageError

#: More bytes than any copyright file of Debian's main has.
MAX_COPYRIGHT = 8 << 20
#: The most licences of one file, and the longest name of one.
MAX_LICENSES = 500
_LONGEST = 400
_FORMAT = re.compile(
    r"https?://(?:www\.)?(?:debian\.org/doc/packaging-manuals/copyright-format|dep\.debian\.net/deps/dep5)"
)


def parse_licenses(data: bytes) -> tuple[str, ...]:
    """The licences of the files that the copyright file is about, as it names them: ``GPL-2+``, ``Expat or MPL-1.1``.

    None of one that is not machine-readable: nothing is read out of plain text.
    """
    try:
        paragraphs = [parse_paragraph(one, "copyright") for one in split_paragraphs((_plain(data),), "copyright")]
    except PackageError:
        return ()
    if not paragraphs or _FORMAT.match(paragraphs[0].get("Format", "")) is None:
        return ()
    of_files = (one["License"] for one in paragraphs[1:] if "Files" in one and "License" in one)
    # The first line names the licence, its text may follow (DEP-5, "License field").
    named = (" ".join(one.partition("\n")[0].split()) for one in of_files)
    found = dict.fromkeys(name for name in named if 0 < len(name) <= _LONGEST)
    return tuple(sorted(found)[:MAX_LICENSES])


def _plain(data: bytes) -> bytes:
    """The file without comments and blanks at the ends of lines, which make an empty line of one that separates."""
    lines = (line.rstrip() for line in data[:MAX_COPYRIGHT].splitlines())
    return b"\n".join(line for line in lines if not line.startswith(b"#"))
