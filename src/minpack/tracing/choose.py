"""Which options pack what a trace found: the fewest that say what they are for, and bring little besides.

A need is better than its files; a directory that is a package's own is better than two of its files, unless it is much
larger than what was used of it; a library by its name, where the loader finds it, is better than by its path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.paths import RootPath, ancestors, name, parent
from minpack.plan.take import why_not_taken
from minpack.plan.unpacked import SHARED
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User
from minpack.spec.values import AddedDirectory
from minpack.strace.access import Use
from minpack.tracing.options import PackOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from minpack.base.ownership import Ownership
    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry
    from minpack.tracing.observe import Used

#: The needs that bring what is at these paths.
_NEEDS = (
    (Need.TZ, re.compile(r"/usr/share/zoneinfo/")),
    (Need.CERTS, re.compile(r"/etc/ssl/(?:cert\.pem|certs/ca-certificates\.crt)$|/etc/pki/tls/")),
    (Need.SHELL, re.compile(r"/(?:usr/)?bin/sh$")),
    (Need.SERVICES, re.compile(r"/etc/services$")),
    (Need.PROTOCOLS, re.compile(r"/etc/protocols$")),
    (Need.MIME, re.compile(r"/etc/mime\.types$|/usr/share/mime/")),
    (Need.TERMINFO, re.compile(r"/(?:usr/share|usr/lib|lib|etc)/terminfo/")),
    (Need.GCONV, re.compile(r"/(?:usr/)?lib(?:/[^/]+)?/gconv/[^/]+\.so$")),
)
_LIBRARY = re.compile(r"\.so(?:\.[0-9.]+)?$")
#: Where loaders look by themselves (ld.so(8), and musl's path).
_LOADED = re.compile(r"/(?:usr/)?(?:local/)?lib(?:64|32)?(?:/[a-z0-9_]+-linux-[a-z0-9]+)?/[^/]+$")
#: A directory is taken for two files of it, if it is no larger than this, or so much of it was used.
_SMALL, _SHARE = 8 << 20, 4
#: So many files of one directory are taken with all of it, whoever owns the rest.
_MANY = 12
MAX_FILES = 20_000
#: A directory for all, as /tmp.
_FOR_ALL = 0o1777
_ROOT = User(0, 0)


class _Directory(NamedTuple):
    """What is below a directory: its files, their sizes together, and whether all are of one package or nobody's."""

    paths: frozenset[RootPath]
    size: int
    whole: bool


class Chooser:
    """Chooses options, for one tree; what it learns of directories is kept.

    :param full: over the tree that the program ran in.
    :param ownership: which packages have the files, where a database says so.
    :param unwanted: needs that the user wants not to be packed.
    """

    def __init__(self, full: Walker, ownership: Ownership | None, unwanted: Collection[Need]) -> None:
        self._full = full
        self._ownership = ownership
        self._unwanted = unwanted
        self._below: dict[RootPath, list[Entry] | None] = {}
        self.owners: dict[RootPath, str] = {}

    def learn(self, used: Iterable[Used]) -> None:
        """Look up the owners of these, all at once."""
        self._own(one.entry.path for one in used)

    def choose(self, lacking: Sequence[Used], stage: int) -> PackOptions:
        """The options for what an image lacks.

        :param stage: 0 for all but libraries, which programs may bring; 1 for those too that loaders do not find by
            themselves, which plugins are; 2 for all.
        """
        left = [one for one in lacking if not self.why_not(one)]
        needs = tuple(sorted({need for one in left if (need := self.need_of(one)) is not None}))
        rest = [one for one in left if self.need_of(one) is None]
        loaded = [one for one in rest if self._is_library(one)]
        files = [one for one in rest if not self._is_library(one)]
        named = tuple(sorted({name(one.path) for one in loaded if _LOADED.fullmatch(one.path)})) if stage > 1 else ()
        if stage:
            files += [one for one in loaded if not _LOADED.fullmatch(one.path)]
        return PackOptions(None, needs, self._paths(files), named)

    def why_not(self, used: Used) -> str:
        """Why nothing can take it; empty if --take can."""
        return why_not_taken(used.entry, named=True)

    def need_of(self, used: Used) -> Need | None:
        """The need that brings it, if one does."""
        found = next((need for need, pattern in _NEEDS if pattern.match(used.path)), None)
        if found is Need.SHELL and used.uses == (Use.EXAMINED,):
            return None
        return found if found not in self._unwanted else None

    @staticmethod
    def _is_library(used: Used) -> bool:
        return bool(_LIBRARY.search(used.path)) and Use.EXECUTED not in used.uses

    def _paths(self, files: Sequence[Used]) -> tuple[RootPath, ...]:
        """The directories and files to take."""
        wanted = {one.entry.path for one in files}
        tops = {path: self._top(path, wanted) for path in sorted(wanted)}
        found = {_as_named(one, tops[one.entry.path]) for one in files}
        return PackOptions(taken=tuple(found)).merged(PackOptions()).taken

    def _top(self, path: RootPath, wanted: Collection[RootPath]) -> RootPath | None:
        """The highest directory that is taken for a file; None if the file is taken alone."""
        found, count = None, 1
        for above in sorted(ancestors(path), key=len, reverse=True):
            if above.count("/") <= 2 or SHARED.fullmatch(above):  # noqa: PLR2004 - /usr/lib and the like
                break
            below = self._content(above, path)
            if below is None or not below.whole:
                many = below is not None and sum(parent(one) == above for one in wanted) >= _MANY
                found = above if many and found is None else found
                break
            used = [one for one in wanted if one in below.paths]
            if len(used) > count and self._is_worth_it(below, used):
                found, count = above, len(used)
        return found

    def _is_worth_it(self, below: _Directory, used: Sequence[RootPath]) -> bool:
        size = sum(entry.size for path in used if (entry := self._full.lstat(path)) is not None)
        return below.size <= _SMALL or size * _SHARE >= below.size

    def _content(self, directory: RootPath, path: RootPath) -> _Directory | None:
        """What is below `directory`, and whether all is of the owner of `path`; None if it is too much to take."""
        if directory not in self._below:
            self._below[directory] = self._listed(directory)
        entries = self._below[directory]
        if entries is None:
            return None
        paths = frozenset(entry.path for entry in entries)
        self._own(paths)
        owners = {self.owners.get(one, "") for one in paths} - {""}
        return _Directory(paths, sum(entry.size for entry in entries), owners <= {self.owners.get(path, "")})

    def _listed(self, directory: RootPath) -> list[Entry] | None:
        found: list[Entry] = []
        for _, entry in tree_below(self._full.base, directory):
            if entry is not None and entry.kind in (Kind.FILE, Kind.SYMLINK):
                found.append(entry)
            if len(found) > MAX_FILES:
                return None
        return found

    def _own(self, paths: Iterable[RootPath]) -> None:
        new = [path for path in paths if path not in self.owners]
        if new:
            known = self._ownership.owners(new) if self._ownership is not None else {}
            self.owners.update((path, known.get(path, "")) for path in new)

    def owned(self, paths: Sequence[RootPath], used: Sequence[Used]) -> tuple[RootPath, ...]:
        """Those of the directories that a package has of which something was used."""
        self._own((*paths, *(one.entry.path for one in used)))
        packages = {self.owners[one.entry.path] for one in used} - {""}
        return tuple(path for path in paths if self.owners[path] in packages)


def directories_for(
    listed: Sequence[RootPath], written: Sequence[RootPath], full: Walker, image: Walker
) -> tuple[AddedDirectory, ...]:
    """The directories that the image lacks: those that were opened, and those that something was made in."""
    found: dict[RootPath, AddedDirectory] = {}
    for path in listed:
        if not SHARED.fullmatch(path) and image.walk(path).entry is None:
            found[path] = AddedDirectory(path, 0o755, _ROOT)
    for path in written:
        above = full.walk(parent(path)).entry
        if above is None or above.path == "/" or above.kind is not Kind.DIRECTORY or _is_below_tmp(above.path):
            continue
        if image.walk(above.path).entry is None:
            shared = above.mode & 0o002
            found[above.path] = AddedDirectory(above.path, *((_FOR_ALL, _ROOT) if shared else (None, None)))
    return tuple(one for _, one in sorted(found.items()))


def _as_named(used: Used, top: RootPath | None) -> RootPath:
    """The path to take, by the name that the program has for it, so that the links on the way come along."""
    if top is None:
        return used.path
    rest = used.entry.path[len(top) :]
    return RootPath(used.path[: -len(rest)]) if used.path.endswith(rest) else used.path


def _is_below_tmp(path: RootPath) -> bool:
    """Whether a directory is one of the many that programs make in those for all: what made it will again."""
    return path.startswith(("/tmp/", "/var/tmp/", "/run/", "/dev/", "/proc/"))  # noqa: S108 - the image's
