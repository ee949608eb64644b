"""Everything that an image asks for: from its configuration on, until nothing new comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.errors import MinpackError, NotInImageError
from minpack.images.finding import Finding
from minpack.images.start import start_check
from minpack.images.users import ImageUser, find_user
from minpack.namedtuple import NamedTuple
from minpack.needs.native import is_silent
from minpack.paths import ROOT, RootPath, name, parent
from minpack.plan.entrypoint import find_in_path
from minpack.reach.collect import Collector, is_shared_directory
from minpack.reach.data import add_data
from minpack.reach.interpreters import (
    interpreter_of,
    is_interpreter,
    is_leftover,
    is_loaded_by_name,
    is_shell,
    needs_modules,
    opened_in,
    sets_language,
)
from minpack.reach.loading import Loading
from minpack.reach.model import AskedAs, Reach
from minpack.reach.names import (
    below,
    first_line,
    is_script,
    named_in,
    names_of,
    path_pattern,
    paths_of_configuration,
    words_of_script,
)
from minpack.reach.roots import IMAGE, add_roots
from minpack.resolve.companions import elf_info
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.walk import Walker
    from minpack.elf.info import ElfInfo
    from minpack.images.settings import ImageSettings
    from minpack.images.start import StartCheck
    from minpack.ld.closure import Closure
    from minpack.oci.documents import ImageConfig
    from minpack.reach.roots import Roots
    from minpack.rootfs.entry import Entry

#: Functions by which programs start others by their names alone.
_STARTING = frozenset(b"execvp execvpe execlp posix_spawnp system popen wordexp".split())
_TRANSLATIONS = "/usr/share/locale"
#: They have the shells of users, which who runs the image does not log in with.
_LISTS = frozenset(("/etc/passwd", "/etc/group", "/etc/shells"))
#: What names the packages that files are from, for scanners: of apk, and of dpkg in both its forms.
DATABASES = ("/lib/apk/db/installed", "/var/lib/dpkg/status", "/var/lib/dpkg/status.d")


class Searched(NamedTuple):
    """An image's tree and how the image is run: what it takes to find what it asks for."""

    tree: Walker
    settings: ImageSettings
    #: Paths that are to be kept whatever asks for them, as the user wrote them.
    keep: tuple[str, ...] = ()


def find_reach(searched: Searched) -> Reach:
    """All that the image asks for.

    :raises NotInImageError: the image has nothing at a path that is to be kept.
    :raises InputError: a file cannot be read.
    """
    return _Search(searched).find()


class _Search:
    """What is asked for, while it is searched."""

    def __init__(self, searched: Searched) -> None:
        tree, settings = searched.tree, searched.settings
        found = find_user(settings.config.user, tree)
        self._unknown = found if isinstance(found, Finding) else None
        self._user = ImageUser(User(0, 0)) if isinstance(found, Finding) else found
        self._searched = searched
        self._config: ImageConfig = settings.config
        self._check: StartCheck = start_check(settings, tree, self._user)
        self._collector = Collector(tree)
        self._loading = Loading(self._collector, settings.config, self._check.symbols)
        self._pattern = path_pattern(tree)

    def find(self) -> Reach:
        collector = self._collector
        roots = add_roots(collector, self._searched.settings, self._check, self._user)
        self._keep()
        self._drain(thorough=True)
        interpreter = interpreter_of(roots, self._loading.closures, self._check.symbols) or _nothing(roots)
        add_data(collector, self._closures(roots), self._config, self._check.symbols)
        self._drain(thorough=True)
        if sets_language(self._config.env):
            collector.add_path(_TRANSLATIONS, AskedAs.CONFIGURATION, "sets a language", IMAGE)
            entry = collector.tree.walk(_TRANSLATIONS).entry
            if entry is not None and entry.kind is Kind.DIRECTORY:
                collector.add_inside(entry)
        if interpreter:
            self._add_readable(RootPath(interpreter if interpreter in collector.asked else IMAGE))
        for path in DATABASES:
            collector.add_path(path, AskedAs.DATABASE, "names in it the packages that its files are from", IMAGE)
        collector.add_parents()
        users = {path: tuple(sorted(by)) for path, by in collector.users.items()}
        problems = (*([self._unknown] if self._unknown is not None else []), *roots.started[0].findings)
        return Reach(collector.entries, collector.asked, users, interpreter, problems)

    def _keep(self) -> None:
        for path in self._searched.keep:
            entry = self._collector.add_path(path, AskedAs.KEPT, f"keeps it (--keep {path})", IMAGE)
            if entry is None:
                raise NotInImageError(self._collector.tree.base.name, path, "which --keep names")
            if entry.kind is Kind.DIRECTORY:
                self._collector.add_inside(entry)

    def _closures(self, roots: Roots) -> tuple[Closure, ...]:
        """Those of what is not there to start others."""
        launchers = {entry.path for one in roots.started for entry in one.files if entry not in one.last}
        return tuple(one for one in self._loading.closures if one.program.entry.path not in launchers)

    def _drain(self, *, thorough: bool) -> None:
        """Look at the files that have come, and at those that come by that."""
        files = self._collector.files
        while files:
            libraries: list[tuple[Entry, ElfInfo]] = []
            while files:
                entry = files.popleft()
                info = elf_info(entry)
                if info is None:
                    self._add_configured(entry)
                    continue
                if info.kind.is_program and entry.path not in self._loading.loaded:
                    self._loading.add_program(entry, info, thorough=thorough)
                elif entry.path not in self._loading.loaded:
                    libraries.append((entry, info))
                if thorough:
                    self._add_names(entry, info)
            self._loading.add_libraries(libraries)

    def _add_configured(self, entry: Entry) -> None:
        """Ask for what a configuration file names: one in /etc, or that is named itself."""
        asked = self._collector.asked[entry.path]
        if entry.mode & 0o111 and is_script(entry):
            self._add_script(entry)
        if not entry.path.startswith("/etc/") and asked.kind not in (AskedAs.CONFIGURATION, AskedAs.NAMED):
            return
        if entry.path in _LISTS:
            return
        own = parent(entry.path)
        if own.startswith("/etc/") and not is_shared_directory(own):
            self._collector.add_whole(own, AskedAs.NAMED, "lies in it, with what it may include", entry.path)
        absolute, beside = paths_of_configuration(entry, self._pattern)
        for text in sorted(absolute):
            for named in named_in(text, self._collector.tree, runs_on=False):
                self._add_named(named.path, f"contains {named.text}", entry.path, alone=named.alone)
        for text in sorted(beside):
            path = text.decode("utf-8", "surrogateescape")
            if self._collector.tree.walk(f"{own}/{path}").entry is not None:
                self._add_named(RootPath(f"{own}/{path}"), f"contains {path}", entry.path, alone=False)

    def _add_script(self, entry: Entry) -> None:
        """Ask for the shell of a script, and for the programs that the script names."""
        words = first_line(entry)[2:].decode("utf-8", "surrogateescape").split()
        if not words or not is_shell(RootPath(words[0])):
            # What others need besides is more than can be known, as where the image starts one.
            return
        self._collector.add_path(words[0], AskedAs.NAMED, f"is a script for {words[0]}", entry.path)
        for word in words_of_script(entry):
            found = find_in_path(self._check.start, word)
            if found is not None and not needs_modules(RootPath(found)):
                self._collector.add_path(found, AskedAs.NAMED, f"contains {word}", entry.path)

    def _add_names(self, entry: Entry, info: ElfInfo) -> None:
        """Ask for what an ELF file names."""
        is_program = info.kind.is_program
        silent = not is_program and is_silent(info.soname or name(entry.path))
        is_started = self._collector.asked[entry.path].kind is AskedAs.PROGRAM and not is_interpreter(entry.path)
        starts = is_program and is_started and self._starts_others(entry, info)
        found = names_of(entry, info, self._pattern, commands=starts, relative=not silent)
        for text in sorted(found.paths | found.assigned):
            is_assigned = text in found.assigned and text not in found.paths
            for named in named_in(text, self._collector.tree, runs_on=is_program):
                if (silent and not named.path.startswith("/etc/")) or (is_assigned and self._is_command(named.path)):
                    continue
                self._add_named(named.path, f"contains {named.text}", entry.path, alone=named.alone or silent)
        for relative in sorted(found.relative):
            what = relative.decode("utf-8", "surrogateescape")
            for path in below(what, entry.path, self._collector.tree):
                self._add_named(path, f"contains {what}", entry.path, alone=False)
        for command in sorted(found.commands):
            self._add_command(command.decode(), entry)

    def _is_command(self, path: RootPath) -> bool:
        """Whether a command is at `path`: what a program was built with is no word of what it starts."""
        entry = self._collector.tree.find_file(path)
        return entry is not None and bool(entry.mode & 0o111) and name(parent(entry.path)) in ("bin", "sbin")

    def _starts_others(self, entry: Entry, info: ElfInfo) -> bool:
        if info.interpreter is None:
            return True
        closure = next((one for one in self._loading.closures if one.program.entry.path == entry.path), None)
        try:
            return closure is not None and not _STARTING.isdisjoint(self._check.symbols(closure.program).imports)
        except MinpackError:
            return True

    def _add_command(self, command: str, entry: Entry) -> None:
        own = f"{entry.path.rpartition('/')[0]}/{command}"
        found = own if self._collector.tree.find_file(own) else find_in_path(self._check.start, command)
        if found is not None:
            text = f"starts programs, and contains the name {command}"
            self._collector.add_path(found, AskedAs.NAMED, text, entry.path)

    def _add_named(self, path: RootPath, text: str, by: RootPath, *, alone: bool) -> None:
        entry = self._collector.tree.walk(path).entry
        if entry is None or entry.path == ROOT:
            return
        is_shared = entry.kind is Kind.DIRECTORY and is_shared_directory(entry.path)
        if alone or is_shared:
            self._collector.add_path(path, AskedAs.NAMED, text, by)
        else:
            self._collector.add_whole(path, AskedAs.NAMED, text, by)

    def _add_readable(self, by: RootPath) -> None:
        """Ask for all that an interpreter may read, and for the libraries that all of that needs."""
        collector, env = self._collector, self._config.env
        libraries: list[Entry] = []
        text = "may read it: what it does is not known"
        for path, entry in tree_below(collector.tree.base, ROOT):
            if entry is None or path in collector.asked or _is_left(entry, env):
                continue
            if is_loaded_by_name(entry):
                libraries.append(entry)
            else:
                collector.add_entry(entry, AskedAs.INTERPRETER, text, by)
        self._drain(thorough=False)
        self._add_opened(libraries)

    def _add_opened(self, libraries: Sequence[Entry]) -> None:
        """Ask for the libraries that scripts name, which open them themselves."""
        collector = self._collector
        named: dict[str, RootPath] = {}
        for path, entry in list(collector.entries.items()):
            if entry.kind is Kind.FILE:
                for stem in opened_in(entry):
                    named.setdefault(stem, path)
        for library in libraries:
            stem = name(library.path).removeprefix("lib").partition(".so")[0]
            if stem in named:
                text = f"names the library {stem}"
                collector.add_path(library.path, AskedAs.LIBRARY, text, named[stem])
        self._drain(thorough=False)


def _is_left(entry: Entry, env: Sequence[tuple[str, str]]) -> bool:
    """Whether it is left out even where an interpreter starts; directories below /var stay, empty, to write to."""
    if entry.kind is not Kind.DIRECTORY:
        return is_leftover(entry.path, env)
    return is_leftover(RootPath(f"{entry.path}/."), env) and not entry.path.startswith("/var/")


def _nothing(roots: Roots) -> str:
    """What takes the place of an interpreter where it is not known what the image starts."""
    started = roots.started[0]
    return "" if started.files and not started.findings else "whatever is run in it"
