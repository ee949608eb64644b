"""`Tree`: entries put together, each path once, parents before children, modes and owners by who says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from minpack.content import same_content
from minpack.errors import ContradictoryOptionsError, PathConflictError
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, ancestors, parent, sort_key
from minpack.rootfs.entry import Entry, Kind, directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Tag = TypeVar("Tag")
#: Whiteouts of the OCI layer format: a file of such a name cannot be in an image (layer.md, "Whiteouts").
WHITEOUT = "/.wh."


class Precedence:
    """How specifically a mode or an owner is said; of several the most specific counts.

    Plain numbers: an enumeration takes longer to define than all trees of a small run to make.
    """

    #: The directory is there only to hold something.
    PARENT: Final = 0
    #: Nothing is said: the mode and owner that such things have.
    DEFAULT: Final = 1
    #: By what it is for: a program is run, the image's user writes to a volume.
    PURPOSE: Final = 2
    #: By an option that says it of a whole tree.
    TREE: Final = 3
    #: By an option that says it of this path.
    STATED: Final = 4


class Claim(NamedTuple):
    """How specifically the mode and the owner of an entry are said, and by which option, as one would write it."""

    mode: int = Precedence.DEFAULT
    owner: int = Precedence.DEFAULT
    option: str = ""

    @property
    def strength(self) -> int:
        """The more specific of both."""
        return max(self.mode, self.owner)


_DEFAULT = Claim()
_PARENT = Claim(Precedence.PARENT, Precedence.PARENT)


class Tree(Generic[Tag]):
    """Grows entry by entry, in any order; each has a tag that says why it is there.

    :param implied: makes the tag of a directory that is there only to hold `path`.
    :param standard: directories with the mode and owner that they have wherever no option states another mode.
    """

    def __init__(self, implied: Callable[[RootPath], Tag], standard: Mapping[RootPath, Entry] | None = None) -> None:
        self._imply = implied
        self._standard = standard or {}
        self._entries: dict[RootPath, tuple[Entry, Tag, Claim]] = {}
        #: What is said of mode and owner, where it is said more than once.
        self._words: dict[RootPath, tuple[_Word, _Word]] = {}
        #: Directories that are there only to hold others.
        self.implied: set[RootPath] = set()

    def add(self, entry: Entry, tag: Tag, claim: Claim = _DEFAULT) -> None:
        """Put `entry` at its path. Where the same thing is already, the more specific mode, owner and tag stay.

        :raises PathConflictError: something else is there, or a parent is not a directory.
        """
        path = entry.path
        if path == ROOT:
            if entry.kind is not Kind.DIRECTORY:
                raise PathConflictError(path, "the root directory", _what(entry, claim))
            return
        if WHITEOUT in path:
            raise PathConflictError(path, "the OCI layer format's rule for such names (whiteouts)", _what(entry, claim))
        self._add_parents(path, claim)
        known = self._entries.get(path)
        if known is None:
            self._entries[path] = (entry, tag, claim)
        else:
            self._merge(known, (entry, tag, claim))
        self.implied.discard(path)

    def _add_parents(self, path: RootPath, claim: Claim) -> None:
        nearest = self._entries.get(parent(path))
        if nearest is not None and nearest[0].kind is Kind.DIRECTORY:
            return
        for above in ancestors(path):
            known = self._entries.get(above)
            if known is None:
                self._entries[above] = (directory(above), self._imply(path), _PARENT)
                self.implied.add(above)
            elif known[0].kind is not Kind.DIRECTORY:
                first = f"{_what(known[0], known[2])} at {above!r}"
                raise PathConflictError(path, first, claim.option or "it")

    def _merge(self, known: tuple[Entry, Tag, Claim], added: tuple[Entry, Tag, Claim]) -> None:
        entry, _, claim = known
        if not _same(entry, added[0]):
            raise PathConflictError(entry.path, _what(entry, claim), _what(added[0], added[2]))
        mode, owner = self._words.get(entry.path) or _words(entry, claim)
        new_mode, new_owner = _words(added[0], added[2])
        self._words[entry.path] = (mode.against(new_mode), owner.against(new_owner))
        if added[2].strength > claim.strength:
            self._entries[entry.path] = added

    def get(self, path: RootPath) -> Entry | None:
        """What is at `path`, as it was added; None if nothing is."""
        known = self._entries.get(path)
        return known[0] if known is not None else None

    def has_file(self, path: RootPath) -> bool:
        """Whether something that is not a directory is at `path`."""
        known = self._entries.get(path)
        return known is not None and known[0].kind is not Kind.DIRECTORY

    def __contains__(self, path: RootPath) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[tuple[Entry, Tag]]:
        """All entries with their tags, each directory before what is in it, bytewise by parts.

        :raises ContradictoryOptionsError: two options say different things of one path.
        :raises PathConflictError: two things at one path have different modes or owners, and no option decides.
        """
        for path in sorted(self._entries, key=sort_key):
            entry, tag, claim = self._entries[path]
            if path in self._words or path in self._standard:
                entry = self._settled(entry, claim)
            yield entry, tag

    def _settled(self, entry: Entry, claim: Claim) -> Entry:
        """`entry` with the mode and owner that count."""
        mode, owner = self._words.get(entry.path) or _words(entry, claim)
        standard = self._standard.get(entry.path)
        if standard is not None and entry.kind is Kind.DIRECTORY and mode.precedence < Precedence.STATED:
            return entry._replace(mode=standard.mode, uid=standard.uid, gid=standard.gid)
        for word, what in ((mode, "mode"), (owner, "owner")):
            if word.rival is not None:
                raise _contradiction(entry, what, word, word.rival)
        return entry._replace(mode=mode.value[0], uid=owner.value[0], gid=owner.value[1])


class _Word(NamedTuple):
    """A mode, or an owner's two numbers, and who says it; `rival` is what is said as specifically and differs."""

    value: tuple[int, ...]
    precedence: int
    option: str
    rival: _Word | None = None

    def against(self, other: _Word) -> _Word:
        """The one of both that counts."""
        if other.precedence > self.precedence:
            return other
        if other.precedence == self.precedence and other.value != self.value and self.rival is None:
            return self._replace(rival=other)
        return self


def _words(entry: Entry, claim: Claim) -> tuple[_Word, _Word]:
    mode = _Word((entry.mode,), claim.mode, claim.option)
    return mode, _Word((entry.uid, entry.gid), claim.owner, claim.option)


def _contradiction(
    entry: Entry, what: str, first: _Word, second: _Word
) -> ContradictoryOptionsError | PathConflictError:
    if not (first.option and second.option):
        return PathConflictError(entry.path, _what(entry, _DEFAULT), f"an entry with another {what}")
    hint = "give only one of them"
    if first.precedence != Precedence.STATED:
        option = "--dir " if entry.kind is Kind.DIRECTORY else "--add SRC:"
        hint = f"decide with {option}{entry.path}:MODE{'' if what == 'mode' else ':UID:GID'}"
    return ContradictoryOptionsError(second.option, first.option, entry.path, what, hint)


def with_hard_links(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """`entries` with each further name of a file as a hard link to the first: targets come before links.

    A file has one mode and one owner, whatever its names: names that are to have others are files of their own.
    """
    first: dict[tuple[object, ...], Entry] = {}
    made: list[Entry] = []
    for entry in entries:
        target = entry
        if entry.kind is Kind.FILE and entry.inode is not None:
            target = first.setdefault((entry.inode, entry.mode, entry.uid, entry.gid, entry.capability), entry)
        if target is not entry:
            assert target.size == entry.size, f"internal error: {target.path} and {entry.path} have one inode"
            entry = target._replace(path=entry.path, kind=Kind.HARDLINK, link=target.path, content=None)  # noqa: PLW2901
        made.append(entry)
    return tuple(made)


def _same(first: Entry, second: Entry) -> bool:
    """Whether both are one thing, whatever their modes and owners."""
    if first.kind is not second.kind or first.link != second.link:
        return False
    if first.content is None or second.content is None:
        return first.content is second.content
    return same_content(first.content, second.content)


def _what(entry: Entry, claim: Claim) -> str:
    """What to call an entry in errors, with the option it is from."""
    what = f"a {entry.kind}" if entry.kind is not Kind.SYMLINK else f"a symlink to {entry.link!r}"
    if entry.content is not None:
        what += f" from {entry.content.where}"
    return f"{what} ({claim.option})" if claim.option else what
