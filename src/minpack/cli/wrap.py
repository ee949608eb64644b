"""Lines longer than the terminal is wide, broken between words, what follows below the column that they are of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Lines that are commands to copy stay whole.
_COMMANDS = "next: "
#: Where a line may be broken: not between a number and its unit.
_BREAK = r" (?!(?:B|kB|MB|GB|TB)\b)"
#: How much deeper what follows a line without columns is.
_DEEPER = 2
#: Where a word goes that is too long for its column and not for a line: a digest.
_LONG_WORD = "    "


def wrapped(line: str, width: int) -> Iterator[str]:
    """`line` in lines of at most `width` characters; a word that is longer has a line of its own, whole."""
    if len(line) <= width or line.startswith(_COMMANDS):
        yield line
        return
    start, hanging = _columns(line, width)
    current, empty = line[:start], True
    for gap, word, column in _words(line[start:]):
        # Below a first column that is long, the others go as a whole rather than in parts.
        fits = hanging > start and hanging + len(column) <= width
        needed = len(column) if column and fits else len(word)
        if not empty and len(current) + len(gap) + needed > width:
            yield current.rstrip()
            current, empty = " " * hanging, True
        if empty and len(current) + len(word) > width >= len(_LONG_WORD) + len(word):
            if current.strip():
                yield current.rstrip()
            current = _LONG_WORD
        current += word if empty else f"{gap}{word}"
        empty = False
    yield current.rstrip()


def _words(text: str) -> Iterator[tuple[str, str, str]]:
    """Each word with what is before it, and where it begins a column, all of that; columns are two spaces apart."""
    gaps = ["", *re.findall(" {2,}", text)]
    for gap, column in zip(gaps, re.split(" {2,}", text), strict=True):
        for number, word in enumerate(re.split(_BREAK, column)):
            yield (" ", word, "") if number else (gap, word, column)


def _columns(line: str, width: int) -> tuple[int, int]:
    """Where the text of the last column begins that leaves half the line to it, and where its next lines begin."""
    indent = len(line) - len(line.lstrip(" "))
    ends = [gap.end() for gap in re.finditer(" {2,}", line[: width // 2 + 1]) if gap.end() <= width // 2]
    last = max(ends, default=0)
    return (last, last) if last > indent else (indent, indent + _DEEPER)
