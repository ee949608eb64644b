"""Documents as YAML that every reader takes for the same, whatever is in them (YAML 1.2.2; 1.1 as PyYAML has it)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    Value: TypeAlias = str | int | bool | Mapping[str, "Value"] | Sequence["Value"]

#: What needs no quotes: a word that begins with a letter or a slash, and is none of those that mean something.
_PLAIN = r"[A-Za-z/][A-Za-z0-9_./-]*"
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def yaml_lines(document: Mapping[str, Value]) -> list[str]:
    """The lines of a document, in its own order."""
    return list(_lines(document, 0))


def _lines(value: Value, depth: int) -> Iterator[str]:
    """The lines of a mapping or a list that is not empty."""
    indent = "  " * depth
    assert not isinstance(value, str | int), "internal error: a document is a mapping"
    items = value.items() if hasattr(value, "items") else ((None, item) for item in value)
    for key, item in items:
        start = "-" if key is None else f"{scalar(key)}:"
        if isinstance(item, str | int) or not item:
            yield f"{indent}{start} {scalar(item) if isinstance(item, str | int) else _empty(item)}"
        elif key is None:
            # What is in a list begins in the line of its dash.
            first, *rest = _lines(item, depth + 1)
            yield f"{indent}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield f"{indent}{start}"
            yield from _lines(item, depth + 1)


def _empty(value: Value) -> str:
    return "{}" if hasattr(value, "items") else "[]"


def scalar(value: str | int) -> str:
    """A number, a truth, or a text: in quotes where it could be taken for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if re.fullmatch(_PLAIN, value, re.ASCII) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    """A character between double quotes (YAML 1.2.2, 5.7); one that is not seen, or turns text around, by number."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004
