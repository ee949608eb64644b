"""What threads change of each other's, in a log with a file for each, which does not tell when (``strace -ff``).

Threads, and processes made with these flags, have one directory and root (``CLONE_FS``) and one table of descriptors
(``CLONE_FILES``; clone(2)). What one of them does about these holds for the others too, and nobody knows from which of
their calls on: it is not followed, and nothing is made up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.strace.access import Use
from minpack.strace.calls import FORKS, PATH_ARGUMENTS
from minpack.strace.lines import LineReader, TracedCall
from minpack.strace.text import parse_descriptor, parse_pid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_FS, _FILES = "CLONE_FS", "CLONE_FILES"
_ROOT = "chroot"
_MOVES = frozenset(("chdir", "fchdir", _ROOT))
_OPENS = frozenset(name for name, paths in PATH_ARGUMENTS.items() if any(one.use is Use.OPENED for one in paths))
_MAKES = _OPENS | {"creat", "dup", "dup2", "dup3", "fcntl", "fcntl64"}
#: Lines that tell something of it: the rest need not be understood.
_TELLS = re.compile(rf"\b(?:{'|'.join(sorted(FORKS | _MOVES | _MAKES | {'close'}))})\(")
#: Descriptors of one process that are noted.
_MOST = 4096
SEVERAL = -1


class Sharing(NamedTuple):
    """What is not followed of each process, by its number, and the `order` in which parents come before children.

    `moving` are those whose directory another one changes, `rooted` those whose root. `touched` has the descriptors
    that processes change for each other, each with the one that does, or `SEVERAL`.
    """

    order: tuple[int, ...] = ()
    moving: frozenset[int] = frozenset()
    rooted: frozenset[int] = frozenset()
    touched: Mapping[int, Mapping[int, int]] = {}


class _Facts:
    """What one process does: whom it makes, and what it changes, before it shares that with one of these and after."""

    def __init__(self) -> None:
        self.children: list[tuple[int, frozenset[str]]] = []
        self.shared: set[str] = set()
        self.moves: dict[bool, set[str]] = {False: set(), True: set()}
        self.descriptors: dict[bool, set[int]] = {False: set(), True: set()}

    def take(self, call: TracedCall) -> None:
        """Note a call."""
        if call.error:
            return
        if call.name in FORKS:
            text = " ".join(call.arguments) if call.name.startswith("clone") else ""
            flags = frozenset(flag for flag in (_FS, _FILES) if flag in text)
            self.shared |= flags
            self.children.append((parse_pid(call.returned), flags))
        elif call.name in _MOVES:
            self.moves[_FS in self.shared].add(call.name)
        else:
            number, _ = parse_descriptor(call.arguments[0] if call.name == "close" else call.returned)
            known = self.descriptors[_FILES in self.shared]
            if number is not None and number >= 0 and len(known) < _MOST:
                known.add(number)


def sharing_of(files: Sequence[tuple[int, Iterable[str]]]) -> Sharing:
    """What the processes of a log share; `files` are the lines of each by its number."""
    known = {pid: _facts(pid, lines) for pid, lines in files}
    parents = {child: (pid, flags) for pid, facts in known.items() for child, flags in facts.children if child in known}
    moving, rooted = set[int](), set[int]()
    for group, members in _groups(known, parents, _FS):
        names = set[str]().union(*(_late(known[pid].moves, is_made=pid in members) for pid in group))
        moving.update(group if names else ())
        rooted.update(group if _ROOT in names else ())
    touched: dict[int, dict[int, int]] = {}
    for group, members in _groups(known, parents, _FILES):
        who: dict[int, int] = {}
        for pid in group:
            for number in _late(known[pid].descriptors, is_made=pid in members):
                who[number] = pid if who.get(number, pid) == pid else SEVERAL
        touched.update(dict.fromkeys(group, who))
    return Sharing(tuple(_ordered(known, parents)), frozenset(moving), frozenset(rooted), touched)


def _facts(pid: int, lines: Iterable[str]) -> _Facts:
    facts, reader = _Facts(), LineReader()
    for line in lines:
        if _TELLS.search(line):
            found = reader.read(line, pid)
            if isinstance(found, TracedCall) and _TELLS.match(f"{found.name}("):
                facts.take(found)
    return facts


def _late(changes: Mapping[bool, set[str]] | Mapping[bool, set[int]], *, is_made: bool) -> set:  # type: ignore[type-arg]
    """What a process changes that it shares: all, if it was made so, else what follows the making of another."""
    return {*changes[True], *(changes[False] if is_made else ())}


def _groups(
    known: Mapping[int, _Facts], parents: Mapping[int, tuple[int, frozenset[str]]], flag: str
) -> Iterator[tuple[list[int], set[int]]]:
    """Those that share something, two or more, and which of them were made so."""
    first: dict[int, int] = {}
    found: dict[int, list[int]] = {}
    made = {pid for pid, (_, flags) in parents.items() if flag in flags}
    for pid in _ordered(known, parents):
        first[pid] = first[parents[pid][0]] if pid in made else pid
        found.setdefault(first[pid], []).append(pid)
    yield from ((group, made) for group in found.values() if len(group) > 1)


def _ordered(known: Mapping[int, _Facts], parents: Mapping[int, tuple[int, frozenset[str]]]) -> Iterator[int]:
    """Each process behind the one that made it; one that is its own ancestor, as only a made-up log has it, last."""
    todo, seen = sorted((pid for pid in known if pid not in parents), reverse=True), set[int]()
    while todo:
        pid = todo.pop()
        if pid not in seen:
            seen.add(pid)
            yield pid
            todo += sorted((child for child, _ in known[pid].children if child in known), reverse=True)
    yield from sorted(known.keys() - seen)
