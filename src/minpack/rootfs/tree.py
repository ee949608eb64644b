"""`Tree`: entries put together, each path once, parents before children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from minpack.errors import PathConflictError
from minpack.paths import ROOT, RootPath, ancestors, parent, sort_key
from minpack.rootfs.entry import Entry, Kind, directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Tag = TypeVar("Tag")
#: Whiteouts of the OCI layer format: a file of such a name cannot be in an image (layer.md, "Whiteouts").
WHITEOUT = "/.wh."


class Tree(Generic[Tag]):
    """Grows entry by entry; each has a tag that says why it is there.

    :param implied: makes the tag of a directory that is there only to hold `path`.
    """

    def __init__(self, implied: Callable[[RootPath], Tag]) -> None:
        self._imply = implied
        self._entries: dict[RootPath, tuple[Entry, Tag]] = {}
        #: Directories that are there only to hold others.
        self.implied: set[RootPath] = set()

    def add(self, entry: Entry, tag: Tag) -> None:
        """Put `entry` at its path; an equal one that is there already stays, with its tag.

        :raises PathConflictError: something else is there, or a parent is no directory.
        """
        path = entry.path
        if path == ROOT:
            return
        if WHITEOUT in path:
            raise PathConflictError(path, "the OCI layer format's rule for such names (whiteouts)", _what(entry))
        self._add_parents(path)
        known = self._entries.get(path)
        if known is None or (path in self.implied and entry.kind is Kind.DIRECTORY):
            self._entries[path] = (entry, tag)
            self.implied.discard(path)
        elif not _same(known[0], entry):
            raise PathConflictError(path, _what(known[0]), _what(entry))

    def _add_parents(self, path: RootPath) -> None:
        nearest = self._entries.get(parent(path))
        if nearest is not None and nearest[0].kind is Kind.DIRECTORY:
            return
        for above in ancestors(path):
            known = self._entries.get(above)
            if known is None:
                self._entries[above] = (directory(above), self._imply(path))
                self.implied.add(above)
            elif known[0].kind is not Kind.DIRECTORY:
                raise PathConflictError(path, f"{_what(known[0])} at {above!r}", "it would lie below it")

    def __contains__(self, path: RootPath) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[tuple[Entry, Tag]]:
        """All entries with their tags, each directory before what is in it, bytewise by parts."""
        return (self._entries[path] for path in sorted(self._entries, key=sort_key))


def with_hard_links(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """`entries` with each further name of a file as a hard link to the first: targets come before links.

    A link has the mode and owner of its target: engines give the file those of the name they unpack last.
    """
    first: dict[int, Entry] = {}
    made: list[Entry] = []
    for entry in entries:
        target = entry
        if entry.kind is Kind.FILE and entry.inode is not None:
            target = first.setdefault(entry.inode, entry)
        if target is not entry:
            entry = target._replace(path=entry.path, kind=Kind.HARDLINK, link=target.path, content=None)  # noqa: PLW2901
        made.append(entry)
    return tuple(made)


def _same(first: Entry, second: Entry) -> bool:
    if first.kind is Kind.DIRECTORY and second.kind is Kind.DIRECTORY:
        return True
    return first[:5] == second[:5] and first.link == second.link and first.content == second.content


def _what(entry: Entry) -> str:
    if entry.kind is Kind.SYMLINK:
        return f"a symlink to {entry.link!r}"
    return f"a {entry.kind}" + (f" from {entry.content.where}" if entry.content is not None else "")
