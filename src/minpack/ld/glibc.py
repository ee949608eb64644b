"""glibc's loader: the search of `elf/dl-load.c`, the order of `elf/dl-deps.c`, for a CPU with nothing but the baseline.

Subdirectories for better CPUs (glibc-hwcaps) are passed over: the search
falls through to the baseline's file, which is the one that runs everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.content import read_all
from minpack.elf.format import ET_EXEC
from minpack.errors import InputError, NotElfError, UnloadableLibraryError
from minpack.ld.cache import MAX_CACHE, parse_cache
from minpack.ld.closure import Alias, Considered, Edge, FoundBy, LoadedObject, Missing
from minpack.ld.opening import identity, origin_of
from minpack.ld.tokens import expand_glibc
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walk
    from minpack.ld.closure import Environment
    from minpack.ld.constants import GlibcConstants
    from minpack.ld.opening import Opener

DF_1_NODEFLIB = 0x800
#: The preload file; one name a word, ``#`` starts a comment (ld.so(8), "FILES").
PRELOAD_FILE = "/etc/ld.so.preload"
MAX_PRELOAD_FILE = 1 << 20


class _Node:
    """An object while the closure grows; `names` are what it has been asked by."""

    def __init__(self, loaded: LoadedObject, loader: _Node | None) -> None:
        self.loaded = loaded
        self.loader = loader
        self.names = {loaded.path, loaded.name}
        info = loaded.info
        if info.soname is not None:
            self.names.add(info.soname)
        # A runpath hides the rpath of its own object (elf/get-dynamic-info.h).
        self.rpath = info.rpath if info.runpath is None else None


class GlibcLoader:
    """One run of the model; `objects`, `edges` and `missing` are its result."""

    def __init__(
        self,
        opener: Opener,
        program: LoadedObject,
        interpreter: LoadedObject,
        constants: GlibcConstants,
        environment: Environment,
    ) -> None:
        self._opener = opener
        self._constants = constants
        self._environment = environment
        self._program = _Node(program, None)
        self._program.names = set()
        self._interpreter = _Node(interpreter, self._program)
        self._interpreter.names.add(program.info.interpreter or "")
        self._nodes = [self._program]
        self._cache: dict[str, str] | None = None
        self.edges: list[Edge] = []
        self.missing: list[Missing] = []
        self.aliases: list[Alias] = []

    def run(self) -> GlibcLoader:
        """Load what is preloaded, then breadth-first all that is needed (rtld.c dl_main, _dl_map_object_deps)."""
        for name in re.split(r"[ :]+", self._environment.preload) + self._preload_file():
            if name:
                self._load(name, self._program, FoundBy.PRELOAD)
        for node in self._nodes:
            for name in node.loaded.info.needed:
                self._load(name, node, None)
        return self

    @property
    def objects(self) -> tuple[LoadedObject, ...]:
        """The program, then the objects in load order, with the interpreter."""
        nodes = self._nodes if self._interpreter in self._nodes else [*self._nodes, self._interpreter]
        return tuple(node.loaded for node in nodes)

    def _preload_file(self) -> list[str]:
        entry = self._opener.walk(PRELOAD_FILE).entry
        if entry is None or entry.content is None:
            return []
        with entry.content.open() as reader:
            text = reader.read_at(0, MAX_PRELOAD_FILE).decode("utf-8", "surrogateescape")
        return re.sub(r"#[^\n]*", "", text).replace(":", " ").split()

    def _load(self, name: str, loader: _Node, preload: FoundBy | None) -> None:
        considered: list[Considered] = []
        origin = origin_of(self._origin_path(loader))
        expanded = expand_glibc(name, origin, self._constants.lib) or name
        rule, node = self._find(expanded, loader, considered)
        self.edges.append(
            Edge(loader.loaded.path, name, (preload or rule) if node else None, node.loaded.path if node else "")
        )
        if node is not None:
            node.names.add(expanded)
        elif preload is None:  # What cannot be preloaded is reported by the loader and passed over.
            self.missing.append(Missing(name, loader.loaded.path, tuple(considered)))

    def _find(self, name: str, loader: _Node, considered: list[Considered]) -> tuple[FoundBy, _Node | None]:
        for node in (*self._nodes[1:], self._interpreter):
            if name in node.names:
                return FoundBy.LOADED, self._listed(node)
        if "/" in name:
            walk = self._opener.walk(name)
            considered.append(Considered(origin_of(name), FoundBy.PATH))
            known = self._same_file(name, walk, loader)
            return FoundBy.PATH, known or self._accept(name, name, walk, FoundBy.PATH, loader)
        for path, walk, rule in self._candidates(name, loader, considered):
            known = self._same_file(path, walk, loader)
            if known is not None:
                return FoundBy.LOADED, known
            new = self._accept(name, path, walk, rule, loader)
            if new is not None:
                return rule, new
        return FoundBy.DEFAULT, None

    def _listed(self, node: _Node) -> _Node:
        if node is self._interpreter and node not in self._nodes:
            self._nodes.append(node)
        return node

    def _same_file(self, path: str, walk: Walk, loader: _Node) -> _Node | None:
        """The object loaded from the same file; the program's own file is not known to the loader."""
        if walk.entry is None:
            return None
        wanted = identity(walk.entry)
        nodes = (*self._nodes[1:], self._interpreter)
        for node in nodes:
            if identity(node.loaded.entry) == wanted:
                self.aliases.append(Alias(path, walk.entry, walk.trail, loader.loaded.path))
                return self._listed(node)
        return None

    def _candidates(
        self, name: str, loader: _Node, considered: list[Considered]
    ) -> Iterator[tuple[str, Walk, FoundBy]]:
        """What is at each place searched, in order (_dl_map_new_object)."""
        for directories, rule in self._lists(loader):
            for directory in directories:
                considered.append(Considered(directory, rule))
                path = f"{directory.rstrip('/')}/{name}"
                walk = self._opener.walk(path)
                if walk.entry is not None:
                    yield path, walk, rule
                elif walk.failure is Failure.LOOP:
                    break  # Any errno but ENOENT, ENOTDIR and EACCES ends this list (open_path).
            if rule is FoundBy.RUNPATH or (rule is FoundBy.LIBRARY_PATH and loader.loaded.info.runpath is None):
                yield from self._cached(name, loader, considered)

    def _lists(self, loader: _Node) -> Iterator[tuple[list[str], FoundBy]]:
        """The lists of directories: rpaths up the chain, LD_LIBRARY_PATH, the own runpath, the system's."""
        runpath = loader.loaded.info.runpath
        if runpath is None:
            chain: list[_Node] = []
            at: _Node | None = loader
            while at is not None:
                chain.append(at)
                at = at.loader
            if self._program not in chain:
                chain.append(self._program)
            for ancestor in chain:
                if ancestor.rpath:
                    yield self._split(ancestor.rpath, ":", ancestor), FoundBy.RPATH
        yield self._split(self._environment.library_path, "[:;]", self._program), FoundBy.LIBRARY_PATH
        if runpath is not None:
            yield self._split(runpath, ":", loader), FoundBy.RUNPATH
        if not loader.loaded.info.flags_1 & DF_1_NODEFLIB:
            yield list(self._constants.directories), FoundBy.DEFAULT

    def _cached(self, name: str, loader: _Node, considered: list[Considered]) -> Iterator[tuple[str, Walk, FoundBy]]:
        if self._cache is None:
            self._cache = self._read_cache()
        if self._cache:
            considered.append(Considered(self._constants.cache, FoundBy.CACHE))
        path = self._cache.get(name)
        if path is None:
            return
        if loader.loaded.info.flags_1 & DF_1_NODEFLIB and path.startswith(
            tuple(f"{directory}/" for directory in self._constants.directories)
        ):
            return
        walk = self._opener.walk(path)
        if walk.entry is not None:
            yield path, walk, FoundBy.CACHE

    def _read_cache(self) -> dict[str, str]:
        entry = self._opener.walk(self._constants.cache).entry
        if entry is None or entry.content is None:
            return {}
        try:
            data = read_all(entry.content, MAX_CACHE)
        except InputError:
            return {}
        return parse_cache(data, self._program.loaded.info.target)

    def _split(self, text: str, separator: str, node: _Node) -> list[str]:
        """The directories of a path; an empty part is the working directory, an unexpandable one is left out."""
        if not text:
            return []
        origin = origin_of(self._origin_path(node))
        parts = (expand_glibc(part, origin, self._constants.lib) for part in re.split(separator, text))
        return [part or "." for part in parts if part is not None]

    def _origin_path(self, node: _Node) -> str:
        """The program's true path (readlink of /proc/self/exe), a library's as it was opened."""
        return node.loaded.entry.path if node is self._program else node.loaded.path

    def _accept(self, name: str, path: str, walk: Walk, rule: FoundBy, loader: _Node) -> _Node | None:
        """The new object; None where the loader passes over the file: wrong class or machine (open_verify).

        :raises UnloadableLibraryError: the loader would stop here.
        """
        entry = walk.entry
        if entry is None:
            return None
        requester = loader.loaded.path
        if entry.kind is not Kind.FILE:
            raise UnloadableLibraryError(path, requester, f"it is a {entry.kind}")
        loaded = self._open(name, path, walk, rule, requester)
        if loaded.info.target != self._program.loaded.info.target:
            return None
        if loaded.info.type == ET_EXEC:
            raise UnloadableLibraryError(path, requester, "it is a program and no library")
        node = _Node(loaded, loader)
        self._nodes.append(node)
        return node

    def _open(self, name: str, path: str, walk: Walk, rule: FoundBy, requester: str) -> LoadedObject:
        try:
            return self._opener.load(name, path, walk, rule, requester)
        except UnloadableLibraryError as error:
            if isinstance(error.__cause__, NotElfError):
                raise UnloadableLibraryError(path, requester, "invalid ELF header") from error
            raise
