"""What loaders open for the programs and libraries that are asked for, at the start and later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.errors import MinpackError
from minpack.ld.closure import FoundBy, LateName, Libc
from minpack.ld.resolve import resolve_closure, resolve_plugins
from minpack.ld.variants import find_variants
from minpack.paths import ROOT, RootPath, name, normal
from minpack.reach.model import AskedAs
from minpack.reach.roots import IMAGE
from minpack.resolve.closures import closure_with_late, environment_of
from minpack.rootfs.entry import Kind
from minpack.spec.image import ImageSpec, RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.late import LateLibrary
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.oci.documents import ImageConfig
    from minpack.reach.collect import Collector
    from minpack.rootfs.entry import Entry

#: What glibc's loader reads besides libraries.
_CACHE = ("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld.so.conf")


class Loading:
    """Asks for what loaders open; `closures` are those of the programs that were looked at thoroughly."""

    def __init__(self, collector: Collector, config: ImageConfig, symbols: SymbolsOf) -> None:
        self._collector = collector
        self._run = RunConfig(env=config.env, workdir=normal(config.workdir))
        self._symbols = symbols
        self._hosts: list[tuple[Closure, tuple[LateName, ...]]] = []
        self._names: dict[str, list[RootPath]] | None = None
        #: Paths of all that some loader is known to open.
        self.loaded: set[RootPath] = set()
        self.closures: list[Closure] = []

    def add_program(self, entry: Entry, info: ElfInfo, *, thorough: bool) -> None:
        """Ask for what the loader opens for a program; if `thorough`, for all that may be opened later too."""
        self.loaded.add(entry.path)
        try:
            if not thorough:
                self._add_closure(resolve_closure(self._collector.tree, entry.path, environment_of(self._run)))
                return
            self._add_thoroughly(entry)
        except MinpackError:
            # What does not load here needs its libraries all the same, wherever whoever starts it has them found.
            self._add_needed(entry.path, info.needed)

    def add_libraries(self, libraries: Sequence[tuple[Entry, ElfInfo]]) -> None:
        """Ask for what the loader opens for libraries that programs open by their paths."""
        left = [one for one in libraries if one[0].path not in self.loaded]
        self.loaded.update(entry.path for entry, _ in left)
        if not self._hosts:
            for entry, info in left:
                self._add_needed(entry.path, info.needed)
            return
        host, names = self._hosts[0]
        program, environment = host.program.path, environment_of(self._run)
        wanted = [(LateName((entry.path,), program, required=True),) for entry, _ in left]
        opened = resolve_plugins(self._collector.tree, program, environment, names, wanted)
        for (entry, info), closure in zip(left, opened, strict=True):
            if isinstance(closure, MinpackError):
                self._add_needed(entry.path, info.needed)
            else:
                self._add_closure(closure, via=entry.path)

    def _add_thoroughly(self, entry: Entry) -> None:
        tree = self._collector.tree
        found = closure_with_late(ImageSpec((), run=self._run), entry.path, tree, self._symbols)
        closure, names = found.closure, found.names
        hints = [one for one in found.late if one.sonames]
        if hints and closure.libc is not None:
            more = tuple(LateName(one.sonames, one.needed_by, required=False) for one in hints)
            closure = self._with_hints(closure, entry, names, more)
            names += more
        self.closures.append(closure)
        self._add_closure(closure, late=found.late)
        if closure.libc is not None:
            self._hosts.append((closure, names))
        for one in found.late:
            for path in one.paths:
                self._collector.add_whole(path, AskedAs.NAMED, one.evidence, self._path_of(closure, one.needed_by))
        for variant in find_variants(closure, tree) if closure.libc is Libc.GLIBC else ():
            self._collector.add_path(variant.path, AskedAs.LIBRARY, "loads it on better CPUs", entry.path)

    def _with_hints(
        self, closure: Closure, entry: Entry, names: tuple[LateName, ...], more: tuple[LateName, ...]
    ) -> Closure:
        """The closure with all that strings hint at and is there, as far as it can be loaded."""
        tree, environment = self._collector.tree, environment_of(self._run)
        for each in ((*names, *more), *((*names, one) for one in more)):
            try:
                found = resolve_closure(tree, entry.path, environment, each)
            except MinpackError:
                # One of them is no library for this program: each is tried by itself.
                continue
            if len(each) == len(names) + len(more):
                return found
            self._add_closure(found)
        return closure

    def _path_of(self, closure: Closure, opened_as: str) -> RootPath:
        """The path of the file that the loader knows by another."""
        return next(
            (one.entry.path for one in closure.opened if one.path == opened_as), RootPath(closure.program.entry.path)
        )

    def _add_closure(self, closure: Closure, via: RootPath | None = None, late: Iterable[LateLibrary] = ()) -> None:
        """Ask for all objects of a closure, what was opened first before what it needs.

        :param via: the library that it is the closure of.
        """
        collector, evidence = self._collector, {soname: one for one in late for soname in one.sonames}
        paths = {loaded.path: loaded.entry.path for loaded in closure.opened}
        program = closure.program.entry.path
        for loaded in closure.opened:
            self.loaded.add(loaded.entry.path)
            by = paths.get(loaded.needed_by, program)
            if via is not None and by not in collector.asked:
                by = via
            text = _text(loaded, evidence, late=loaded.path in closure.late)
            if loaded.found_by is FoundBy.PRELOAD:
                by, text = IMAGE, f"preloads {loaded.name}"
            by = by if by in collector.asked else IMAGE
            collector.add_trail(loaded.trail, loaded.name, by)
            collector.add_entry(loaded.entry, AskedAs.LIBRARY, text, by)
        for opened in (*closure.aliases, *closure.settings):
            collector.add_trail(opened.trail, opened.path, program)
            collector.add_entry(opened.entry, AskedAs.LIBRARY, f"has {opened.name} opened by it", program)
        for edge in closure.edges:
            if edge.path in paths and edge.needed_by in paths:
                collector.add_user(paths[edge.path], paths[edge.needed_by])
        if closure.libc is Libc.GLIBC and closure.interpreter is not None:
            for path in _CACHE:
                collector.add_path(path, AskedAs.NEED, "reads it to find libraries", closure.interpreter.entry.path)

    def _add_needed(self, path: RootPath, names: Iterable[str]) -> None:
        """Ask for every file that has one of these names, where nobody knows which of them is loaded."""
        if self._names is None:
            self._names = {}
            for one, entry in tree_below(self._collector.tree.base, ROOT):
                if ".so" in one and entry is not None and entry.kind is not Kind.DIRECTORY:
                    self._names.setdefault(name(one), []).append(one)
        for needed in names:
            for found in self._names.get(name(RootPath(needed)), ()):
                self._collector.add_path(found, AskedAs.LIBRARY, f"needs {needed}", path)
                self._collector.add_user(found, path)


def _text(loaded: LoadedObject, evidence: Mapping[str, LateLibrary], *, late: bool) -> str:
    """Why an object is loaded, as a clause about what it is loaded for."""
    if loaded.found_by is FoundBy.INTERPRETER:
        return f"has {loaded.name} as its loader"
    if loaded.found_by is FoundBy.AUDIT:
        return f"is audited by {loaded.name}"
    one = evidence.get(loaded.name)
    if one is not None:
        return one.evidence
    return f"opens {loaded.name}" if late and loaded.found_by is FoundBy.PATH else f"needs {loaded.name}"
