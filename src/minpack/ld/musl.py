"""musl's loader, exactly: what `ldso/dynlink.c` (1.2.5) does before it relocates.

No cache, no configuration, no version or machine checks: the first file that
can be opened is the one, by its file name and never by its soname.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.errors import UnloadableLibraryError
from minpack.ld.closure import Alias, Considered, Edge, FoundBy, LoadedObject, Missing
from minpack.ld.opening import identity, origin_of
from minpack.ld.tokens import expand_musl
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.walk import Walk
    from minpack.ld.closure import Environment
    from minpack.ld.constants import MuslConstants
    from minpack.ld.opening import Opener

#: Names that are the loader itself, as prefixes behind ``lib`` (load_library, "reserved").
RESERVED = ("c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet.")
NAME_MAX = 255
#: Longer candidates do not fit the loader's buffer and are passed over (path_open, `buf[2*NAME_MAX+2]`).
CANDIDATE_MAX = 512
MAX_PATH_FILE = 1 << 20
_SEPARATORS = re.compile(r"[:\n]+")


class _Node:
    """An object while the closure grows."""

    def __init__(self, loaded: LoadedObject, needed_by: _Node | None, short_name: str) -> None:
        self.loaded = loaded
        self.needed_by = needed_by
        self.short_name = short_name
        self.rpath = loaded.info.rpath if loaded.info.runpath is None else loaded.info.runpath


class MuslLoader:
    """One run of the model; `objects`, `edges` and `missing` are its result."""

    def __init__(
        self,
        opener: Opener,
        program: LoadedObject,
        interpreter: LoadedObject,
        constants: MuslConstants,
        environment: Environment,
    ) -> None:
        self._opener = opener
        self._interpreter = interpreter
        self._constants = constants
        self._library_path = environment.library_path
        self._preload = environment.preload
        self._program = _Node(program, None, "")
        self._loader: _Node | None = None
        self._nodes = [self._program]
        self._system_path: str | None = None
        self.edges: list[Edge] = []
        self.missing: list[Missing] = []
        self.aliases: list[Alias] = []

    def run(self) -> MuslLoader:
        """Load what LD_PRELOAD names, then breadth-first all that is needed (load_preload, load_deps)."""
        for name in re.split(r"[\s:]+", self._preload):
            if name:
                self._load(name, None)
        for node in self._nodes:
            for name in node.loaded.info.needed:
                self._load(name, node)
        return self

    @property
    def objects(self) -> tuple[LoadedObject, ...]:
        """The program, then the objects in load order, with the interpreter."""
        loaded = [node.loaded for node in self._nodes]
        if self._loader is None:
            loaded.append(self._interpreter)
        return tuple(loaded)

    def _load(self, name: str, needed_by: _Node | None) -> None:
        requester = needed_by or self._program
        considered: list[Considered] = []
        rule, node = self._find(name, needed_by, considered)
        path = requester.loaded.path if needed_by else "LD_PRELOAD"
        self.edges.append(Edge(path, name, rule if node else None, node.loaded.path if node else ""))
        if node is None and not any(m.name == name for m in self.missing):
            self.missing.append(Missing(name, path, tuple(considered)))

    def _find(self, name: str, needed_by: _Node | None, considered: list[Considered]) -> tuple[FoundBy, _Node | None]:
        if self._is_reserved(name):
            return FoundBy.RESERVED, self._self()
        if "/" in name:
            rule = FoundBy.PATH if needed_by else FoundBy.PRELOAD
            walk = self._opener.walk(name)
            if walk.entry is None:
                considered.append(Considered(origin_of(name), rule))
                return rule, None
            return self._add(name, name, walk, rule, needed_by, "")
        for node in self._nodes[1:]:
            if node.short_name == name:
                return FoundBy.LOADED, node
        if not name or len(name) > NAME_MAX:
            return FoundBy.DEFAULT, None
        found = self._search(name, needed_by, considered)
        if found is None:
            return FoundBy.DEFAULT, None
        path, walk, rule = found
        return self._add(name, path, walk, rule if needed_by else FoundBy.PRELOAD, needed_by, name)

    def _is_reserved(self, name: str) -> bool:
        if name == self._program.loaded.info.interpreter:
            return True
        return name.startswith("lib") and name[3:].startswith(RESERVED)

    def _self(self) -> _Node:
        """The loader, listed where it is first named."""
        if self._loader is None:
            self._loader = _Node(self._interpreter, self._program, "")
            self._nodes.append(self._loader)
        return self._loader

    def _search(
        self, name: str, needed_by: _Node | None, considered: list[Considered]
    ) -> tuple[str, Walk, FoundBy] | None:
        """LD_LIBRARY_PATH, then the rpaths from the requester up to the program, then the system path."""
        steps: list[tuple[str, FoundBy]] = [(self._library_path, FoundBy.LIBRARY_PATH)]
        node = needed_by
        while node is not None:
            if node.rpath is not None:
                runpath = node.loaded.info.runpath is not None
                steps.append((self._expanded(node), FoundBy.RUNPATH if runpath else FoundBy.RPATH))
            node = node.needed_by
        steps.append((self._system(), FoundBy.DEFAULT))
        for path, rule in steps:
            for directory in _SEPARATORS.split(path):
                if not directory:
                    continue
                considered.append(Considered(directory, rule))
                candidate = f"{directory}/{name}"
                if len(candidate) >= CANDIDATE_MAX:
                    continue
                walk = self._opener.walk(candidate)
                if walk.entry is not None:
                    return candidate, walk, rule
                if walk.failure is Failure.LOOP:
                    return None  # Any errno but ENOENT, ENOTDIR, EACCES and ENAMETOOLONG ends the whole search.
        return None

    def _expanded(self, node: _Node) -> str:
        """The rpath with ``$ORIGIN`` replaced: by the program's true path, a library's as it was opened."""
        is_program = node is self._program
        origin = origin_of(node.loaded.entry.path if is_program else node.loaded.path)
        return expand_musl(node.rpath or "", origin) or ""

    def _system(self) -> str:
        """The content of the path file, which replaces the default even when empty; else the built-in path."""
        if self._system_path is None:
            self._system_path = self._read_system()
        return self._system_path

    def _read_system(self) -> str:
        interpreter = self._program.loaded.info.interpreter or ""
        prefix = interpreter.rsplit("/", 2)[0] if interpreter.startswith("/") else ""
        walk = self._opener.walk(f"{prefix}/etc/ld-musl-{self._constants.arch}.path")
        if walk.entry is None:
            return self._constants.path if walk.failure is Failure.MISSING else ""
        if walk.entry.content is None:
            return ""
        with walk.entry.content.open() as reader:
            return reader.read_at(0, MAX_PATH_FILE).decode("utf-8", "surrogateescape")

    def _add(
        self, name: str, path: str, walk: Walk, rule: FoundBy, needed_by: _Node | None, short_name: str
    ) -> tuple[FoundBy, _Node]:
        """List a new object, unless its file is loaded already under another name."""
        entry = walk.entry
        assert entry is not None, f"internal error: nothing at {path}"
        requester = (needed_by or self._program).loaded.path
        if entry.kind is not Kind.FILE:
            raise UnloadableLibraryError(path, requester, f"it is a {entry.kind}")
        for node in self._nodes[1:]:
            # The loader has no device and inode recorded: its file never matches.
            if node is not self._loader and identity(node.loaded.entry) == identity(entry):
                node.short_name = node.short_name or short_name
                self.aliases.append(Alias(path, entry, walk.trail, requester))
                return FoundBy.LOADED, node
        loaded = self._opener.load(name, path, walk, rule, requester)
        wanted, got = self._program.loaded.info.target, loaded.info.target
        if wanted != got:
            raise UnloadableLibraryError(path, requester, f"it is for {got}, and {wanted} is wanted")
        node = _Node(loaded, needed_by, short_name)
        self._nodes.append(node)
        return rule, node
