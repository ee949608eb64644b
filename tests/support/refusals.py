"""The tables of `docs/errors.md`: what is typed, and what minpack says.

The examples are typed in the directory that `badfiles` makes. In a message or hint an ellipsis stands for anything.
Where there is no example, the case needs more than files, and has a test of its own that looks its row up.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from support.badfiles import SUM

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


class Refusal(NamedTuple):
    """One row: what is wrong, the command, what follows ``minpack: `` and ``hint: ``, the exit code, and the kind."""

    what: str
    arguments: tuple[str, ...]
    message: str
    hint: str
    code: int
    kind: str


def refusals() -> tuple[Refusal, ...]:
    """Every row of the page."""
    lines = (line for line in PAGE.read_text().splitlines() if line.startswith("| "))
    rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return tuple(_refusal(*row) for row in rows if len(row) == len(Refusal._fields) and row[4].isdigit())


def _refusal(what: str, example: str, message: str, hint: str, code: str, kind: str) -> Refusal:
    return Refusal(what, tuple(shlex.split(_text(example))), _text(message), _text(hint), int(code), kind)


def _text(cell: str) -> str:
    """A cell's code as it is printed."""
    lines = re.findall(r"`([^`]*)`", cell)
    return "\n".join(lines).replace("\\|", "|").replace("SUM", SUM)


def row(what: str) -> Refusal:
    """The case of that name."""
    (found,) = (refusal for refusal in refusals() if refusal.what == what)
    return found
