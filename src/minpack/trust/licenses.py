"""Licences as distributions write them, as SPDX expressions (SPDX 2.3, annex D).

What is no identifier of SPDX's list becomes a reference, ``LicenseRef-…``, to the words of the distribution: nobody's
licence is guessed.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: A longer text, or one that is nested deeper, is a reference as a whole.
_LONGEST, _DEEPEST = 2000, 20
_TOKEN = re.compile(r"[()]|[^\s()]+")
#: In copyright files a comma before the word makes it bind less (DEP-5, "License specification").
_LOOSE = (("AND", re.compile(r",\s+and\s+", re.IGNORECASE)), ("OR", re.compile(r",\s+or\s+", re.IGNORECASE)))
#: GNU's licences in DEP-5: of that version alone, or of a later one too.
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)(-NIV)?-([0-9]+(?:\.[0-9]+)?)(\+?)", re.IGNORECASE)
#: Names that DEP-5 defines and SPDX has others for.
_DEBIAN = {
    "expat": "MIT",
    "cc0": "CC0-1.0",
    "artistic": "Artistic-1.0",
    "perl": "(Artistic-1.0-Perl OR GPL-1.0-or-later)",
}


class License(NamedTuple):
    """An SPDX expression, empty where nothing is known, and the words that its references stand for."""

    expression: str = ""
    references: Mapping[str, str] = {}


def license_of(texts: Iterable[str]) -> License:
    """The licence of what all of `texts` apply to."""
    references: dict[str, str] = {}
    found = {_loose(text.strip(), references): None for text in sorted(texts) if text.strip()}
    single = len(found) == 1
    expression = " AND ".join(one if single else _grouped(one, "AND") for one in found)
    return License(expression, {key: references[key] for key in sorted(references) if key in expression})


class _NotAnExpressionError(Exception):
    """The text is something else."""


def _loose(text: str, references: dict[str, str]) -> str:
    """The expression of one text."""
    if len(text) > _LONGEST:
        return _reference(text, references)
    for operator, pattern in _LOOSE:
        parts = [part.strip() for part in pattern.split(text)]
        if len(parts) > 1 and all(parts):
            return f" {operator} ".join(_grouped(_loose(part, references), operator) for part in parts)
    try:
        reading = _Reading(_TOKEN.findall(text), references)
        found = reading.choice(0)
        reading.check_end()
    except _NotAnExpressionError:
        return _reference(text, references)
    return found


def _grouped(expression: str, operator: str) -> str:
    """The expression as an operand of `operator`."""
    other = " OR " if operator == "AND" else " AND "
    return f"({expression})" if other in expression and not _is_group(expression) else expression


def _is_group(expression: str) -> bool:
    """Whether one pair of parentheses holds all of it."""
    depth = 0
    for at, character in enumerate(expression):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and at < len(expression) - 1:
            return False
    return expression.startswith("(")


class _Reading:
    """Takes the tokens of an expression one after the other."""

    def __init__(self, tokens: list[str], references: dict[str, str]) -> None:
        self._tokens = tokens
        self._references = references
        self._at = 0

    def choice(self, depth: int) -> str:
        """Alternatives."""
        return self._joined("OR", depth)

    def check_end(self) -> None:
        """Raise `_NotAnExpressionError` if something is left."""
        if self._at < len(self._tokens):
            raise _NotAnExpressionError

    def _joined(self, operator: str, depth: int) -> str:
        inner = self._operand if operator == "AND" else lambda depth: self._joined("AND", depth)
        found = [inner(depth)]
        while self._next().upper() == operator:
            self._at += 1
            found.append(inner(depth))
        return f" {operator} ".join(found)

    def _operand(self, depth: int) -> str:
        if depth > _DEEPEST:
            raise _NotAnExpressionError
        if self._next() == "(":
            self._at += 1
            found = self.choice(depth + 1)
            if self._next() != ")":
                raise _NotAnExpressionError
            self._at += 1
            return found if " " not in found else f"({found})"
        words = []
        while self._next() not in ("", "(", ")") and self._next().upper() not in ("AND", "OR"):
            words.append(self._tokens[self._at])
            self._at += 1
        return self._named(words)

    def _named(self, words: list[str]) -> str:
        """The licence that the words name, one alone or one with an exception."""
        if not words:
            raise _NotAnExpressionError
        name = _identifier(words[0])
        if len(words) == 1 and name:
            return name
        if len(words) == 3 and words[1].upper() == "WITH" and name:  # noqa: PLR2004 - a licence, the word, an exception
            exception = _exceptions().get(words[2].lower())
            if exception is not None:
                return f"{name} WITH {exception}"
        return _reference(" ".join(words), self._references)

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""


def _identifier(word: str) -> str:
    """The identifier of the licence that a distribution calls so; empty if SPDX has none."""
    known, lower = _identifiers(), word.lower()
    match = _GNU.fullmatch(word)
    if match is not None:
        # Without a word about later versions the identifiers are deprecated.
        version = match[3] if "." in match[3] else f"{match[3]}.0"
        invariants = "-no-invariants" if match[2] else ""
        return known.get(f"{match[1]}-{version}{invariants}-{'or-later' if match[4] else 'only'}".lower(), "")
    if lower.endswith("+") and lower not in known:
        name = _identifier(word[:-1])
        return f"{name}+" if name and name.isascii() and " " not in name else ""
    # The last zero of a version may be left out (DEP-5).
    return known.get(lower) or _DEBIAN.get(lower) or known.get(f"{lower}.0", "")


def _reference(text: str, references: dict[str, str]) -> str:
    """A reference to a licence of those words, which differs from all others."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-")[:60]
    unique = "" if plain == text else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    name = "-".join(part for part in ("LicenseRef", plain, unique) if part)
    references[name] = text[:_LONGEST]
    return name


@cache
def _identifiers() -> dict[str, str]:
    from minpack.trust.license_list import LICENSES  # noqa: PLC0415 - where there is a licence

    return {name.lower(): name for name in LICENSES.split()}


@cache
def _exceptions() -> dict[str, str]:
    from minpack.trust.license_list import EXCEPTIONS  # noqa: PLC0415 - as above

    return {name.lower(): name for name in EXCEPTIONS.split()}
