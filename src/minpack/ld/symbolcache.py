"""Reading the symbols of loaded objects, each file's once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from minpack.elf.symbols import read_symbols

if TYPE_CHECKING:
    from minpack.elf.symbols import Symbols
    from minpack.ld.closure import LoadedObject

#: Gives the symbols of an object; raises MalformedElfError where a table of it cannot be true.
SymbolsOf = Callable[["LoadedObject"], "Symbols"]


def symbols_of(loaded: LoadedObject) -> Symbols:
    """The object's symbols, read anew.

    :raises MalformedElfError: a table of it cannot be true.
    """
    content = loaded.entry.content
    assert content is not None, f"internal error: {loaded.entry.path} has no content"
    return read_symbols(content, loaded.entry.path)


class SymbolCache:
    """Keeps the symbols of the objects of one tree, to be passed as `SymbolsOf` to all who want them."""

    def __init__(self) -> None:
        self._known: dict[str, Symbols] = {}

    def __call__(self, loaded: LoadedObject) -> Symbols:
        """The object's symbols, read once.

        :raises MalformedElfError: a table of it cannot be true.
        """
        key = loaded.entry.path
        if key not in self._known:
            self._known[key] = symbols_of(loaded)
        return self._known[key]
