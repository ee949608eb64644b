"""Colours on a terminal: of the words that say what a line is. Imported on terminals alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How each is shown (ECMA-48, SGR).
_STYLES = {"minpack:": "1;31", "hint:": "1;36", "note:": "33", "next:": "1;32"}


def takes_colours(environment: Mapping[str, str]) -> bool:
    """Whether a terminal is to be sent colours: not a dumb one, nor where NO_COLOR is set (no-color.org)."""
    return environment.get("TERM", "") not in ("", "dumb") and not environment.get("NO_COLOR")


def coloured(line: str) -> str:
    """`line` with its first word in colour, if that says what the line is."""
    word = line.partition(" ")[0]
    style = _STYLES.get(word)
    return f"\x1b[{style}m{word}\x1b[0m{line[len(word) :]}" if style is not None else line
