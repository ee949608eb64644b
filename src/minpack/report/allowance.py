"""How much a JSON document may have of what files say in products: all pairs of needed names and directories, say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from minpack.excerpt import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")

#: The most characters of such rows in a document. Those of the largest programs have a million.
MOST = 8 << 20
#: What a field and its name take besides its text.
FIELD = 32


class Allowance:
    """Makes rows until they have too many characters together; `left_out` counts those that had no room."""

    def __init__(self, characters: int = MOST) -> None:
        self._left = characters
        self.left_out = 0

    def rows(self, items: Iterable[Item], row: Callable[[Item], dict[str, Any]]) -> list[dict[str, Any]]:
        """A row for each item that there is room for; lists of rows within one have been counted by themselves."""
        found = []
        for item in items:
            made = row(item) if self._left > FIELD else {}
            size = sum(FIELD + _length(value) for value in made.values())
            if made and size <= self._left:
                self._left -= size
                found.append(made)
            else:
                self.left_out += 1
        return found

    def value(self, value: object) -> object:
        """A value of an error, of its lists what there is room for."""
        if isinstance(value, list | tuple):
            found = []
            for item in value:
                if self._left > FIELD + _length(item):
                    found.append(self.value(item))
                else:
                    self.left_out += 1
            return found
        self._left -= FIELD + _length(value)
        return shorten(value, MOST) if isinstance(value, str) else value


def _length(value: object) -> int:
    """The characters of a field's own text, or of its list's."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_length, value)) if isinstance(value, list) else 0
