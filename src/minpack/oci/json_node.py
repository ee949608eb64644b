"""What a JSON document says, read with every expectation that it breaks noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import ChangedInputError, InputError
from minpack.namedtuple import NamedTuple
from minpack.oci.documents import MAX_DOCUMENT

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from minpack.content import Content


class Issues:
    """Collects what is wrong; each issue says where."""

    def __init__(self, where: str, found: list[str] | None = None) -> None:
        self._where = where
        self.found: list[str] = [] if found is None else found

    def add(self, what: str) -> None:
        """Note an issue."""
        self.found.append(f"{self._where}: {what}")

    def within(self, where: str) -> Issues:
        """For issues at another place; they are among these."""
        return Issues(where, self.found)


class JsonNode(NamedTuple):
    """A value of a document, and how it is called there; `value` is None too where there is none."""

    value: object
    name: str
    issues: Issues

    def field(self, key: str) -> JsonNode:
        """The member `key` of an object."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return JsonNode(value, f"{self.name}.{key}" if self.name else key, self.issues)

    def wrong(self, expected: str) -> None:
        """Note that something else was expected."""
        shown = "nothing" if self.value is None else _shown(self.value)
        self.issues.add(f"{self.name or 'it'} is {shown}; expected {expected}")

    def equals(self, expected: object) -> None:
        """It is `expected`."""
        if self.value != expected or type(self.value) is not type(expected):
            self.wrong(_shown(expected))

    def items(self, expected: str) -> tuple[JsonNode, ...]:
        """The items of a list, which it is."""
        if not isinstance(self.value, list):
            self.wrong(expected)
            return ()
        return tuple(JsonNode(item, f"{self.name}[{at}]", self.issues) for at, item in enumerate(self.value))

    def text(self, pattern: re.Pattern[str], expected: str) -> str | None:
        """A string that `pattern` matches whole; else None."""
        if isinstance(self.value, str) and pattern.fullmatch(self.value):
            return self.value
        self.wrong(expected)
        return None

    def non_negative_int(self) -> int | None:
        """A number that is not negative; else None."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and self.value >= 0:
            return self.value
        self.wrong("a number")
        return None

    def mapping(self, fits: Callable[[str, object], bool], expected: str) -> dict[str, object]:
        """The members of an object that is there or not; `fits` holds for each key and value."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict) or not all(fits(key, value) for key, value in self.value.items()):
            self.wrong(expected)
            return {}
        return self.value


def read_document(content: Content | None, issues: Issues) -> JsonNode:
    """The JSON document in `content`; one that says nothing if it is not there or no JSON."""
    if content is None:
        issues.add("it is missing")
        return JsonNode(None, "", issues)
    try:
        return JsonNode(parsed(read_all(content, MAX_DOCUMENT)), "", issues)
    except (InputError, ChangedInputError) as error:
        issues.add(error.message)
    except (ValueError, RecursionError) as error:
        issues.add(f"it is not JSON: {error}")
    return JsonNode(None, "", issues)


def is_empty(stated: JsonNode) -> bool:
    """Whether it says nothing: what is wrong with that has been noted."""
    return stated.value is None


def parsed(data: bytes) -> object:
    """The value of a JSON document in UTF-8, whose objects have each key once.

    :raises ValueError: it is none.
    :raises RecursionError: it has too many levels.
    """
    import json  # noqa: PLC0415

    return json.loads(data.decode(), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key in found if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"duplicate key {twice!r}")
    return found


def _shown(value: object) -> str:
    import json  # noqa: PLC0415

    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 120 else f"{text[:100]}…"  # noqa: PLR2004 - what fits on a line
