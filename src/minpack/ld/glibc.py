"""glibc's loader: what it loads, in which order, and what answers to a name (glibc elf/dl-deps.c, elf/dl-load.c).

Two things a running loader would do are left out on purpose. Subdirectories for better CPUs (glibc-hwcaps) are
passed over: the search falls through to the baseline's file, which is the one that runs everywhere
(`minpack.ld.variants` tells of them). And the tree's /etc/ld.so.preload is not heeded: it speaks for the system it
lies in, not for the program, and is not packed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import DT_FILTER, DT_NEEDED
from minpack.errors import UnloadableLibraryError
from minpack.ld.accept import HEADER_SIZE, judge_header, judge_library
from minpack.ld.cache import CacheEntry
from minpack.ld.closure import Audit, Considered, Edge, FoundBy, Missing, Opened
from minpack.ld.glibc_search import Candidate, GlibcSearch, Node
from minpack.ld.opening import identity, origin_of
from minpack.ld.tokens import expand_glibc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.ld.closure import Environment, LateName, LoadedObject
    from minpack.ld.constants import GlibcConstants
    from minpack.ld.opening import Opener

AUDITS_BY_RUNPATH = (2, 35)
#: The kernel's own object is there before any other, under the name it has on the machine (vdso(7)).
VDSO = frozenset(("linux-vdso.so.1", "linux-vdso32.so.1", "linux-vdso64.so.1", "linux-gate.so.1"))


class GlibcLoader:
    """One run of the model; the public attributes and `objects` are its result."""

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
        self._preload = environment.preload
        # As /proc/self/exe says, with no links in it.
        self._program = Node(program, None, origin_of(program.entry.path))
        # Its own name is the empty one, not the path it was started by (elf/rtld.c, dl_main).
        self._program.names = ("", program.info.soname or "")
        self._interpreter = Node(interpreter, self._program, origin_of(interpreter.path))
        self._search = GlibcSearch(opener, self._program, constants, environment)
        #: What answers to a name, and what is loaded from a file. The program's own file is not known to the loader.
        self._by_name: dict[str, Node] = {}
        self._by_file: dict[object, Node] = {identity(interpreter.entry): self._interpreter}
        #: In the order that is searched for symbols.
        self._listed: list[Node] = []
        self.edges: list[Edge] = []
        self.missing: list[Missing] = []
        self.aliases: list[Opened] = []
        #: glibc reads no file of settings but its cache.
        self.settings: list[Opened] = []
        self.cached: list[CacheEntry] = []

    def run(self) -> GlibcLoader:
        """Load what LD_PRELOAD names, then breadth-first all that is needed (_dl_map_object_deps)."""
        self._name(self._program)
        self._name(self._interpreter)
        self._list(self._program)
        self._load_preloaded()
        self._grow(0)
        return self

    def run_audit(self, name: str) -> Audit:
        """Load a library that audits the program, and what it needs, into this namespace, which has nothing yet.

        It is searched for as a need of the loader itself: in the program's rpath, and from 2.35 on in its runpath as if
        that were one (elf/dl-load.c, __RTLD_AUDIT). Whatever is wrong with it, the loader says so and starts the
        program without (elf/rtld.c, load_audit_module).
        """
        asking = Node(self._program.loaded, None, self._program.origin)
        if asking.runpath and self._constants.version >= AUDITS_BY_RUNPATH:
            asking.rpath, asking.rule = asking.runpath, FoundBy.RUNPATH
        asking.runpath, asking.no_default = None, False
        considered: list[Considered] = []
        try:
            node = self._load(name, asking, considered, FoundBy.AUDIT)
            if node is None:
                edge = Edge(asking.loaded.path, name, None, "", tuple(considered))
                return Audit(name, (), (edge,), "it is not found")
            self._list(node)
            self._grow(0)
        except UnloadableLibraryError as error:
            return Audit(name, (), (), error.reason)
        if self.missing:
            missing = self.missing[0]
            return Audit(name, (), tuple(self.edges), f"{missing.name}, which {missing.needed_by} needs, is not found")
        return Audit(name, tuple(node.loaded for node in self._listed), tuple(self.edges))

    def run_late(self, names: Iterable[LateName]) -> None:
        """Load what the running program opens, each with what it needs (dlopen(3); elf/dl-open.c).

        It is searched for as the requester's need, and then belongs to nobody but the program.

        :raises UnloadableLibraryError: the loader would stop at a file that is required.
        """
        for late in names:
            requester = next((node for node in self._listed if node.loaded.path == late.needed_by), self._program)
            considered: list[Considered] = []
            node = self._open_late(late, requester, considered)
            if node is None and late.required:
                self._miss(late.sonames[0], requester, considered)
            elif node is not None and not node.listed:
                node.inherit(self._program)
                self._list(node)
        self._grow(0)

    def fork(self) -> GlibcLoader:
        """A loader in the same state; what the two load from now on is apart."""
        from copy import copy  # noqa: PLC0415 - few programs have plugins packed

        other = copy(self)
        for name in ("_by_name", "_by_file", "_listed", "edges", "missing", "aliases", "cached"):
            setattr(other, name, copy(getattr(self, name)))
        # It is the one object that is known, and may not be listed yet.
        loader = self._interpreter
        loader.listed = loader.done = loader in self._listed
        return other

    def _open_late(self, late: LateName, requester: Node, considered: list[Considered]) -> Node | None:
        """The first of the names that can be opened."""
        for soname in late.sonames:
            try:
                node = self._load(soname, requester, considered)
            except UnloadableLibraryError:
                if late.required:
                    raise
                continue
            if node is not None:
                return node
        return None

    def _grow(self, at: int) -> None:
        """Load what the listed objects need, and what those need, from the place `at` on."""
        while at < len(self._listed):
            node = self._listed[at]
            if node.done:
                at += 1
                continue
            node.done = True
            if node.loaded.info.mixed:
                # What this inserts in front of the object is next: the position stays.
                self._load_mixed(node)
            else:
                self._load_needed(node)

    @property
    def objects(self) -> tuple[LoadedObject, ...]:
        """The program, then the objects in load order, with the interpreter."""
        nodes = self._listed if self._interpreter.listed else [*self._listed, self._interpreter]
        return tuple(node.loaded for node in nodes)

    def _load_preloaded(self) -> None:
        """Whatever is wrong with one of them, the loader says so and goes on (elf/rtld.c, do_preload)."""
        for name in self._preload.replace(":", " ").split(" "):
            if not name:
                continue
            considered: list[Considered] = []
            try:
                node = self._load(name, self._program, considered, FoundBy.PRELOAD)
            except UnloadableLibraryError:
                node = None
            if node is None:
                self.edges.append(Edge(self._program.loaded.path, name, None, "", tuple(considered)))
            elif node is not self._interpreter:
                self._list(node)

    def _load_needed(self, node: Node) -> None:
        for name in node.loaded.info.needed:
            self._load_one(name, node)

    def _load_one(self, name: str, node: Node) -> None:
        considered: list[Considered] = []
        found = self._load(name, node, considered)
        if found is not None:
            self._list(found)
        elif name not in VDSO:
            self._miss(name, node, considered)

    def _load_mixed(self, node: Node) -> None:
        """What it needs, and DT_FILTER and DT_AUXILIARY: loaded too, and listed in front of the object that names them.

        An auxiliary one that is not there, or no good, is none.
        """
        for tag, name in node.loaded.info.mixed:
            if tag == DT_NEEDED:
                self._load_one(name, node)
                continue
            considered: list[Considered] = []
            try:
                found = self._load(name, node, considered)
            except UnloadableLibraryError:
                if tag == DT_FILTER:
                    raise
                continue
            if found is not None:
                self._list_before(found, node)
            elif tag == DT_FILTER:
                self._miss(name, node, considered)

    def _list(self, node: Node) -> None:
        if not node.listed:
            node.listed = True
            self._listed.append(node)

    def _list_before(self, found: Node, node: Node) -> None:
        """What is listed before it already stays there."""
        place = self._listed.index(node)
        if found in self._listed[: place + 1]:
            return
        if found.listed:
            self._listed.remove(found)
        found.listed = True
        self._listed.insert(place, found)

    def _miss(self, name: str, node: Node, considered: list[Considered]) -> None:
        path, places = node.loaded.path, tuple(considered)
        self.edges.append(Edge(path, name, None, "", places))
        self.missing.append(Missing(name, path, places))

    def _load(
        self, text: str, requester: Node, considered: list[Considered], special: FoundBy | None = None
    ) -> Node | None:
        """The object that answers to `text`, loaded now or before; None if none does.

        :raises UnloadableLibraryError: the loader would stop at a file.
        """
        # A name whose token has no value is looked for as it is, so that it is reported with it.
        name = expand_glibc(text, requester.origin, self._constants.lib, self._constants.platform) or text
        rule, node = self._find(name, requester, considered, special)
        if node is not None:
            self._by_name.setdefault(name, node)
            self.edges.append(Edge(requester.loaded.path, text, rule, node.loaded.path, tuple(considered)))
        return node

    def _find(
        self, name: str, requester: Node, considered: list[Considered], special: FoundBy | None
    ) -> tuple[FoundBy, Node | None]:
        self._opener.look()
        known = self._by_name.get(name)
        if known is not None:
            return FoundBy.LOADED, known
        for candidate in self._candidates(name, requester, considered):
            known = self._same_file(name, candidate, requester)
            if known is not None:
                return FoundBy.LOADED, known
            rule = special or candidate.rule
            new = self._accept(name, candidate, rule, requester)
            if new is not None:
                return rule, new
        return FoundBy.DEFAULT, None

    def _name(self, node: Node) -> None:
        """Let it answer to its names; one that an earlier object has stays with that (_dl_lookup_map)."""
        for name in node.names:
            self._by_name.setdefault(name, node)

    def _candidates(self, name: str, requester: Node, considered: list[Considered]) -> Iterator[Candidate]:
        if "/" not in name:
            yield from self._search.candidates(name, requester, considered)
            return
        considered.append(Considered(origin_of(name), FoundBy.PATH))
        walk = self._opener.walk(name)
        if walk.entry is not None:
            yield Candidate(name, walk, walk.entry, FoundBy.PATH)

    def _same_file(self, name: str, candidate: Candidate, requester: Node) -> Node | None:
        """The object that was loaded from the same file (_dl_map_object_from_fd)."""
        node = self._by_file.get(identity(candidate.entry))
        if node is not None:
            self._note_cached(name, candidate)
            needed_by = requester.loaded.path
            self.aliases.append(Opened(name, candidate.path, candidate.entry, candidate.walk.trail, needed_by))
        return node

    def _accept(self, name: str, candidate: Candidate, rule: FoundBy, requester: Node) -> Node | None:
        """The new object; None if the file is passed over.

        :raises UnloadableLibraryError: the loader would stop here.
        """
        path, entry, needed_by = candidate.path, candidate.entry, requester.loaded.path
        if entry.content is None:
            raise UnloadableLibraryError(path, needed_by, f"it is a {entry.kind}")
        with entry.content.open() as reader:
            head = reader.read_at(0, HEADER_SIZE)
        verdict = judge_header(head, self._program.loaded.info.target, debian=self._constants.debian)
        if not (verdict.fits or verdict.reason):
            return None
        if verdict.fits:
            loaded = self._opener.load(name, path, candidate.walk, rule, needed_by)
            verdict = judge_library(loaded.info)
        if not verdict.fits:
            raise UnloadableLibraryError(path, needed_by, verdict.reason)
        self._note_cached(name, candidate)
        node = Node(loaded, requester, origin_of(self._opener.absolute(path)))
        self._by_file.setdefault(identity(entry), node)
        self._name(node)
        return node

    def _note_cached(self, name: str, candidate: Candidate) -> None:
        """Keep in mind what the cache alone leads to, or would."""
        if candidate.rule in (FoundBy.CACHE, FoundBy.CONFIGURED) and self._search.by_default(name) != candidate.path:
            self.cached.append(CacheEntry(name, candidate.path))
