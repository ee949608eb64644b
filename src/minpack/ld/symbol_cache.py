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


def symbols_of(loaded: LoadedObject, *, imports_alone: bool = False) -> Symbols:
    """The object's symbols, read anew; `imports_alone` is that of `read_symbols`.

    :raises MalformedElfError: a table of it cannot be true.
    """
    content = loaded.entry.content
    assert content is not None, f"internal error: {loaded.entry.path} has no content"
    return read_symbols(content, loaded.entry.path, imports_alone=imports_alone)


class SymbolCache:
    """Keeps the symbols of the objects of one tree, to be passed as `SymbolsOf` to all who want them.

    :param imports_alone: that of `read_symbols`; where nothing is to be proved, nobody asks for more.
    """

    def __init__(self, *, imports_alone: bool = False) -> None:
        self._imports_alone = imports_alone
        self._known: dict[str, Symbols] = {}

    def __call__(self, loaded: LoadedObject) -> Symbols:
        """The object's symbols, read once.

        :raises MalformedElfError: a table of it cannot be true.
        """
        key = loaded.entry.path
        if key not in self._known:
            self._known[key] = symbols_of(loaded, imports_alone=self._imports_alone)
        return self._known[key]
