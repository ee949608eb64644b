"""Putting together what is asked for: each path once, with the first reason there is, and what it leads to."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.paths import ROOT, RootPath, directories_above
from minpack.reach.model import Asked, AskedAs
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry

#: Directories that all programs of a system share: who names one means something in it.
_SHARED = re.compile(
    r"/usr(?:/local)?|/(?:usr/(?:local/)?)?(?:s?bin|games|lib(?:32|64|x32|exec)?|share|etc|include|src)?(?:/[^/]*-linux-[^/]*)?"
    r"|/(?:var|run|tmp|home|opt|srv|mnt|media|proc|sys|dev|boot)"
    r"|/var/(?:lib|cache|log|spool|tmp|run|lock|mail|opt|local|backups)|/run/lock"
    r"|/usr/share/(?:man|doc|info|locale|icons|themes|misc|perl5?|java|terminfo|zoneinfo|i18n|bash-completion)"
    r"(?:/.*)?|/usr/share/X11|/usr/lib/(?:locale|debug|modules)|/etc/(?:default|init\.d|alternatives|profile\.d|cron\.[a-z]+)"
    r"|/var/lib/(?:dpkg|apt|apk)|/lib/apk|/(?:usr/)?lib/[^/]*-linux-[^/]*/gconv|/usr/local/share/(?:man|doc)"
)


def is_shared_directory(path: str) -> bool:
    """Whether a directory is for all programs of a system, so that its name says nothing of what is in it."""
    return _SHARED.fullmatch(path) is not None


class Collector:
    """Grows by what is asked for; `files` are the regular files that came since they were last taken."""

    def __init__(self, tree: Walker) -> None:
        self.tree = tree
        self.entries: dict[RootPath, Entry] = {}
        self.asked: dict[RootPath, Asked] = {}
        self.users: dict[RootPath, dict[RootPath, None]] = {}
        self.files: deque[Entry] = deque()
        #: Directories that are asked for with all that is in them.
        self._whole: set[RootPath] = set()

    def add_entry(self, entry: Entry, kind: AskedAs, text: str, by: RootPath) -> None:
        """Ask for one thing that is there."""
        if entry.path in self.asked or entry.path == ROOT or entry.kind is Kind.SPECIAL:
            return
        self.asked[entry.path] = Asked(entry.path, kind, text, by)
        self.entries[entry.path] = entry
        if entry.kind is Kind.FILE:
            self.files.append(entry)

    def add_trail(self, trail: Iterable[Entry], what: str, by: RootPath) -> None:
        """Ask for the links on the way to something."""
        for entry in trail:
            if entry.kind is Kind.SYMLINK:
                self.add_entry(entry, AskedAs.LINK, f"reaches {what} through it", by)

    def add_path(self, path: str, kind: AskedAs, text: str, by: RootPath) -> Entry | None:
        """Ask for what `path` leads to, with the links on the way; what that is, or None if there is nothing."""
        entry, trail, _ = self.tree.walk(path)
        if entry is None:
            return None
        self.add_trail(trail, path, by)
        self.add_entry(entry, kind, text, by)
        return entry

    def add_whole(self, path: str, kind: AskedAs, text: str, by: RootPath) -> None:
        """Ask for what `path` leads to; of a directory that is no system's for all that is in it too."""
        entry = self.add_path(path, kind, text, by)
        if entry is not None and entry.kind is Kind.DIRECTORY and not is_shared_directory(entry.path):
            self.add_inside(entry)

    def add_inside(self, top: Entry) -> None:
        """All that is in a directory, and what the links in it lead to."""
        todo, text = [top], "is asked for with all that is in it"
        while todo:
            directory = todo.pop()
            if directory.path in self._whole:
                continue
            self._whole.add(directory.path)
            for _, entry in tree_below(self.tree.base, directory.path):
                if entry is None:
                    continue
                self.add_entry(entry, AskedAs.INSIDE, text, directory.path)
                if entry.kind is Kind.DIRECTORY:
                    self._whole.add(entry.path)
                elif entry.kind is Kind.SYMLINK:
                    target = self.add_path(entry.path, AskedAs.LINK, f"leads to {entry.link}", entry.path)
                    if target is not None and target.kind is Kind.DIRECTORY and not is_shared_directory(target.path):
                        todo.append(target)

    def add_user(self, library: RootPath, by: RootPath) -> None:
        """Note that the file `by` needs `library`."""
        self.users.setdefault(library, {}).setdefault(by)

    def add_parents(self) -> None:
        """Ask for the directories that hold what is asked for."""
        held: dict[RootPath, RootPath] = {}
        for path in self.asked:
            for above in directories_above((path,)):
                held.setdefault(above, path)
        for above, path in held.items():
            entry = self.tree.lstat(above)
            if entry is not None:
                self.add_entry(entry, AskedAs.DIRECTORY, "lies in it", path)
