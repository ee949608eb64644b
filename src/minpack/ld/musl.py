"""musl's loader, exactly: what `ldso/dynlink.c` (1.2.5) does before it relocates.

No cache, no configuration but one path file, no version or machine checks: the first file
that can be opened is the one, by its file name and never by its soname. A library that is a
whole C library of its own is dropped for the loader, whatever its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.walk import Failure, Walk
from minpack.elf.format import PT_DYNAMIC
from minpack.errors import ElfError, UnloadableLibraryError
from minpack.ld.closure import Considered, Edge, FoundBy, LoadedObject, Missing, Opened
from minpack.ld.opening import NOWHERE, identity, origin_of, size_of
from minpack.ld.tokens import expand_musl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.ld.cache import CacheEntry
    from minpack.ld.closure import Environment, LateName
    from minpack.ld.constants import MuslConstants
    from minpack.ld.opening import Opener
    from minpack.rootfs.entry import Entry

#: Names that are the loader itself, as prefixes behind ``lib`` (load_library, "reserved").
RESERVED = ("c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet.")
#: What no library has that only stands in front of another C library's functions.
LIBC = (b"__libc_start_main", b"stdin")
NAME_MAX = 255
#: Longer candidates, and longer paths of programs, do not fit the loader's buffer (`buf[2*NAME_MAX+2]`).
BUFFER = 512
MAX_PATH_FILE = 1 << 20
_SEPARATORS = re.compile(r"[:\n]+")
#: Any other errno ends the whole search (path_open).
_GOES_ON = frozenset((None, Failure.MISSING, Failure.NOT_DIRECTORY, Failure.TOO_LONG))


class _Node:
    """An object while the closure grows.

    `short_name` is empty while no search has found it. Those `above` are the nearest of what caused it to be loaded
    that has an rpath.
    """

    def __init__(self, loaded: LoadedObject, needed_by: _Node | None, origin: str | None) -> None:
        self.loaded = loaded
        self.short_name = ""
        info = loaded.info
        # Of both the runpath counts, and it is inherited no less (decode_dyn, load_library).
        self.rule = FoundBy.RPATH if info.runpath is None else FoundBy.RUNPATH
        self.rpath = expand_musl((info.rpath if info.runpath is None else info.runpath) or "", origin) or ""
        self.above: _Node | None = needed_by
        if needed_by is not None and not needed_by.rpath:
            self.above = needed_by.above

    def owners(self) -> Iterator[_Node]:
        """Those in whose rpaths its needs are searched: itself, and what caused it to be loaded, up to the program."""
        node = self if self.rpath else self.above
        while node is not None:
            yield node
            node = node.above


class MuslLoader:
    """One run of the model; the public attributes and `objects` are its result."""

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
        self._library_path = environment.ld_library_path
        self._preload = environment.preload
        # What the kernel says of its path, if that is not too long (fixup_rpath).
        path = program.entry.path
        self._program = _Node(program, None, _origin(path) if size_of(path) < BUFFER else None)
        self._loader: _Node | None = None
        self._nodes = [self._program]
        self._by_short_name: dict[str, _Node] = {}
        self._by_file: dict[object, _Node] = {}
        self._system_path: str | None = None
        self._splits: dict[tuple[str, FoundBy], tuple[Considered, ...]] = {}
        self.edges: list[Edge] = []
        self.missing: list[Missing] = []
        self.aliases: list[Opened] = []
        self.settings: list[Opened] = []
        #: musl has no cache.
        self.cached: list[CacheEntry] = []

    def run(self) -> MuslLoader:
        """Load what LD_PRELOAD names, then breadth-first all that is needed (load_preload, load_deps)."""
        for name in re.split(r"[ \t\n\v\f\r:]+", self._preload):
            if name:
                self._load_preloaded(name)
        self._grow(0)
        return self

    def run_late(self, names: Iterable[LateName]) -> None:
        """Load what the running program opens: the search is the program's own, whoever asks (dlopen).

        :raises UnloadableLibraryError: a file that is required cannot be loaded.
        """
        for late in names:
            at = len(self._nodes)
            considered: list[Considered] = []
            if not self._open_late(late, considered) and late.required:
                self._note(self._program, late.sonames[0], FoundBy.DEFAULT, None, considered)
                self.missing.append(Missing(late.sonames[0], self._program.loaded.path, self.edges[-1].considered))
            self._grow(at)

    def fork(self) -> MuslLoader:
        """A loader in the same state; what the two load from now on is apart."""
        from copy import copy  # noqa: PLC0415 - few programs have plugins packed

        other = copy(self)
        for name in ("_nodes", "_by_short_name", "_by_file", "edges", "missing", "aliases", "settings"):
            setattr(other, name, copy(getattr(self, name)))
        return other

    def _open_late(self, late: LateName, considered: list[Considered]) -> bool:
        """Whether one of the names can be opened."""
        for soname in late.sonames:
            try:
                rule, node = self._find(soname, self._program, considered)
            except UnloadableLibraryError:
                if late.required:
                    raise
                continue
            if node is not None:
                self._note(self._program, soname, rule, node, considered)
                return True
        return False

    def _grow(self, at: int) -> None:
        """Load what the objects need, and what those need, from the place `at` on."""
        while at < len(self._nodes):
            node = self._nodes[at]
            at += 1
            if node is not self._loader:
                for name in node.loaded.info.needed:
                    self._load(name, node)

    @property
    def objects(self) -> tuple[LoadedObject, ...]:
        """The program, then the objects in load order, with the interpreter."""
        loaded = [node.loaded for node in self._nodes]
        if self._loader is None:
            loaded.append(self._interpreter)
        return tuple(loaded)

    def _load_preloaded(self, name: str) -> None:
        """One that is not there, or no library, is none, and nothing is said of it (load_preload)."""
        considered: list[Considered] = []
        try:
            rule, node = self._find(name, None, considered)
        except UnloadableLibraryError:
            rule, node = FoundBy.PRELOAD, None
        self._note(self._program, name, rule, node, considered)

    def _load(self, name: str, needed_by: _Node) -> None:
        considered: list[Considered] = []
        rule, node = self._find(name, needed_by, considered)
        self._note(needed_by, name, rule, node, considered)
        if node is None:
            self.missing.append(Missing(name, needed_by.loaded.path, self.edges[-1].considered))

    def _note(
        self, needed_by: _Node, name: str, rule: FoundBy, node: _Node | None, considered: list[Considered]
    ) -> None:
        """Add the edge.

        :raises UnloadableLibraryError: the object is for another machine; musl would not see that, and crash.
        """
        path, places = needed_by.loaded.path, tuple(considered)
        if node is None:
            self.edges.append(Edge(path, name, None, "", places))
            return
        self.edges.append(Edge(path, name, rule, node.loaded.path, places))
        wanted, got = self._program.loaded.info.target, node.loaded.info.target
        if wanted != got:
            raise UnloadableLibraryError(node.loaded.path, path, f"it is for {got}, not {wanted}")

    def _find(self, name: str, needed_by: _Node | None, considered: list[Considered]) -> tuple[FoundBy, _Node | None]:
        """What answers to `name` (load_library); without `needed_by` it is preloaded."""
        self._opener.look()
        if self._is_reserved(name):
            return FoundBy.RESERVED, self._self()
        if "/" in name:
            rule = FoundBy.PATH if needed_by else FoundBy.PRELOAD
            walk = self._opener.walk(name)
            if walk.entry is None:
                considered.append(Considered(origin_of(name), rule))
                return rule, None
            return self._add(name, name, walk, rule, needed_by)
        known = self._by_short_name.get(name)
        if known is not None:
            return FoundBy.LOADED, known
        found = self._search(name, needed_by, considered) if 0 < size_of(name) <= NAME_MAX else None
        if found is None:
            return FoundBy.DEFAULT, None
        path, walk, rule = found
        return self._add(name, path, walk, rule if needed_by else FoundBy.PRELOAD, needed_by)

    def _is_reserved(self, name: str) -> bool:
        if name == self._program.loaded.info.interpreter:
            return True
        return name.startswith("lib") and name[3:].startswith(RESERVED)

    def _self(self) -> _Node:
        """The loader, listed where it is first named."""
        if self._loader is None:
            self._loader = _Node(self._interpreter, self._program, _origin(self._interpreter.path))
            self._nodes.append(self._loader)
        return self._loader

    def _search(
        self, name: str, needed_by: _Node | None, considered: list[Considered]
    ) -> tuple[str, Walk, FoundBy] | None:
        """LD_LIBRARY_PATH, then the rpaths from the requester up to the program, then the system path."""
        for path, rule in self._paths(name, needed_by):
            self._opener.look()
            for place in self._split(path, rule):
                considered.append(place)
                candidate = f"{place.directory}/{name}"
                walk = self._candidate(place.directory, name, candidate)
                if walk.entry is not None:
                    return candidate, walk, rule
                if walk.failure not in _GOES_ON:
                    return None
        return None

    def _candidate(self, directory: str, name: str, path: str) -> Walk:
        """Where a candidate leads; what is not there, or in a directory that is not, is not followed again."""
        if size_of(path) >= BUFFER:
            self._opener.look()
            return NOWHERE
        where = self._opener.directory(directory)
        if isinstance(where, Failure):
            self._opener.look()
            return Walk(None, (), where)
        return self._opener.walk(path) if self._opener.has(where, name) else NOWHERE

    def _split(self, path: str, rule: FoundBy) -> tuple[Considered, ...]:
        """The directories of a path; empty ones are none (path_open)."""
        key = (path, rule)
        found = self._splits.get(key)
        if found is None:
            parts = (part for part in _SEPARATORS.split(path) if part and size_of(part) < BUFFER)
            found = self._splits[key] = tuple(Considered(part, rule) for part in parts)
            self._opener.look(len(found))
        return found

    def _paths(self, name: str, needed_by: _Node | None) -> Iterator[tuple[str, FoundBy]]:
        yield self._library_path, FoundBy.LIBRARY_PATH
        for node in needed_by.owners() if needed_by else ():
            yield node.rpath, node.rule
        yield self._system(name, needed_by), FoundBy.DEFAULT

    def _system(self, name: str, needed_by: _Node | None) -> str:
        """The content of the path file, which replaces the default even when empty; else the built-in path."""
        if self._system_path is None:
            self._system_path = self._read_system(name, needed_by or self._program)
        return self._system_path

    def _read_system(self, name: str, asking: _Node) -> str:
        # The prefix is a matter of text: the interpreter's path without its last two parts.
        interpreter = self._program.loaded.info.interpreter or ""
        prefix = interpreter.rsplit("/", 2)[0] if interpreter.startswith("/") else ""
        path = f"{prefix}/etc/ld-musl-{self._constants.arch}.path"
        walk = self._opener.walk(path)
        if walk.entry is None:
            return self._constants.path if walk.failure is Failure.MISSING else ""
        self.settings.append(Opened(name, path, walk.entry, walk.trail, asking.loaded.path))
        if walk.entry.content is None:
            return ""
        with walk.entry.content.open() as reader:
            data = reader.read_at(0, MAX_PATH_FILE)
        return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def _add(self, name: str, path: str, walk: Walk, rule: FoundBy, needed_by: _Node | None) -> tuple[FoundBy, _Node]:
        """List a new object, unless its file is loaded already under another name."""
        entry = walk.entry
        assert entry is not None, f"internal error: nothing at {path}"
        requester = (needed_by or self._program).loaded.path
        known = self._same_file(entry)
        if known is not None:
            # A search that finds what was loaded by its path lets it answer to its file name from now on.
            if path != name:
                self._shorten(known)
            self.aliases.append(Opened(name, path, entry, walk.trail, requester))
            return FoundBy.LOADED, known
        loaded = self._opener.load(name, path, walk, rule, requester)
        info, wanted = loaded.info, self._program.loaded.info.target
        # Read as one of its own, such a header makes no sense to the loader (map_library, ENOEXEC).
        if (info.target.bits, info.target.big_endian) != (wanted.bits, wanted.big_endian):
            raise UnloadableLibraryError(path, requester, f"it is for {info.target}, not {wanted}")
        if not any(segment.type == PT_DYNAMIC for segment in info.segments):
            raise UnloadableLibraryError(path, requester, "it has no dynamic section")
        if _is_libc(entry):
            # Its file must be there for the name to be found, and nothing of it is kept (load_library).
            self.aliases.append(Opened(name, path, entry, walk.trail, requester))
            return FoundBy.RESERVED, self._self()
        node = _Node(loaded, needed_by, _origin(path))
        self._nodes.append(node)
        self._by_file[identity(entry)] = node
        if path != name:
            self._shorten(node)
        return rule, node

    def _same_file(self, entry: Entry) -> _Node | None:
        if identity(entry) == identity(self._interpreter.entry):
            return self._self()
        return self._by_file.get(identity(entry))

    def _shorten(self, node: _Node) -> None:
        node.short_name = node.loaded.path.rpartition("/")[2]
        self._by_short_name.setdefault(node.short_name, node)


def _is_libc(entry: Entry) -> bool:
    """Whether it is a whole C library, of whichever kind: it defines both `LIBC` symbols itself (load_library)."""
    from minpack.elf.symbols import has_strings, read_symbols  # noqa: PLC0415 - for programs with libraries alone

    assert entry.content is not None, f"internal error: {entry.path} is not a file"
    try:
        if not has_strings(entry.content, LIBC):
            return False
        symbols = read_symbols(entry.content, entry.path)
    except ElfError:
        return False
    from minpack.ld.bind_musl import musl_defines  # noqa: PLC0415 - for hardly any

    return all(musl_defines(symbols, name) for name in LIBC)


def _origin(path: str) -> str:
    """Unlike glibc's, of what lies in the root it is empty."""
    return path[: path.rfind("/")] if "/" in path else "."
