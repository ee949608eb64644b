"""What is left out of added directories: by patterns, and because no image can have it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from minpack.base.directory import DirectoryBase
from minpack.content import read_all
from minpack.errors import BadValueError, InputError
from minpack.excerpt import few
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, join
from minpack.program.additions import file_and_mode
from minpack.rootfs.entry import Kind
from minpack.spec.patterns import Patterns, parse_lines, parse_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.spec.image import ImageSpec
    from minpack.spec.values import Addition

#: The file in an added directory that has patterns of what is left out of it.
IGNORE_FILE = ".minpackignore"
MAX_IGNORE_FILE = 1 << 20
#: The most files that a note names.
MOST = 3
#: What no program needs from an image: whoever listens on a socket or reads a pipe makes it.
_SPECIAL = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class _Selected(NamedTuple):
    """What is left out of one directory, and by which patterns; `special` are those that are not files."""

    without: frozenset[RootPath]
    used: frozenset[int]
    special: tuple[RootPath, ...]


def with_exclusions(spec: ImageSpec) -> tuple[ImageSpec, tuple[str, ...]]:
    """The spec whose additions say what is left out of them, with notes of that.

    :raises InputError: a directory, or the file of patterns in it, cannot be read.
    :raises BadValueError: a pattern is none.
    """
    for pattern in spec.excluded:
        parse_pattern(pattern)
    additions: list[Addition] = []
    notes: list[str] = []
    used: set[int] = set()
    for addition in spec.additions:
        if not os.path.isdir(addition.source):
            additions.append(addition)
            continue
        own = _own_patterns(addition.source)
        selected = _selected(addition.source, (*own, *spec.excluded))
        used |= {number - len(own) for number in selected.used}
        additions.append(addition._replace(without=addition.without | selected.without))
        notes += _notes(addition.source, selected)
    idle = [pattern for number, pattern in enumerate(spec.excluded) if number not in used]
    # One that brings something back leaves nothing out.
    notes += [f"--exclude {pattern!r} matched nothing that is added" for pattern in idle if not pattern.startswith("!")]
    return spec._replace(additions=tuple(additions)), tuple(notes)


def _own_patterns(source: str) -> tuple[str, ...]:
    path = os.path.join(source, IGNORE_FILE)
    if not os.path.lexists(path):
        return ()
    content, _ = file_and_mode(path)
    if content.size > MAX_IGNORE_FILE:
        raise InputError(path, f"it is larger than {MAX_IGNORE_FILE >> 20} MiB")
    try:
        return parse_lines(read_all(content, MAX_IGNORE_FILE))
    except BadValueError as error:
        raise InputError(path, error.reason) from error


def _selected(source: str, patterns: tuple[str, ...]) -> _Selected:
    compiled = Patterns(patterns) if patterns else None
    without, used, special = set[RootPath](), set[int](), list[RootPath]()
    for path, kind in _below(source, without):
        number = compiled.deciding(path[1:], is_directory=kind is Kind.DIRECTORY) if compiled is not None else None
        if number is not None:
            used.add(number)
        elif kind is Kind.SPECIAL:
            special.append(path)
        elif path[1:] != IGNORE_FILE:
            continue
        without.add(path)
    return _Selected(frozenset(without), frozenset(used), tuple(special))


def _below(source: str, without: set[RootPath]) -> Iterator[tuple[RootPath, Kind]]:
    """All that is in a directory; nothing of what is in `without` by the time that the next is asked for."""
    base, todo = DirectoryBase(source), [ROOT]
    while todo:
        here = todo.pop()
        for part in base.listdir(here):
            path = join(here, part)
            entry = base.lstat(path)
            if entry is None:
                continue
            yield path, entry.kind
            if entry.kind is Kind.DIRECTORY and path not in without:
                todo.append(path)


def _notes(source: str, selected: _Selected) -> Iterator[str]:
    top = source.rstrip("/")
    count = len(selected.without - set(selected.special) - {f"/{IGNORE_FILE}"})
    if count:
        what = "1 file or directory" if count == 1 else f"{count} files and directories"
        yield f"left out of {source!r}: {what} that {IGNORE_FILE} or --exclude names"
    notes = (f"{top + path!r} is not packed: it is {_kind(top + path)}" for path in selected.special)
    yield from few(notes, MOST, "{} more special files are not packed")


def _kind(path: str) -> str:
    try:
        return _SPECIAL.get(stat.S_IFMT(os.lstat(path).st_mode), "a special file")
    except OSError:
        return "a special file"
