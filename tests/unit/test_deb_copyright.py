"""Licences in copyright files, of those alone that are machine-readable (DEP-5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.deb.copyright import MAX_LICENSES, parse_licenses

FORMAT = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nSource: https://x.example\n\n"


def test_each_licence_of_files_is_there_once() -> None:
    """Of the paragraphs about files; a licence's own paragraph has its text."""
    text = (
        FORMAT
        + b"Files: *\nCopyright: 2020 A\nLicense: GPL-2+  or Artistic\n\n"
        + b"Files: debian/*\nCopyright: B\nLicense: Expat\n Permission is hereby granted\n .\n to all\n\n"
        + b"Files: lib/*\nCopyright: C\nLicense: Expat\n\n"
        + b"License: GPL-2+\n This program is free software\n"
    )
    assert parse_licenses(text) == ("Expat", "GPL-2+ or Artistic")


@pytest.mark.parametrize("end", [b"\n", b" \n", b"\r\n"])
def test_blanks_and_comments_between_paragraphs_are_passed_over(end: bytes) -> None:
    """An empty line may have blanks; lines that begin with ``#`` are comments (deb822(5))."""
    text = (FORMAT + b"# a comment\nFiles: *\nCopyright: A\nLicense: MIT\n").replace(b"\n", end)
    assert parse_licenses(text) == ("MIT",)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"This package was debianized by A.\n\nLicense: GPL\n",
        b"Format: https://example.com/other\n\nFiles: *\nLicense: MIT\n",
        FORMAT,
        FORMAT + b"Files: *\nCopyright: A\nLicense:\n some text\n",
        FORMAT + b"Files: *\nLicense: " + b"x" * 500 + b"\n",
        FORMAT + b"no field\n\nFiles: *\nLicense: MIT\n",
    ],
)
def test_nothing_is_read_out_of_plain_text(text: bytes) -> None:
    """Nor out of one that is damaged, or names no licence."""
    assert parse_licenses(text) == ()


def test_older_addresses_of_the_format_count() -> None:
    """As files of before the format had its place have them."""
    for address in (
        b"http://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        b"http://dep.debian.net/deps/dep5/",
    ):
        assert parse_licenses(b"Format: " + address + b"\n\nFiles: *\nLicense: BSD-3-clause\n") == ("BSD-3-clause",)


def test_there_are_not_too_many() -> None:
    """A file with more than any real one has gives so many."""
    text = FORMAT + b"".join(b"Files: %d\nLicense: L-%d\n\n" % (n, n) for n in range(MAX_LICENSES + 9))
    assert len(parse_licenses(text)) == MAX_LICENSES


@given(st.binary(max_size=200))
def test_any_bytes_give_licences_or_none(data: bytes) -> None:
    """It never fails."""
    assert all(parse_licenses(FORMAT + data))
