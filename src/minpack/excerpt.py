"""Excerpts of what others wrote, for messages and reports: of what is long a part is shown, and the rest counted."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most characters of one name, path or reason, and the most items of one list, that a message shows.
MOST_TEXT, MOST_ITEMS = 300, 8
#: The most notes of a run, and the most characters of each.
MOST_NOTES, MOST_NOTE = 100, 1000


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
