"""The values that resolving gives: objects, edges, and what is missing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.elf.info import ElfInfo
    from minpack.ld.cache import CacheEntry
    from minpack.rootfs.entry import Entry


class Libc(StrEnum):
    """A C library with its own dynamic loader."""

    MUSL = "musl"
    GLIBC = "glibc"


class FoundBy(StrEnum):
    """The rule by which a loader finds an object; a closed list, used in JSON."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    #: LD_PRELOAD.
    PRELOAD = "preload"
    #: LD_AUDIT, DT_AUDIT and DT_DEPAUDIT.
    AUDIT = "audit"
    #: A needed name with a slash is a path of its own.
    PATH = "path"
    RPATH = "rpath"
    LIBRARY_PATH = "library-path"
    RUNPATH = "runpath"
    CACHE = "cache"
    #: A directory of ld.so.conf, in a tree that has no cache yet: what ldconfig(8) would put there.
    CONFIGURED = "configured"
    #: glibc's system directories, or musl's path or path file.
    DEFAULT = "default"
    #: An object that was loaded before answers to the name.
    LOADED = "loaded"
    #: musl's loader is libc, libm, libpthread and others itself.
    RESERVED = "reserved"


class LoadedObject(NamedTuple):
    """An ELF file of the closure.

    `name` is what it was first asked for by, with its tokens replaced, `path` the text the loader
    opens it by (it may hold ``..`` and links, and is relative if the rpath is), `entry` the file it
    leads to, `trail` the links and directories on the way.
    `needed_by` is the path of the first object that asked for it, empty for the program.
    """

    name: str
    path: str
    entry: Entry
    info: ElfInfo
    found_by: FoundBy
    needed_by: str
    trail: tuple[Entry, ...] = ()


class Opened(NamedTuple):
    """Something the loader opens besides the objects; it must be there too. `name` is what it opens it for."""

    name: str
    path: str
    entry: Entry
    trail: tuple[Entry, ...]
    needed_by: str


class Considered(NamedTuple):
    """A directory the loader looks into, or its cache, and the rule that names it."""

    directory: str
    rule: FoundBy


class Edge(NamedTuple):
    """One needed name of one object, and what answers to it; `path` is empty if nothing does.

    `considered` has every place that was looked into for it, in order: with the place where it was found last, and
    none if an object that was loaded before answers.
    """

    needed_by: str
    name: str
    found_by: FoundBy | None
    path: str
    considered: tuple[Considered, ...] = ()


class Missing(NamedTuple):
    """A needed name that nothing answers to, once for each object that needs it."""

    name: str
    needed_by: str
    considered: tuple[Considered, ...]


class LateName(NamedTuple):
    """What is opened once the program runs (dlopen(3)): the first of `sonames` that is found.

    It is searched for as a needed name of the object at `needed_by`; a `required` one that is not found is missing.
    """

    sonames: tuple[str, ...]
    needed_by: str
    required: bool


class Audit(NamedTuple):
    """A library that audits the program (rtld-audit(7)), `name`d by it or by LD_AUDIT, in a namespace of its own.

    `objects` are those of the namespace in load order: the library and what it needs, however much of it the program
    has loaded too. `problem` says why the loader ignores the library, and then there are none; else it is empty.
    """

    name: str
    objects: tuple[LoadedObject, ...]
    edges: tuple[Edge, ...]
    problem: str = ""


class Closure(NamedTuple):
    """All that the loader would open for one program.

    `objects` has the program first and is in load order, with the interpreter;
    a static program's has the program alone, and then `libc` is None.
    """

    program: LoadedObject
    libc: Libc | None
    interpreter: LoadedObject | None
    objects: tuple[LoadedObject, ...]
    edges: tuple[Edge, ...] = ()
    missing: tuple[Missing, ...] = ()
    #: Files of the closure, opened once more by other paths.
    aliases: tuple[Opened, ...] = ()
    #: What tells the loader where to search, and is read wherever the program runs: musl's path file.
    settings: tuple[Opened, ...] = ()
    #: What glibc finds through its cache alone, and the cache's path: without a cache there it would be missing.
    cached: tuple[CacheEntry, ...] = ()
    cache: str = ""
    #: Paths of the objects that are loaded only once the program runs.
    late: frozenset[str] = frozenset()
    audits: tuple[Audit, ...] = ()

    @property
    def opened(self) -> tuple[LoadedObject, ...]:
        """The objects, and behind them those of other namespaces; one file may be several of them."""
        return self.objects + tuple(loaded for audit in self.audits for loaded in audit.objects)


class Environment(NamedTuple):
    """The variables and the working directory that a loader heeds, as the image's configuration sets them."""

    ld_library_path: str = ""
    preload: str = ""
    working_directory: str = "/"
    audit: str = ""
