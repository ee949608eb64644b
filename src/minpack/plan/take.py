"""What --take brings from the base: files, directories with all that is in them, and what a pattern matches."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from minpack.errors import BaseError, NotInBaseError
from minpack.excerpt import listed
from minpack.paths import ROOT, RootPath, join
from minpack.plan.model import Taken, TakenFiles
from minpack.plan.secrets import holds_key, why_private
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minpack.base.walk import Walk, Walker
    from minpack.rootfs.entry import Entry

#: No pattern, and no directory above them, leads into these: what is there is of a machine or a person.
_OTHERS = frozenset(
    f"/{name}" for name in ("home", "root", "var", "run", "tmp", "proc", "sys", "dev", "boot", "mnt", "media")
)
#: More files are not part of one program.
MAX_FILES = 50_000
#: Texts up to this size are looked into for private keys; a key has a few kilobytes.
MAX_KEY = 64 << 10
MAGIC = "*?["


def take(patterns: Iterable[str], tree: Walker, why: str = "--take {}") -> TakenFiles:
    """All that the patterns name.

    :param tree: over the base with its packages.
    :param why: the reason, with the pattern in it.
    :raises NotInBaseError: one names nothing.
    :raises BaseError: a file that was named is private, or one names more than a program can need.
    """
    found: dict[RootPath, Taken] = {}
    notes: list[str] = []
    for pattern in patterns:
        taking = _Taking(tree, why.format(pattern))
        taking.add_pattern(pattern)
        if not taking.found:
            hint = "--package NAME fetches what a package has, --add SRC:DST adds a file of this host"
            reason = next(iter(taking.left.values()), "")
            raise NotInBaseError(
                tree.base.name, pattern, f"which {taking.option} names" + (f": it {reason}" if reason else ""), hint
            )
        for taken in taking.found.values():
            _keep(found, taken)
        notes += taking.notes()
    return TakenFiles(tuple(found.values()), tuple(notes))


def _keep(found: dict[RootPath, Taken], taken: Taken) -> None:
    """Have what was taken in `found`, once, and each link by which it was named: /bin/ls and /bin/mkdir of busybox."""
    if found.setdefault(taken.entry.path, taken) is not taken:
        for above in taken.trail:
            found.setdefault(above.path, Taken(above, taken.option))


class _Taking:
    """What one option takes, while it grows; `left` has what it does not take and why."""

    def __init__(self, tree: Walker, option: str) -> None:
        self.option = option
        self.found: dict[RootPath, Taken] = {}
        self.left: dict[RootPath, str] = {}
        self._tree = tree
        self._entered: set[RootPath] = set()

    def notes(self) -> list[str]:
        """A note of what was left, if anything was."""
        if not self.left:
            return []
        files = f"{len(self.left)} files" if len(self.left) > 1 else "a file"
        return [
            f"{self.option} leaves out {files}: {listed((f'{p} {why}' for p, why in sorted(self.left.items())), 3)}"
        ]

    def add_pattern(self, pattern: str) -> None:
        """Take what `pattern` matches, or what is at it."""
        if any(letter in pattern for letter in MAGIC) and self._tree.walk(pattern).entry is None:
            for path in _matching(self._tree, pattern):
                self._add(path, named=False)
        else:
            self._add(RootPath(pattern), named=True)

    def _add(self, path: RootPath, *, named: bool) -> None:
        walk = self._tree.walk(path)
        if walk.entry is None:
            return
        if walk.entry.kind is Kind.DIRECTORY:
            self._add_directory(walk.entry.path, walk, above=walk.entry.path)
        else:
            self._add_file(walk, named=named)

    def _add_file(self, walk: Walk, *, named: bool) -> None:
        entry = walk.entry
        assert entry is not None, "internal error: nothing to take"
        why = why_not_taken(entry, named=named)
        if why and named:
            raise BaseError(
                self._tree.base.name, f"{self.option} leads to {entry.path!r}, which {why}", "add it with --add SRC:DST"
            )
        if why:
            self.left[entry.path] = why
            return
        if len(self.found) >= MAX_FILES:
            reason = f"{self.option} would take more than {MAX_FILES} files"
            raise BaseError(self._tree.base.name, reason, "name the directories that the program reads")
        _keep(self.found, Taken(entry, self.option, named, walk.trail))

    def _add_directory(self, start: RootPath, walk: Walk, *, above: RootPath) -> None:
        """All below a directory, but for what is of the machine or a person; links in it with what they lead to."""
        todo = [start]
        while todo:
            here = todo.pop()
            if here in self._entered:
                continue
            self._entered.add(here)
            entry = self._tree.lstat(here)
            if entry is not None and here != ROOT:
                self.found.setdefault(here, Taken(entry, self.option, trail=walk.trail))
            for name in self._tree.base.listdir(here):
                path = join(here, name)
                if path in _OTHERS:
                    continue
                below = self._tree.lstat(path)
                if below is not None and below.kind is Kind.DIRECTORY:
                    todo.append(path)
                elif below is not None:
                    self._add_member(path, below, above)

    def _add_member(self, path: RootPath, entry: Entry, above: RootPath) -> None:
        walk = self._tree.walk(path)
        if entry.kind is not Kind.SYMLINK:
            self._add_file(walk, named=False)
            return
        self.found.setdefault(path, Taken(entry, self.option))
        target = walk.entry
        if target is None:
            return
        if target.kind is not Kind.DIRECTORY:
            self._add_file(walk, named=False)
        elif _may_follow(target.path, above):
            self._add_directory(target.path, walk, above=above)


def _may_follow(target: RootPath, above: RootPath) -> bool:
    """Whether a link's directory belongs to what is taken: not one that is above it, or for all of a system."""
    if f"{above}/".startswith(f"{target}/") or target.count("/") <= 2:  # noqa: PLR2004 - /usr/lib is for all
        return False
    return not any(target == one or target.startswith(f"{one}/") for one in _OTHERS)


def why_not_taken(entry: Entry, *, named: bool) -> str:
    """Why a file is not taken; empty if it is."""
    if entry.kind is Kind.SPECIAL:
        return "is not a file"
    why = why_private(entry.path)
    if why or entry.content is None:
        return why
    if not named and not entry.mode & 0o004:
        return "is not for all to read"
    return "holds a private key" if entry.size <= MAX_KEY and holds_key(entry.content) else ""


def _matching(tree: Walker, pattern: str) -> Iterator[RootPath]:
    """The paths that match a pattern as a shell's would, part by part."""
    places: Sequence[RootPath] = (ROOT,)
    for part in pattern.strip("/").split("/"):
        places = list(_matching_in(tree, places, part))
    yield from places


def _matching_in(tree: Walker, places: Iterable[RootPath], part: str) -> Iterator[RootPath]:
    matches = re.compile(translate(part)).match
    literal = not any(letter in part for letter in MAGIC)
    for place in places:
        walk = tree.walk(place)
        if walk.entry is None or walk.entry.kind is not Kind.DIRECTORY:
            continue
        names = (part,) if literal else tree.base.listdir(walk.entry.path)
        for name in names:
            path = join(place, name)
            is_hidden = name.startswith(".") and not part.startswith(".")
            if path in _OTHERS or is_hidden or not (literal or matches(name)):
                continue
            if tree.walk(path).entry is not None:
                yield path
