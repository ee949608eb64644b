"""What an image needs of its base besides libraries, as far as its files show: packed by rule or option, else told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.needs.paths import PathCache
from minpack.plan.known_data import find_known_data, owned
from minpack.plan.ownership import ownership_of
from minpack.plan.take import take
from minpack.plan.unpacked import find_unpacked

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.paths import RootPath
    from minpack.plan.model import Taken
    from minpack.plan.ownership import Ownership
    from minpack.plan.unpacked import Unpacked
    from minpack.sources.session import Session


class DataFinder:
    """Looks for what files show, in one base; each file's paths are read once."""

    def __init__(self, session: Session, symbols: SymbolsOf, variables: Sequence[tuple[str, str]]) -> None:
        self.paths = PathCache()
        self._session = session
        self._symbols = symbols
        self._variables = variables
        self._ownership: Ownership | None = None
        self._asked = False

    @property
    def _is_fetched(self) -> bool:
        """Whether what is looked at in the base is fetched for that: so nothing is that was not meant."""
        return self._session.opened.kind is BaseKind.PACKAGES

    def known(self, closures: Sequence[Closure]) -> tuple[Taken, ...]:
        """What the libraries never work without."""
        tree = self._session.tree()
        found = find_known_data(closures, self._symbols, tree, is_fetched=self._is_fetched)
        return self._of_packages(found) if found else ()

    def strong(self, closures: Sequence[Closure], packed: Collection[RootPath]) -> tuple[Taken, ...]:
        """What the files have strong evidence of, as far as packages have it."""
        tree = self._session.tree()
        found: dict[RootPath, Taken] = {}
        for one in self.unpacked(closures, packed, every=False):
            for taken in take((one.path,), tree, f"--take strong: {one.needed_by} has {{}} within it").files:
                found.setdefault(taken.entry.path, taken._replace(named=False))
        return self._of_packages(tuple(found.values()))

    def unpacked(
        self, closures: Sequence[Closure], packed: Collection[RootPath], *, every: bool
    ) -> tuple[Unpacked, ...]:
        """What the files have the paths of and is not packed; see `find_unpacked`."""
        if self._is_fetched or self._session.opened.kind is BaseKind.SCRATCH:
            return ()
        about = (closures, self.paths, self._symbols, packed, self._session.tree(), self._owners(), self._variables)
        return find_unpacked(*about, every=every)

    def _of_packages(self, found: tuple[Taken, ...]) -> tuple[Taken, ...]:
        return owned(found, self._session.packages, None if self._is_fetched else self._owners())

    def _owners(self) -> Ownership | None:
        if not self._asked:
            self._asked = True
            self._ownership = ownership_of(self._session.walker)
        return self._ownership
