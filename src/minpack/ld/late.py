"""The values of what is opened later: by dlopen(3) or by path, once the program runs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.elf.symbols import SymbolReference, Symbols
    from minpack.ld.closure import LoadedObject


class Level(StrEnum):
    """How much is lost without it; a closed list, used in JSON. The first three are those of dlopen metadata."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    SUGGESTED = "suggested"
    #: It may be opened, and may be never.
    HINT = "hint"

    @property
    def rank(self) -> int:
        """0 for the highest."""
        return list(Level).index(self)


class LateLibrary(NamedTuple):
    """Something an object of the closure opens later.

    `sonames` are alternatives of which the first that exists is opened, searched for as a needed name of the object
    that is loaded as `needed_by`. `paths` are files or directories of the image that are opened where they are, in
    place of libraries or with them. `evidence` is a clause whose subject is that object.
    """

    sonames: tuple[str, ...]
    level: Level
    needed_by: str
    evidence: str
    paths: tuple[str, ...] = ()


class Importer(NamedTuple):
    """An object of the closure, and its symbols."""

    loaded: LoadedObject
    symbols: Symbols

    @property
    def path(self) -> str:
        """What it is loaded as."""
        return self.loaded.path

    @property
    def imports(self) -> Mapping[bytes, SymbolReference]:
        """What it refers to and does not define, by name."""
        return self.symbols.imports
