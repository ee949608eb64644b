"""What the accesses of a trace come to in two trees: the one that the program ran in, and its image's.

Links are followed in the trees, as the program's kernel followed them. What was made while it ran is in neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase
from minpack.base.walk import Walker
from minpack.content import read_all
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, name, normal, parent
from minpack.rootfs.entry import Kind
from minpack.strace.access import Access, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.base.interface import Base
    from minpack.plan.model import Plan
    from minpack.rootfs.entry import Entry
    from minpack.strace.access import TraceLog

#: What the kernel makes.
_KERNEL = re.compile(r"/(?:proc|sys|dev)(?:/|$)")
#: What Python compiles by itself where it is not there, or not of the time of its source, and how it begins (PEP 3147).
_CACHES = re.compile(r".*/__pycache__/")
#: What is a machine's, or is made on it while it runs: its names and network, its clock's zone, caches, state.
_MACHINE = re.compile(
    r"/etc/(?:ld\.so\.[^/]*(?:/.*)?|localtime|timezone|hostname|hosts(?:\.[^/]*)?|resolv\.conf|mtab|fstab|machine-id"
    r"|adjtime|host\.conf|gai\.conf|selinux/.*)$|/usr/share/zoneinfo/localtime$|/(?:var/cache|run|var/run|var/lock|tmp|var/tmp|selinux)(?:/|$)"
)
_HOMES = re.compile(r"/(?:root|home/[^/]+)(?:/|$)")
#: Failures of a call that show that there is something at the path.
_IS_THERE = frozenset(
    ("EINVAL", "EEXIST", "ENOTDIR", "EISDIR", "ENODATA", "EOPNOTSUPP", "ENOTSUP", "ENOEXEC", "ELIBBAD", "ERANGE")
)
_IS_NOT = frozenset(("ENOENT", "ENOTDIR", "ENAMETOOLONG"))
_REFUSED = frozenset(("EACCES", "EPERM", "EROFS"))
#: How much of a script's first line the kernel reads, and how many scripts may start each other (`exec_binprm`).
_LINE, _SCRIPTS = 256, 5


class Used(NamedTuple):
    """A file or link of the tree that was used: by the path that the program had, and where it is.

    `shown` is the path without links in it but for the last; `uses` are all that were made of it.
    """

    path: RootPath
    entry: Entry
    uses: tuple[Use, ...]


class Observations(NamedTuple):
    """What a program did, path by path, each sorted.

    `listed` are directories that were opened. `written` are paths that were made, or written to; `refused` those that
    could not be read or written. `own` are what is a user's or was made meanwhile, `machine` what is of the machine.
    `kernel` counts paths in /proc, /sys and /dev.
    """

    used: tuple[Used, ...] = ()
    listed: tuple[RootPath, ...] = ()
    absent: tuple[Access, ...] = ()
    refused: tuple[Access, ...] = ()
    written: tuple[RootPath, ...] = ()
    own: tuple[RootPath, ...] = ()
    machine: tuple[RootPath, ...] = ()
    kernel: int = 0


def full_tree(plan: Plan, tree: Base) -> Walker:
    """The tree of a plan over the whole base."""
    return Walker(OverlayBase(base_of(tree.name, plan.all), tree))


def image_tree(plan: Plan) -> Walker:
    """The tree of a plan alone."""
    return Walker(base_of("the image", plan.all))


class Observer:
    """Sorts accesses by what they are.

    :param home: the directory that is the user's.
    """

    def __init__(self, full: Walker, home: str) -> None:
        self._full = full
        self._home = f"{home.rstrip('/')}/" if home.strip("/") else ""
        self._used: dict[RootPath, dict[Use, None]] = {}
        self._entries: dict[RootPath, Entry] = {}
        self._listed: set[RootPath] = set()
        self._absent: set[Access] = set()
        self._refused: set[Access] = set()
        self._written: set[RootPath] = set()
        self._own: set[RootPath] = set()
        self._machine: set[RootPath] = set()
        self._kernel: set[str] = set()

    def observe(self, log: TraceLog) -> Observations:
        """All that the log tells."""
        for access in log.accesses:
            self._take(access)
        absent = tuple(sorted(self._absent))
        places = sought_places(absent)
        used = (Used(path, self._entries[path], tuple(sorted(uses))) for path, uses in sorted(self._used.items()))
        return Observations(
            tuple(one for one in used if one.uses != (Use.EXAMINED,) or one.path not in places),
            tuple(sorted(self._listed)),
            absent,
            tuple(sorted(self._refused)),
            tuple(sorted(self._written)),
            tuple(sorted(self._own)),
            tuple(sorted(self._machine)),
            len(self._kernel),
        )

    def _take(self, access: Access) -> None:
        if _KERNEL.match(access.path):
            self._kernel.add(access.path)
            return
        path, entry = self._at(access)
        if _CACHES.match(path):
            self._machine.add(path)
        elif access.error in _REFUSED and (entry is not None or access.use is Use.WRITTEN):
            self._refused.add(access)
        elif access.use is Use.WRITTEN:
            if not access.error:
                self._written.add(path)
        elif entry is None:
            self._take_nothing(access, path)
        elif not access.error or access.error in _IS_THERE:
            self._take_entry(access, path, entry)

    def _take_nothing(self, access: Access, path: RootPath) -> None:
        if not access.error:
            self._own.add(path)
        elif is_of_machine(path):
            self._machine.add(path)
        elif access.error in _IS_NOT and not self._is_own(path):
            self._absent.add(access._replace(follows=True))

    def _take_entry(self, access: Access, path: RootPath, entry: Entry) -> None:
        if is_of_machine(entry.path) or is_of_machine(path):
            self._machine.add(path)
        elif self._is_own(entry.path):
            self._own.add(path)
        elif entry.kind is Kind.DIRECTORY:
            if access.use is Use.OPENED:
                self._listed.add(entry.path)
        elif entry.kind is not Kind.SPECIAL:
            self._add(path, entry, access.use)
            if access.use is Use.EXECUTED:
                self._add_interpreters(entry)

    def _add(self, path: RootPath, entry: Entry, use: Use) -> None:
        self._used.setdefault(path, {})[use] = None
        self._entries[path] = entry

    def _add_interpreters(self, entry: Entry) -> None:
        """What the kernel opens by itself to execute a script (execve(2), "Interpreter scripts")."""
        for _ in range(_SCRIPTS):
            line = read_all(entry.content, entry.size)[:_LINE] if _is_script(entry) and entry.content else b""
            words = line.partition(b"\n")[0][2:].split()
            found = self._full.find_file(words[0].decode("utf-8", "surrogateescape")) if words else None
            if found is None:
                return
            self._add(normal(words[0].decode("utf-8", "surrogateescape")), found, Use.EXECUTED)
            entry = found

    def _at(self, access: Access) -> tuple[RootPath, Entry | None]:
        """Where the path is, as the program wrote it but for ``..``, and what is there."""
        full = self._full
        if ".." in access.path.split("/"):
            above, _, last = access.path.rpartition("/")
            walk = full.walk(above or "/")
            if last == ".." or walk.entry is None:
                found = full.walk(access.path).entry
                return (found.path if found is not None else normal(access.path)), found
            path = RootPath(f"{walk.entry.path.rstrip('/')}/{last}")
        else:
            path = RootPath(access.path)
        if access.follows:
            return path, full.walk(path).entry
        above_entry = full.walk(parent(path)).entry
        return path, full.lstat(RootPath(f"{above_entry.path.rstrip('/')}/{name(path)}")) if above_entry else None

    def _is_own(self, path: RootPath) -> bool:
        return bool((self._home and f"{path}/".startswith(self._home)) or _HOMES.match(path))


def sought_places(absent: Iterable[Access]) -> frozenset[RootPath]:
    """The paths that were taken for directories with something that was absent: no file there is what was sought.

    glibc's loader examines them itself too, once nothing in them could be opened (`open_path` in elf/dl-load.c).
    """
    return frozenset(parent(RootPath(one.path)) for one in absent)


def is_of_machine(path: str) -> bool:
    """Whether what is there is of a machine, or a cache, and of no program."""
    return bool(_MACHINE.match(path) or _CACHES.match(path))


def _is_script(entry: Entry) -> bool:
    if entry.kind is not Kind.FILE or entry.content is None or not 2 < entry.size <= 1 << 20:  # noqa: PLR2004 - "#!"
        return False
    with entry.content.open() as reader:
        return reader.read_at(0, 2) == b"#!"


def lacking(used: Iterable[Used], image: Walker) -> tuple[Used, ...]:
    """What of it the image has not, at that path or where its links lead."""
    return tuple(one for one in used if not _has(image, one))


def _has(image: Walker, used: Used) -> bool:
    if used.entry.kind is not Kind.SYMLINK:
        found = image.walk(used.path).entry
        return found is not None and found.kind is Kind.FILE
    above = image.walk(parent(used.path)).entry
    return above is not None and image.lstat(RootPath(f"{above.path.rstrip('/')}/{name(used.path)}")) is not None


def never_used(plan: Plan, used: Sequence[Used], full: Walker) -> tuple[Entry, ...]:
    """The files of the image that were not used, as they are written."""
    paths = {one.entry.path for one in used}
    inodes = {one.entry.inode for one in used if one.entry.inode is not None}
    kept = []
    for entry in plan.all:
        real = full.lstat(entry.path)
        is_used = entry.path in paths or (real is not None and real.inode is not None and real.inode in inodes)
        if entry.kind is Kind.FILE and not is_used:
            kept.append(entry)
    return tuple(kept)
