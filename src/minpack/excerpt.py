"""Excerpts of what others wrote, for messages and reports: of what is long a part, and only what can be seen."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most characters of one name, path or reason, and the most items of one list, that a message shows.
MOST_TEXT, MOST_ITEMS = 300, 8
#: The most notes of a run, and the most characters of each.
MOST_NOTES, MOST_NOTE = 100, 1000
#: Bytes that are not UTF-8, as Python has them in text (PEP 383).
_BYTES = range(0xDC80, 0xDD00)


def shorten(text: str, most: int = MOST_TEXT) -> str:
    """`text` in one line; of more than `most` characters the first and last, and how many are between them."""
    if len(text) > most:
        end = most // 4
        text = f"{text[: most - end]}…{len(text) - most} more…{text[-end:]}"
    return text.replace("\n", "\\n") if "\n" in text else text


def quoted(text: str) -> str:
    """`text` as Python writes it, shortened."""
    return repr(shorten(text) if len(text) > MOST_TEXT else text)


def listed(items: Iterable[str], most: int = MOST_ITEMS, separator: str = ", ") -> str:
    """The items in one line: the first `most`, each shortened, and how many more there are."""
    rest = iter(items)
    shown = separator.join(map(shorten, islice(rest, most)))
    more = sum(1 for _ in rest)
    return f"{shown} and {more} more" if more else shown


def few(lines: Iterable[str], most: int, what: str = "and {} more") -> list[str]:
    """The first `most` lines, and one that says how many more there are."""
    rest = iter(lines)
    shown = list(islice(rest, most))
    more = sum(1 for _ in rest)
    return [*shown, what.format(more)] if more else shown


def few_notes(notes: Iterable[str]) -> list[str]:
    """What a run says in passing, each note in one line."""
    return few((shorten(note, MOST_NOTE) for note in notes), MOST_NOTES, "and {} more notes")


def visible(text: str) -> str:
    """`text` with an escape for each character that is not seen as itself, but for spaces and tabs.

    Those are what terminals obey (C0 and C1), what turns the direction of text around or breaks lines (UAX #9 and #14),
    invisible characters, and bytes that are not UTF-8. Everything that people are shown passes here.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\t" else _escape(ord(one)) for one in text)


def _escape(code: int) -> str:
    """The escape that Python and shells have for a character."""
    if code == ord("\n"):
        return "\\n"
    if code in _BYTES:
        code &= 0xFF
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
