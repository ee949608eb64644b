"""Where each key and value of a TOML document is: tomllib says what they are, and this where.

The text is one that tomllib has read, so that nothing here looks for errors (TOML 1.0.0).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    #: The keys, and the numbers in arrays, that lead to a value.
    Path: TypeAlias = tuple[str | int, ...]

#: What may stand between two tokens: spaces, line ends, comments.
_BETWEEN = r"(?:[ \t\r\n]|#[^\n]*)*"
_SPACES = r"[ \t]*"
_BARE_KEY = r"[A-Za-z0-9_-]+"
#: A string of any of the four kinds; the long ones may end with up to two quotes of their own.
_STRING = (
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
#: A number, a date, true or false; a date may have a space before its time.
_PLAIN = r"\d{4}-\d\d-\d\d \d\d[^\s,\]}#]*|[^\s,\]}#]+"


class Place(NamedTuple):
    """A place in a file, its line and column counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Places(NamedTuple):
    """Where the keys of a document are, and where their values are, by the path to them."""

    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]


def find_places(text: str) -> Places:
    """The places of all keys and values of a TOML document that is known to be one."""
    # As tomllib has it: each line ends with a line feed alone.
    return _Scan(text.replace("\r\n", "\n")).places()


class _Scan:
    """One pass over a document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._keys: dict[Path, Place] = {}
        self._values: dict[Path, Place] = {}
        #: The last table of each array of tables.
        self._last: dict[Path, int] = {}

    def places(self) -> Places:
        table: Path = ()
        self._skip(_BETWEEN)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BETWEEN)
        return Places(self._keys, self._values)

    def _header(self) -> Path:
        """``[table]`` or ``[[array of tables]]``: the path of what follows."""
        is_array = self._text.startswith("[[", self._at)
        self._skip(r"\[+")
        path: Path = ()
        for key, place in self._dotted():
            path = (*path, key)
            self._keys.setdefault(path, place)
            self._values.setdefault(path, place)
            if path in self._last:
                path = (*path, self._last[path])
        if is_array:
            array = path[:-1] if path and isinstance(path[-1], int) else path
            self._last[array] = self._last.get(array, -1) + 1
            path = (*array, self._last[array])
            self._values[path] = place
        self._skip(_SPACES + r"\]+")
        return path

    def _pair(self, table: Path) -> None:
        """``key = value``."""
        path = table
        for key, place in self._dotted():
            path = (*path, key)
            self._keys.setdefault(path, place)
            self._values.setdefault(path, place)
        self._skip(_SPACES + "=" + _SPACES)
        self._value(path)

    def _dotted(self) -> Iterator[tuple[str, Place]]:
        """The parts of a key, each with its place."""
        while True:
            self._skip(_SPACES)
            place = self._place()
            quoted = self._text[self._at] in "\"'"
            part = self._take(_STRING if quoted else _BARE_KEY)
            yield _unquoted(part) if quoted else part, place
            self._skip(_SPACES)
            if self._text[self._at : self._at + 1] != ".":
                return
            self._at += 1

    def _value(self, path: Path) -> None:
        self._values[path] = self._place()
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._take(_STRING if first in "\"'" else _PLAIN)

    def _array(self, path: Path) -> None:
        self._skip(r"\[" + _BETWEEN)
        number = 0
        while self._text[self._at] != "]":
            self._value((*path, number))
            number += 1
            self._skip(f"{_BETWEEN},?{_BETWEEN}")
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._skip(r"\{" + _BETWEEN)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(f"{_BETWEEN},?{_BETWEEN}")
        self._at += 1

    def _skip(self, pattern: str) -> None:
        self._take(pattern)

    def _take(self, pattern: str) -> str:
        found = re.compile(pattern, re.DOTALL).match(self._text, self._at)
        assert found is not None, f"internal error: nothing that tomllib reads is at {self._place()}"
        self._at = found.end()
        return found[0]

    def _place(self) -> Place:
        line = bisect_right(self._lines, self._at)
        return Place(line, self._at - self._lines[line - 1] + 1)


def _unquoted(text: str) -> str:
    """The key that a quoted part stands for."""
    import tomllib  # noqa: PLC0415 - for quoted keys alone

    (key,) = tomllib.loads(f"{text} = 0")
    return key
