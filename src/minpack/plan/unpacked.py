"""Paths that the files of an image have within them, that the base has and the image has not.

A path is evidence, and no proof: it may be for a machine, or for a command that nobody calls. So nothing of it is
packed unasked. It is *strong* where the package of the program, or of the file with the path, or one with their data,
owns what is there; the rest, what programs of no package name, and what all of a system share, is *weak*.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.content import same_content
from minpack.namedtuple import NamedTuple
from minpack.needs.binary import PIECE, open_binary
from minpack.needs.native import is_silent
from minpack.paths import RootPath, ancestors, join, normal, parent
from minpack.plan.secrets import why_private
from minpack.program.bundles import names_beside
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from minpack.base.ownership import Ownership
    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.needs.paths import PathCache
    from minpack.rootfs.entry import Entry

#: What ends a path among constants: quotes and brackets around it, what separates it from the next, and patterns.
_PATH = re.compile(rb"/[^\x00-\x20\"'`<>()\[\]{}|;,=*?$\\:!&#%]+(%?)")
#: A directory that a program looks for below its prefix, as Autoconf's $(datadir) and $(libexecdir) are in /usr.
_BELOW_PREFIX = (
    re.compile(rb"share/(?<=\0share/)[\x21-\x7e]{2,200}"),
    re.compile(rb"lib(?:exec)?/(?:(?<=\0lib/)|(?<=\0libexec/))[\x21-\x7e]{2,200}"),
)
_PREFIX = b"\0/usr\0"
#: What is for documentation, for the machine, or comes as a need: nobody is told of it.
_NEVER = re.compile(
    r"/usr/(?:share/(?:doc|man|info|locale|zoneinfo|i18n|terminfo|mime|ca-certificates|pixmaps|applications|lintian|bug"
    r"|licenses|common-licenses|bash-completion|gdb|aclocal|pkgconfig|nls|dict)|include|src|local|lib/(?:locale|terminfo"
    r"|debug|os-release|modules|ssl|go(?:-[0-9.]+)?)|lib/[^/]+/(?:gconv|pkgconfig))(?:/|$)"
    r"|/etc/(?:ssl|passwd|group|g?shadow|hosts.*|hostname|resolv\.conf|nsswitch\.conf|services|protocols|localtime|timezone"
    r"|ld\.so.*|os-release|mime\.types|m?fstab|mtab|shells|host\.conf|gai\.conf|networks|rpc|machine-id|terminfo|pki"
    r"|ca-certificates.*|profile|environment|default|init\.d|debian_version|issue|locale.*|alternatives)(?:/|$)"
    r"|/(?:var|run|tmp|home|root|proc|sys|dev|srv|opt|usr/lib/systemd|lib/systemd|usr/lib/modules|lib/modules)(?:/|$)"
)
#: What all of a system share: places for everybody's files, and commands.
SHARED = re.compile(
    r"/(?:usr/)?(?:s?bin|games|lib(?:32|64|x32|exec)?|share|etc)(?:/[^/]*-linux-[^/]*)?"
    r"|/(?:usr/)?s?bin/.*|/usr(?:/X11R6.*)?|/etc|/usr/share/(?:fonts|icons|themes|misc|perl5?|java|dbus-1|xml|sgml|X11)"
)
#: Where packages have files that are their own.
_DISTRIBUTED = re.compile(r"/usr/(?:lib|libexec|share)/[A-Za-z0-9][^/]*/?[\w.+/-]*…?$")
#: What OpenSSL opens if it is told to, and where systemd's library looks for what configures a machine.
_ON_DEMAND = re.compile(r"/(?:engines-[0-9.]+|ossl-modules)$|/lib/[a-z-]+\.d$")
#: Functions that open libraries, and that start programs.
_OPENING = frozenset(
    b"dlopen dlmopen g_module_open g_module_open_full PR_LoadLibrary PR_LoadLibraryWithFlags apr_dso_load uv_dlopen"
    b" lt_dlopen lt_dlopenext lt_dlopenadvise SDL_LoadObject _ZN8QLibrary4loadEv krb5int_open_plugin".split()
)
_STARTING = frozenset(b"execv execve execvp execvpe execl execle execlp posix_spawn posix_spawnp system popen".split())
#: The shortest beginning of a name, and the most names with it, that say what a pattern is for.
MIN_BEGINNING, MOST_OF_BEGINNING = 3, 4
#: Files of one directory that are counted.
MAX_FILES = 20_000
#: Files whose owner is asked for: what a package made when it was installed is nobody's, and may come first.
MOST_ASKED = 4
_LIBRARY = re.compile(r"\.so(?:\.[0-9.]+)?$")
#: Where programs lie in a base, to find the one that was packed from there.
_BINARIES = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/games", "/usr/local/bin")
#: A file with more paths than these has a list of a system's places, and looks for some of them.
MOST_OF_ONE = 24


class UnpackedKind(StrEnum):
    """What is at a path; a closed list, used in JSON."""

    PLUGINS = "plugins"
    PROGRAMS = "programs"
    DATA = "data"
    CONFIGURATION = "configuration"


class Unpacked(NamedTuple):
    """What the base has at a path that the file at `needed_by` has within it, and what of it is not packed.

    `needed_by` is ``-e NAME`` where that option sets a variable to the path.
    `files` and `size` in bytes are those that are not packed. `package` is the owner, empty if it has none; if it is
    `shared`, some of the files are not that package's, and `unowned` of them are nobody's. The program finds it only
    at `place`, unless that is empty.
    """

    path: RootPath
    kind: UnpackedKind
    files: int
    size: int
    package: str
    needed_by: str
    strong: bool
    shared: bool = False
    unowned: int = 0
    place: str = ""

    @property
    def option(self) -> str:
        """What packs it."""
        return f"{f'--dest {self.place} ' if self.place else ''}--take {self.path}"


class _Place(NamedTuple):
    """A path, the object that has it within it, and its program.

    `near` says that the object is the program or what the program itself needs; `variable` is the one that an option
    sets to the path, which is of all programs.
    """

    path: RootPath
    loaded: LoadedObject
    program: LoadedObject
    near: bool
    variable: str = ""

    @property
    def is_program(self) -> bool:
        return self.loaded is self.program


class _Content(NamedTuple):
    """What is below a path and not packed; the first is a library if there is any."""

    paths: tuple[RootPath, ...] = ()
    size: int = 0
    has_libraries: bool = False
    has_programs: bool = False


def find_unpacked(
    closures: Sequence[Closure],
    paths: PathCache,
    symbols: SymbolsOf,
    packed: Collection[RootPath],
    tree: Walker,
    ownership: Ownership | None,
    variables: Sequence[tuple[str, str]] = (),
    *,
    every: bool,
) -> tuple[Unpacked, ...]:
    """What the files of the image have the paths of, the strong findings first.

    :param every: look at all files, where else those are left out of which no finding can be strong.
    :param packed: the paths in the image.
    :param tree: over the base with its packages.
    :param variables: those that the image sets because an option says so, and their values.
    :raises InputError: a file cannot be read.
    """
    found: dict[RootPath, tuple[_Place, _Content]] = {}
    for place in (*_set_places(closures, variables), *_places(closures, paths, tree, every=every)):
        entry = _entry_at(tree, place.path)
        if entry is None or entry.path in found or _NEVER.match(entry.path):
            continue
        content = _content(tree, entry, packed)
        if content.paths:
            found[entry.path] = (place._replace(path=entry.path), content)
    if not found:
        return ()
    judge = _Judge(closures, symbols, tree, ownership, found)
    return _outermost(sorted((judge.judge(*one) for one in found.values()), key=lambda one: (not one.strong, one.path)))


def unknown_paths(
    closure: Closure,
    paths: PathCache,
    variables: Sequence[tuple[str, str]],
    tree: Walker,
    *,
    of_libraries: bool = False,
) -> tuple[RootPath, ...]:
    """The paths of a distribution's files that a program has within it, or that variables are set to, and `tree` lacks.

    A pattern that nothing in the tree begins as ends in ``…``.

    :param of_libraries: those of the libraries too that the program itself needs.
    :raises InputError: a file cannot be read.
    """
    program = closure.program
    texts = [*paths(program), *_below_prefix(program)] if closure.libc is not None else []
    for loaded in closure.objects[1:] if of_libraries else ():
        if loaded.needed_by == program.path and not is_silent(loaded.info.soname or loaded.name):
            texts += paths(loaded)
    set_paths = (value.encode("utf-8", "surrogateescape") for _, value in variables)
    found = {path for text in (*texts, *set_paths) for path in _paths_in(text) if not tree.walk(path).entry}
    for text in texts:
        if not any(_matched(text, tree)):
            found.update(RootPath(f"{join(above, name)}…") for above, name in _beginnings(text))
    return tuple(sorted(path for path in found if _DISTRIBUTED.match(path) and not _NEVER.match(path)))


def _set_places(closures: Sequence[Closure], variables: Sequence[tuple[str, str]]) -> Iterator[_Place]:
    """The paths that variables are set to: whoever sets one to a path of the base means what is there."""
    for name, value in variables if closures else ():
        for path in _paths_in(value.encode("utf-8", "surrogateescape")):
            yield _Place(path, closures[0].program, closures[0].program, near=True, variable=name)


def _places(closures: Sequence[Closure], paths: PathCache, tree: Walker, *, every: bool) -> Iterator[_Place]:
    """Each path of each file once, those of programs and of what they themselves need first."""
    files: dict[RootPath, tuple[LoadedObject, LoadedObject, bool]] = {}
    for closure in closures:
        for number, loaded in enumerate(closure.objects):
            if not (number and is_silent(loaded.info.soname or loaded.name)):
                near = not number or loaded.needed_by == closure.program.path
                files.setdefault(loaded.entry.path, (loaded, closure.program, near))
    seen: set[RootPath] = set()
    for loaded, program, near in sorted(files.values(), key=lambda one: (one[0] is not one[1], not one[2])):
        if not near and not every:
            break
        for text in sorted((*paths(loaded), *(_below_prefix(loaded) if loaded is program else ()))):
            for path in (*_paths_in(text), *(_matched(text, tree) if loaded is program else ())):
                if path not in seen:
                    seen.add(path)
                    yield _Place(path, loaded, program, near)


def _paths_in(text: bytes) -> Iterator[RootPath]:
    """The paths of one constant, which may have several joined by colons, or a pattern at its end."""
    for match in _PATH.finditer(text):
        part = match[0]
        if match[1]:
            part = part[: part.rfind(b"/")]
        path = normal(part.decode("utf-8", "surrogateescape"))
        if path.count("/") > 1 and not SHARED.fullmatch(path):
            yield path


def _matched(text: bytes, tree: Walker) -> Iterator[RootPath]:
    """What the base has of which the name begins as a pattern does: ``/usr/lib/csv%v/%m`` of Chez Scheme."""
    for above, beginning in _beginnings(text):
        entry = tree.walk(above).entry
        if entry is not None and entry.kind is Kind.DIRECTORY:
            names = [name for name in tree.base.listdir(entry.path) if name.startswith(beginning)]
            yield from (join(entry.path, name) for name in sorted(names) if len(names) <= MOST_OF_BEGINNING)


def _beginnings(text: bytes) -> Iterator[tuple[RootPath, str]]:
    """The directory of each pattern in a constant, and what names in it begin with."""
    for match in _PATH.finditer(text):
        above, _, beginning = match[0].removesuffix(b"%").decode("utf-8", "surrogateescape").rpartition("/")
        if match[1] and above and len(beginning) >= MIN_BEGINNING:
            yield RootPath(above), beginning


def _below_prefix(loaded: LoadedObject) -> Iterator[bytes]:
    """Paths that a program makes of the prefix /usr and a directory below it, if it has both."""
    assert loaded.entry.content is not None, f"internal error: {loaded.path} has no content"
    with open_binary(loaded.entry.content, loaded.info, loaded.path) as binary:
        if not binary.which((_PREFIX,)):
            return
        for pattern in _BELOW_PREFIX:
            yield from (b"/usr/" + text for text in binary.matches(pattern, MAX_FILES))


def _entry_at(tree: Walker, path: RootPath) -> Entry | None:
    """The file or directory that `path` leads to."""
    entry = tree.walk(path).entry
    if entry is None or entry.kind not in (Kind.FILE, Kind.DIRECTORY) or why_private(entry.path):
        return None
    return None if SHARED.fullmatch(entry.path) or entry.path == "/" else entry


def _content(tree: Walker, entry: Entry, packed: Collection[RootPath]) -> _Content:
    """What is at `entry` or below it and not packed."""
    files = [one for one in _files(tree, entry) if one.path not in packed]
    libraries = {one.path for one in files if _LIBRARY.search(one.path)}
    return _Content(
        tuple(sorted((one.path for one in files), key=lambda path: path not in libraries)),
        sum(one.size for one in files),
        bool(libraries),
        any(one.mode & 0o111 for one in files if one.path not in libraries),
    )


def _files(tree: Walker, entry: Entry) -> list[Entry]:
    """The file `entry`, or at most `MAX_FILES` files below it."""
    found: list[Entry] = []
    todo = [entry]
    while todo and len(found) < MAX_FILES:
        here = todo.pop()
        if here.kind is Kind.FILE:
            found.append(here)
        elif here.kind is Kind.DIRECTORY:
            names = tree.base.listdir(here.path)
            todo += filter(None, (tree.lstat(join(here.path, name)) for name in reversed(names)))
    return found


class _Judge:
    """Tells what findings are and how much they say."""

    def __init__(
        self,
        closures: Sequence[Closure],
        symbols: SymbolsOf,
        tree: Walker,
        ownership: Ownership | None,
        found: Mapping[RootPath, tuple[_Place, _Content]],
    ) -> None:
        imports: set[bytes] = set()
        for closure in closures:
            for loaded in closure.objects if closure.libc is not None else ():
                imports |= symbols(loaded).imports.keys() & (_OPENING | _STARTING)
        self._opens, self._starts = bool(imports & _OPENING), bool(imports & _STARTING)
        self._ownership = ownership
        self._places = {closure.program.path: place_in_base(closure.program, tree) for closure in closures}
        self._many: dict[str, int] = {}
        for place, _ in found.values():
            self._many[place.loaded.path] = self._many.get(place.loaded.path, 0) + 1
        asked = [one for one in found.values() if one[0].near and not _is_common(one[0].path)]
        owned = [path for place, content in asked for path in (*content.paths[:MOST_ASKED], *self._homes(place))]
        self._owners = ownership.owners(owned) if ownership is not None else {}

    def judge(self, place: _Place, content: _Content) -> Unpacked:
        """The finding."""
        kind = self._kind(place.path, content)
        owner = next(filter(None, (self._owners.get(path) for path in content.paths[:MOST_ASKED])), "")
        strong = bool(owner) and self._is_strong(place, kind, owner)
        needed_by = f"-e {place.variable}" if place.variable else place.loaded.path
        home = self._home(place) if strong else ""
        others = self._others(owner, content.paths)
        return Unpacked(place.path, kind, len(content.paths), content.size, owner, needed_by, strong, *others, home)

    def _others(self, owner: str, paths: tuple[RootPath, ...]) -> tuple[bool, int]:
        """Whether some of the files are not the owner's, and how many are nobody's."""
        if not owner or self._ownership is None or self._ownership.owns_all(owner, paths):
            return False, 0
        return True, len(paths) - len(self._ownership.owners(paths))

    def _kind(self, path: RootPath, content: _Content) -> UnpackedKind:
        if content.has_libraries and self._opens:
            return UnpackedKind.PLUGINS
        if content.has_programs and self._starts and not path.startswith(("/usr/share/", "/etc/")):
            return UnpackedKind.PROGRAMS
        return UnpackedKind.CONFIGURATION if path.startswith("/etc/") else UnpackedKind.DATA

    def _is_strong(self, place: _Place, kind: UnpackedKind, owner: str) -> bool:
        if place.variable:
            return True
        if not place.near or self._many[place.loaded.path] > MOST_OF_ONE:
            return False
        if _is_common(place.path) or (kind is UnpackedKind.CONFIGURATION and not place.is_program):
            return False
        # The program's package chooses the data of its library: Debian's tesseract-ocr depends on languages.
        own = {package for path in self._homes(place) if (package := self._owners.get(path))}
        return self._ownership is not None and any(self._ownership.are_related(one, owner) for one in own)

    def _homes(self, place: _Place) -> Iterator[RootPath]:
        """Where the base has the file with the path, and the program."""
        if not place.is_program:
            yield place.loaded.entry.path
        program = self._places[place.program.path]
        if program is not None:
            yield program

    def _home(self, place: _Place) -> str:
        """Where the program must be to find it: it looks from its own place, and is packed at another; else empty."""
        home, there = self._places[place.program.path], RootPath(place.program.path)
        # Nothing tells of several programs which of them --dest is for.
        if home is None or not place.is_program or place.variable or len(self._places) > 1:
            return ""
        prefix = parent(parent(home))
        if prefix == parent(parent(there)):
            return ""
        program = place.program
        assert program.entry.content is not None, f"internal error: {there} has no content"
        names = names_beside(program.entry.content, program.info, there)
        return home if any(f"{place.path}/".startswith(f"{prefix}/{name}/") for name in names) else ""


def _is_common(path: RootPath) -> bool:
    """Whether programs work without it: a file that lies in /etc itself, and what is opened on demand alone."""
    return (path.startswith("/etc/") and path.count("/") == 2) or bool(_ON_DEMAND.search(path))  # noqa: PLR2004


def place_in_base(program: LoadedObject, tree: Walker) -> RootPath | None:
    """Where the base has a program that was packed from there; one that is taken from the base stays where it is."""
    name = program.path.rpartition("/")[2]
    for path in (program.path, *(f"{directory}/{name}" for directory in _BINARIES)):
        entry = tree.find_file(path)
        if entry is None or entry.content is None or program.entry.content is None:
            continue
        if _are_equal(entry.content, program.entry.content):
            return entry.path
    return None


def _are_equal(first: Content, second: Content) -> bool:
    """Whether both have the same bytes; most that differ do so in size."""
    if first.size != second.size:
        return False
    if same_content(first, second):
        return True
    with first.open() as one, second.open() as other:
        return all(one.read_at(at, PIECE) == other.read_at(at, PIECE) for at in range(0, first.size, PIECE))


def _outermost(found: Sequence[Unpacked]) -> tuple[Unpacked, ...]:
    """The findings without those that lie in a directory which is one, and says as much.

    Several files of one directory in /etc are one finding.
    """
    kept: dict[RootPath, Unpacked] = {}
    for one in sorted(_together(found), key=lambda each: (not each.strong, len(each.path))):
        if not any(above in kept for above in ancestors(one.path)):
            kept[one.path] = one
    return tuple(sorted(kept.values(), key=lambda one: (not one.strong, one.needed_by, one.path)))


def _together(found: Sequence[Unpacked]) -> Iterator[Unpacked]:
    """The findings, several configuration files of one directory as that directory."""
    groups: dict[tuple[RootPath, str, bool], list[Unpacked]] = {}
    for one in found:
        is_file = one.kind is UnpackedKind.CONFIGURATION and one.files == 1 and one.path.count("/") > 2  # noqa: PLR2004
        groups.setdefault((parent(one.path) if is_file else one.path, one.needed_by, one.strong), []).append(one)
    for (path, _, _), members in groups.items():
        if len(members) == 1:
            yield members[0]
        else:
            size, files = sum(one.size for one in members), len(members)
            shared = any(one.shared or one.package != members[0].package for one in members)
            unowned = sum(one.unowned for one in members)
            yield members[0]._replace(path=path, size=size, files=files, shared=shared, unowned=unowned)
