"""What an image needs of its base besides libraries, as far as its files show: packed by rule or option, else told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.walk import Walker
from minpack.errors import DownloadError, PackageError, StoreError, SumMismatchError
from minpack.excerpt import listed
from minpack.needs.paths import PathCache
from minpack.paths import normal
from minpack.plan.known_data import find_known_data, owned
from minpack.plan.ownership import ownership_of
from minpack.plan.take import take
from minpack.plan.unpacked import find_unpacked, place_in_base, unknown_paths

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from minpack.base.ownership import Ownership
    from minpack.base.packages import Packages
    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.paths import RootPath
    from minpack.plan.model import Taken
    from minpack.plan.unpacked import Unpacked
    from minpack.program.read import Program
    from minpack.sources.session import Session


#: More paths that nobody knows are counted.
MOST_NAMED = 3


class DataFinder:
    """Looks for what files show, in one base; each file's paths are read once.

    Where a base is made of packages nothing is fetched because it is looked at, but for the packages of data that
    libraries do not work without, and that of a program which names files of it.

    :param programs: those that the user named.
    """

    def __init__(
        self,
        session: Session,
        symbols: SymbolsOf,
        variables: Sequence[tuple[str, str]],
        programs: Sequence[Program],
    ) -> None:
        self.paths = PathCache()
        #: What could not be looked at, and why.
        self.notes: tuple[str, ...] = ()
        self._session = session
        self._symbols = symbols
        self._variables = variables
        self._sources = {str(program.destination): program.path for program in programs}
        self._ownership: Ownership | None = None
        self._asked = False

    @property
    def _is_fetched(self) -> bool:
        """Whether the base is made of packages that are fetched."""
        return self._session.opened.kind is BaseKind.PACKAGES

    def known(self, closures: Sequence[Closure]) -> tuple[Taken, ...]:
        """What the libraries never work without."""
        found = find_known_data(closures, self._symbols, self._tree, self._session.packages.add_data)
        return self._of_packages(found) if found else ()

    def strong(self, closures: Sequence[Closure], packed: Collection[RootPath]) -> tuple[Taken, ...]:
        """What the files have strong evidence of, as far as packages have it."""
        strong = [one for one in self.unpacked(closures, packed, every=False) if one.strong]
        tree = self._tree()
        found: dict[RootPath, Taken] = {}
        for one in strong:
            for taken in take((one.path,), tree, f"--take strong: {one.needed_by} contains {{}}").files:
                found.setdefault(taken.entry.path, taken._replace(named=False))
        kept = self._of_packages(tuple(found.values()))
        if self._is_fetched:
            add_owners(kept, self._session.packages)
        return kept

    def unpacked(
        self, closures: Sequence[Closure], packed: Collection[RootPath], *, every: bool
    ) -> tuple[Unpacked, ...]:
        """What the files have the paths of and is not packed; see `find_unpacked`."""
        if self._session.opened.kind is BaseKind.SCRATCH:
            return ()
        found = self._find(closures, packed, every=every)
        if self._is_fetched and self._fetch_programs(closures, found):
            return self._find(closures, packed, every=every)
        return found

    def _find(self, closures: Sequence[Closure], packed: Collection[RootPath], *, every: bool) -> tuple[Unpacked, ...]:
        about = (closures, self.paths, self._symbols, packed, self._tree(), self._owners(), self._variables)
        return find_unpacked(*about, every=every)

    def _fetch_programs(self, closures: Sequence[Closure], found: Sequence[Unpacked]) -> bool:
        """Whether packages came of programs that have paths within them; each program's are asked for once.

        Its package tells whether it is that of the distribution, and chooses the data of its libraries. What cannot be
        had is told: nothing needs it yet.
        """
        tree, count = self._tree(), len(self._session.packages.fetched)
        for closure in closures:
            source = self._sources.pop(closure.program.path, "")
            about = (closure, self.paths, self._variables, tree)
            if source and (found or unknown_paths(*about, of_libraries=True)):
                try:
                    self._session.packages.add_program(places_of(source))
                except (StoreError, DownloadError, PackageError, SumMismatchError) as error:
                    name = closure.program.path.rpartition("/")[2]
                    self.notes += (f"what {name} may open could not be looked up: {error}",)
        return len(self._session.packages.fetched) > count

    def left(self, closures: Sequence[Closure], *, every: bool) -> tuple[str, ...]:
        """A note for each program of a distribution that names files of packages which are not fetched.

        :param every: also for programs of which no package is known.
        """
        if not self._is_fetched:
            return ()
        tree = self._tree()
        notes = []
        for closure in closures:
            found = unknown_paths(closure, self.paths, self._variables, tree)
            if found and (every or place_in_base(closure.program, tree) is not None):
                name = closure.program.path.rpartition("/")[2]
                notes.append(
                    f"{name} may open {listed(found, MOST_NAMED)}: of {self._session.name} minpack knows only the"
                    " files of packages that it fetched; --package NAME packs those of another"
                )
        return (*self.notes, *notes)

    def _tree(self) -> Walker:
        """Over all that is known of the base without fetching anything."""
        if self._is_fetched:
            return Walker(self._session.packages.known(self._session.opened.base), self._session.walker.known)
        return self._session.tree()

    def _of_packages(self, found: tuple[Taken, ...]) -> tuple[Taken, ...]:
        return owned(found, self._session.packages, None if self._is_fetched else self._owners())

    def _owners(self) -> Ownership | None:
        if not self._asked:
            self._asked = True
            self._ownership = self._session.packages.ownership() or ownership_of(self._session.walker)
        return self._ownership


def add_owners(taken: Sequence[Taken], packages: Packages) -> None:
    """Add the packages of what is taken, so that whoever takes a part is told what whoever adds all is."""
    for name in {owner.name: None for one in taken if (owner := packages.owner(one.entry))}:
        packages.add(name)


def places_of(path: str) -> tuple[RootPath, ...]:
    """Where a distribution may have the program that is at the host's `path`: there, or where commands are."""
    real = os.path.realpath(path)
    name = os.path.basename(real)
    below = real.rpartition("/usr/")[2]
    return tuple(dict.fromkeys(map(normal, (f"/usr/{below}", f"/usr/bin/{name}", f"/usr/sbin/{name}"))))
