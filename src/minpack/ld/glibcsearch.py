"""Where glibc's loader looks for a name without a slash, in which order (glibc elf/dl-load.c, _dl_map_new_object)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.content import read_all
from minpack.errors import ElfError, InputError
from minpack.ld.cache import MAX_CACHE, NO_CACHE, Cache, parse_cache
from minpack.ld.closure import Considered, FoundBy
from minpack.ld.opening import size_of
from minpack.ld.tokens import expand_glibc
from minpack.namedtuple import NamedTuple
from minpack.paths import NAME_MAX, PATH_MAX
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.base.walk import Walk
    from minpack.ld.closure import Environment, LoadedObject
    from minpack.ld.constants import GlibcConstants
    from minpack.ld.opening import Opener
    from minpack.rootfs.entry import Entry

DF_1_NODEFLIB = 0x800
TLS = "tls"
#: Where nothing can be opened in one directory, and the next is looked into (open_path). Older loaders than
#: 2.37 stopped at ENOTDIR, which only a link into a file gives.
_GOES_ON = frozenset((None, Failure.MISSING, Failure.NOT_DIRECTORY))


class Node:
    """An object while the closure grows.

    `names` are those it answers to: the path it was opened by, what it was asked for by, and its soname
    (_dl_name_match_p, _dl_lookup_map). `origin` is what ``$ORIGIN`` is in its own strings. `owners` are those in
    whose rpaths its needs are searched: itself, and what caused it to be loaded, up to the program; `rule` is how
    what is found in its own is called.
    It is `listed` once it is in the search list, and `done` when all it needs is loaded.

    :param loader: the object it was first needed by.
    """

    def __init__(self, loaded: LoadedObject, loader: Node | None, origin: str) -> None:
        self.loaded = loaded
        self.origin = origin
        info = loaded.info
        self.names = (loaded.path, loaded.name, *((info.soname,) if info.soname is not None else ()))
        # A runpath hides the rpath of its own object, even an empty one (elf/get-dynamic-info.h).
        self.rpath = "" if info.runpath is not None else info.rpath or ""
        self.rule = FoundBy.RPATH
        self.runpath = info.runpath
        self.owners: tuple[Node, ...] = ()
        self.inherit(loader)
        self.no_default = bool(info.flags_1 & DF_1_NODEFLIB)
        self.listed = self.done = False

    def inherit(self, loader: Node | None) -> None:
        """Let `loader`'s rpath, and those it has inherited, come behind its own."""
        inherited = loader.owners if loader is not None else ()
        self.owners = (self, *inherited) if self.rpath else inherited


class Candidate(NamedTuple):
    """Something at a place the loader looks at."""

    path: str
    walk: Walk
    entry: Entry
    rule: FoundBy


class GlibcSearch:
    """The searches of one loader in one tree."""

    def __init__(self, opener: Opener, program: Node, constants: GlibcConstants, environment: Environment) -> None:
        self._opener = opener
        self._program = program
        self._constants = constants
        # In it a semicolon separates too.
        self._library_path = environment.ld_library_path.replace(";", ":")
        self._cache: Cache | None = None
        self._directories: tuple[str, ...] | None = None
        self._split_paths: dict[tuple[str, str], tuple[_Directory, ...]] = {}
        self._defaults: tuple[_Directory, ...] | None = None

    def candidates(self, name: str, requester: Node, considered: list[Considered]) -> Iterator[Candidate]:
        """What lies where the loader looks for `name`, in order; `considered` grows by each place.

        The rpaths of the requester and of those that caused it to be loaded, and the program's; LD_LIBRARY_PATH;
        the requester's own runpath; the cache; the system directories. With a runpath, no rpath counts. In a tree
        without a cache it is what ldconfig(8) would make one of: an image is given a cache of what is found so.
        """
        for node in requester.owners if requester.runpath is None else ():
            yield from self._in(self._split(node.rpath, node), name, node.rule, considered)
        ld_library_path = self._split(self._library_path, self._program)
        yield from self._in(ld_library_path, name, FoundBy.LIBRARY_PATH, considered)
        yield from self._in(self._split(requester.runpath or "", requester), name, FoundBy.RUNPATH, considered)
        yield from self._cached(name, requester, considered)
        yield from self._configured(name, requester, considered)
        if not requester.no_default:
            yield from self._in(self._default(), name, FoundBy.DEFAULT, considered)

    def by_default(self, name: str) -> str | None:
        """The path of the first thing called `name` in a system directory."""
        return next((candidate.path for candidate in self._in(self._default(), name, FoundBy.DEFAULT, [])), None)

    def _in(
        self, directories: tuple[_Directory, ...], name: str, rule: FoundBy, considered: list[Considered]
    ) -> Iterator[Candidate]:
        """What is called `name` in the directories of one list (open_path); ENAMETOOLONG ends each of them."""
        if size_of(name) > NAME_MAX:
            return
        for directory in directories:
            considered.append(Considered(directory.shown, rule))
            if directory.path is None:
                self._opener.look()
                continue
            path = f"{directory.path.rstrip('/')}/{name}" if directory.path else name
            walk = self._opener.walk(path)
            if walk.entry is not None:
                yield Candidate(path, walk, walk.entry, rule)
            elif walk.failure not in _GOES_ON and self._is_directory(directory.path):
                return  # ELOOP and the like end this list, but not the search.

    def _default(self) -> tuple[_Directory, ...]:
        if self._defaults is None:
            self._defaults = self._with_tls(_Directory(path, path) for path in self._constants.directories)
        return self._defaults

    def _with_tls(self, directories: Iterable[_Directory]) -> tuple[_Directory, ...]:
        """Those that a loader before 2.37 looks into on every machine: of each its ``tls`` first, if there is one.

        Unlike the other subdirectories of its time that one asks for nothing (elf/dl-hwcaps.c, _dl_important_hwcaps).
        """
        found: list[_Directory] = []
        for directory in directories:
            if self._constants.legacy and directory.path is not None:
                inner = f"{directory.path.rstrip('/')}/{TLS}" if directory.path else TLS
                found += [_Directory(inner, inner)] if self._is_directory(inner) else []
            found.append(directory)
        return tuple(found)

    def _is_directory(self, path: str) -> bool:
        entry = self._opener.walk(path or ".").entry
        return entry is not None and entry.kind is Kind.DIRECTORY

    def _cached(self, name: str, requester: Node, considered: list[Considered]) -> Iterator[Candidate]:
        if self._cache is None:
            self._cache = self._read_cache()
        if not self._cache:
            return
        considered.append(Considered(self._constants.cache, FoundBy.CACHE))
        path = self._cache.find(name)
        if path is None or (requester.no_default and self._is_system_path(path)):
            return
        walk = self._opener.walk(path)
        if walk.entry is not None:
            yield Candidate(path, walk, walk.entry, FoundBy.CACHE)

    def _configured(self, name: str, requester: Node, considered: list[Considered]) -> Iterator[Candidate]:
        """What ldconfig would put into the cache by this name: libraries for the loader, by file name and soname.

        A link answers to its own name; a file that is called unlike its soname answers to that alone, and then there
        is a link too (elf/ldconfig.c, search_dir).
        """
        if self._directories is None:
            self._directories = self._read_configuration()
        if not (name.startswith(("lib", "ld-")) and ".so" in name):
            return
        for directory in self._directories:
            path = f"{directory}/{name}"
            rule = FoundBy.DEFAULT if directory in self._constants.directories else FoundBy.CONFIGURED
            if requester.no_default and self._is_system_path(path):
                continue
            considered.append(Considered(directory, rule))
            walk = self._opener.walk(path)
            if walk.entry is not None and self._is_cacheable(name, walk.entry):
                yield Candidate(path, walk, walk.entry, rule)

    def _is_cacheable(self, name: str, entry: Entry) -> bool:
        if entry.kind is not Kind.FILE:
            return False
        try:
            info = self._opener.info(entry)
        except ElfError:
            return False
        is_link = entry.path.rpartition("/")[2] != name
        return info.target == self._program.loaded.info.target and (is_link or info.soname in (None, name))

    def _read_configuration(self) -> tuple[str, ...]:
        """The directories of ld.so.conf, which lies beside the cache; none where there is a cache."""
        if self._opener.walk(self._constants.cache).entry is not None:
            return ()
        path = f"{self._constants.cache.removesuffix('.cache')}.conf"
        if self._opener.walk(path).entry is None:
            return ()
        from minpack.ld.ldsoconf import configured_directories  # noqa: PLC0415 - most trees have a cache

        return configured_directories(self._opener.walker, path)

    def _is_system_path(self, path: str) -> bool:
        return path.startswith(tuple(f"{directory.rstrip('/')}/" for directory in self._constants.directories))

    def _read_cache(self) -> Cache:
        entry = self._opener.walk(self._constants.cache).entry
        if entry is None or entry.content is None:
            return NO_CACHE
        try:
            data = read_all(entry.content, MAX_CACHE)
        except InputError as error:
            if error.is_fault:
                raise
            return NO_CACHE
        return parse_cache(data, self._program.loaded.info.target)

    def _split(self, text: str, node: Node) -> tuple[_Directory, ...]:
        """The directories of a path (fillin_rpath); of an empty one, none (decompose_rpath)."""
        if not text:
            return ()
        key = (text, node.origin)
        found = self._split_paths.get(key)
        if found is None:
            # Longer ones cannot be there, and no directory is looked into twice.
            parts = dict.fromkeys(part for part in text.split(":") if size_of(part) < PATH_MAX)
            found = self._split_paths[key] = self._with_tls(
                _Directory(part, expand_glibc(part, node.origin, self._constants.lib, self._constants.platform))
                for part in parts
            )
        return found


class _Directory(NamedTuple):
    """A directory as it is written, and with its tokens replaced; `path` is None if they cannot be.

    An empty one is the working directory: the candidate in it is the bare name.
    """

    text: str
    path: str | None

    @property
    def shown(self) -> str:
        return self.text if self.path is None else self.path or "."
