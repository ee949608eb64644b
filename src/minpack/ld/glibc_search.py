"""Where glibc's loader looks for a name without a slash, in which order (glibc elf/dl-load.c, _dl_map_new_object)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Failure
from minpack.content import read_all
from minpack.errors import ElfError, InputError
from minpack.ld.cache import MAX_CACHE, NO_CACHE, Cache, parse_cache
from minpack.ld.closure import Considered, FoundBy
from minpack.ld.opening import NOWHERE, size_of
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
#: Longer directories count as several places.
PATH_SIZE = 64
#: Where nothing can be opened in one directory, and the next is looked into (open_path). Older loaders than
#: 2.37 stopped at ENOTDIR, which only a link into a file gives.
_GOES_ON = frozenset((None, Failure.MISSING, Failure.NOT_DIRECTORY))


class Node:
    """An object while the closure grows.

    `names` are those it answers to: the path it was opened by, what it was asked for by, and its soname
    (_dl_name_match_p, _dl_lookup_map). `origin` is what ``$ORIGIN`` is in its own strings; `rule` is how what is found
    in its own rpath is called. Those `above` are the nearest of what caused it to be loaded that has an rpath.
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
        self.above: Node | None = None
        self.inherit(loader)
        self.no_default = bool(info.flags_1 & DF_1_NODEFLIB)
        self.listed = self.done = False

    def inherit(self, loader: Node | None) -> None:
        """Let `loader`'s rpath, and those it has inherited, come behind its own."""
        self.above = loader if loader is None or loader.rpath else loader.above

    def owners(self) -> Iterator[Node]:
        """Those in whose rpaths its needs are searched: itself, and what caused it to be loaded, up to the program."""
        node = self if self.rpath else self.above
        while node is not None:
            yield node
            node = node.above


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
        self._configuration: tuple[_Directory, ...] | None = None
        self._split_paths: dict[tuple[str, str, FoundBy], tuple[_Directory, ...]] = {}
        self._defaults: tuple[_Directory, ...] | None = None

    def candidates(self, name: str, requester: Node, considered: list[Considered]) -> Iterator[Candidate]:
        """What lies where the loader looks for `name`, in order; `considered` grows by each place.

        The rpaths of the requester and of those that caused it to be loaded, and the program's; LD_LIBRARY_PATH;
        the requester's own runpath; the cache; the system directories. With a runpath, no rpath counts. In a tree
        without a cache it is what ldconfig(8) would make one of: an image is given a cache of what is found so.
        """
        for node in requester.owners() if requester.runpath is None else ():
            self._opener.look()
            yield from self._in(self._split(node.rpath, node, node.rule), name, considered)
        yield from self._in(self._split(self._library_path, self._program, FoundBy.LIBRARY_PATH), name, considered)
        yield from self._in(self._split(requester.runpath or "", requester, FoundBy.RUNPATH), name, considered)
        yield from self._cached(name, requester, considered)
        yield from self._configured(name, requester, considered)
        if not requester.no_default:
            yield from self._in(self._default(), name, considered)

    def by_default(self, name: str) -> str | None:
        """The path of the first thing called `name` in a system directory."""
        return next((candidate.path for candidate in self._in(self._default(), name, [])), None)

    def _in(self, directories: tuple[_Directory, ...], name: str, considered: list[Considered]) -> Iterator[Candidate]:
        """What is called `name` in the directories of one list (open_path); ENAMETOOLONG ends each of them."""
        size = size_of(name)
        if size > NAME_MAX:
            return
        for place, path, path_size in directories:
            considered.append(place)
            where = self._opener.directory(path or ".") if path is not None else Failure.MISSING
            # What leads nowhere is asked for nothing: neither is it by the loader (struct r_search_path_elem, status).
            if path is None or isinstance(where, Failure):
                self._opener.look()
                continue
            if path_size + size + 1 >= PATH_MAX:
                return
            if not self._opener.has(where, name):
                continue
            candidate = f"{path.rstrip('/')}/{name}" if path else name
            walk = self._opener.walk(candidate)
            if walk.entry is not None:
                yield Candidate(candidate, walk, walk.entry, place.rule)
            elif walk.failure not in _GOES_ON:
                return  # ELOOP and the like end this list, but not the search.

    def _default(self) -> tuple[_Directory, ...]:
        if self._defaults is None:
            self._defaults = self._with_tls(
                _directory(path, path, FoundBy.DEFAULT) for path in self._constants.directories
            )
        return self._defaults

    def _with_tls(self, directories: Iterable[_Directory]) -> tuple[_Directory, ...]:
        """Those that a loader before 2.37 looks into on every machine: of each its ``tls`` first, if there is one.

        Unlike the other subdirectories of its time that one asks for nothing (elf/dl-hwcaps.c, _dl_important_hwcaps).
        """
        found: list[_Directory] = []
        for directory in directories:
            if self._constants.legacy and directory.path is not None:
                inner = f"{directory.path.rstrip('/')}/{TLS}" if directory.path else TLS
                if not isinstance(self._opener.directory(inner), Failure):
                    found.append(_directory(inner, inner, directory.place.rule))
            found.append(directory)
        return tuple(found)

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
        if self._configuration is None:
            self._configuration = self._read_configuration()
        if not (name.startswith(("lib", "ld-")) and ".so" in name):
            return
        for place, _, _ in self._configuration:
            directory = place.directory
            path = f"{directory}/{name}"
            if requester.no_default and self._is_system_path(path):
                continue
            considered.append(place)
            where = self._opener.directory(directory)
            if isinstance(where, Failure):
                self._opener.look()
                continue
            walk = self._opener.walk(path) if self._opener.has(where, name) else NOWHERE
            if walk.entry is not None and self._is_cacheable(name, walk.entry):
                yield Candidate(path, walk, walk.entry, place.rule)

    def _is_cacheable(self, name: str, entry: Entry) -> bool:
        if entry.kind is not Kind.FILE:
            return False
        try:
            info = self._opener.info(entry)
        except ElfError:
            return False
        is_link = entry.path.rpartition("/")[2] != name
        return info.target == self._program.loaded.info.target and (is_link or info.soname in (None, name))

    def _read_configuration(self) -> tuple[_Directory, ...]:
        """The directories of ld.so.conf, which lies beside the cache; none where there is a cache."""
        if self._opener.walk(self._constants.cache).entry is not None:
            return ()
        path = f"{self._constants.cache.removesuffix('.cache')}.conf"
        if self._opener.walk(path).entry is None:
            return ()
        from minpack.ld.ld_so_conf import configured_directories  # noqa: PLC0415 - most trees have a cache

        system = self._constants.directories
        return tuple(
            _directory(found, found, FoundBy.DEFAULT if found in system else FoundBy.CONFIGURED)
            for found in configured_directories(self._opener.walker, path)
        )

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

    def _split(self, text: str, node: Node, rule: FoundBy) -> tuple[_Directory, ...]:
        """The directories of a path (fillin_rpath); of an empty one, none (decompose_rpath)."""
        if not text:
            return ()
        key = (text, node.origin, rule)
        found = self._split_paths.get(key)
        if found is None:
            # Longer ones cannot be there, and no directory is looked into twice.
            parts = dict.fromkeys(part for part in text.split(":") if size_of(part) < PATH_MAX)
            found = self._split_paths[key] = self._with_tls(self._expanded(part, node, rule) for part in parts)
        return found

    def _expanded(self, text: str, node: Node, rule: FoundBy) -> _Directory:
        path = expand_glibc(text, node.origin, self._constants.lib, self._constants.platform)
        found = _directory(text, path, rule)
        # Few words can make many long ones.
        self._opener.look(1 + found.size // PATH_SIZE)
        return found


class _Directory(NamedTuple):
    """A directory as it is shown, with its tokens replaced where they can be, and the bytes that its path has.

    `path` is None if they cannot. An empty one is the working directory: the candidate in it is the bare name.
    """

    place: Considered
    path: str | None
    size: int


def _directory(text: str, path: str | None, rule: FoundBy) -> _Directory:
    """The directory that is written as `text`."""
    return _Directory(Considered(text if path is None else path or ".", rule), path, size_of(path or ""))
