"""The paths and the programs that files name: among the constants of ELF files, and in configuration files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.namedtuple import NamedTuple
from minpack.needs.binary import open_binary
from minpack.paths import ROOT, RootPath, join, parent
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.elf.info import ElfInfo
    from minpack.needs.binary import Binary
    from minpack.rootfs.entry import Entry

#: What ends a path in a text: blanks, quotes and brackets, what separates it from the next, and patterns.
_END = re.compile(rb"[\x00-\x20\"'`<>()\[\]{}|;,=*?$\\:!&#%\x7f-\xff]")
_START = re.compile(rb"(?:^|(?<=[:,=\x20;]))/")
#: What stands in place of the rest of a name.
_PATTERN = (b"%", b"*", b"?", b"[", b"{", b"$", b"<")
#: A name of a program, by itself or at the start of a command.
_COMMAND = re.compile(rb"(?<=\0)[A-Za-z0-9][A-Za-z0-9_.+-]{1,60}(?=[\0 ])")
_RELATIVE = re.compile(rb"(?<=\0)[A-Za-z0-9_.+-]{1,60}/[A-Za-z0-9_.+/-]{1,200}(?=\0)")
#: What may be a file beside the one that has it: a word with a dot or a slash in it.
_BESIDE = re.compile(rb"(?<![\w./-])[A-Za-z0-9_-]{1,60}[./][A-Za-z0-9_./-]{1,200}")
#: A word of a script where the shell takes it for a command's name, or behind a variable's directory.
_PROGRAM = re.compile(
    rb"(?:(?:^|[;|&(`!]|\b(?:then|do|else|if|elif|while|until|exec|command|env|xargs)\s)[\s\"]*|\$\{?\w+\}?/)"
    rb"([A-Za-z0-9][A-Za-z0-9_.+-]{0,60})(?=[\s;|&)`\"]|$)"
)
#: The shortest beginning of a name, and the most names with it, that say what a pattern is for.
_LEAST, _MOST_MATCHES = 3, 16
_EQUALS = ord("=")
#: Texts of one file, and bytes of a configuration file, that are looked at.
_MOST_TEXTS, _MOST_CONFIGURATION = 50_000, 1 << 20


class NamedPath(NamedTuple):
    """A path that a file has within it and that is there; `alone` if only the directory is meant and nothing in it."""

    path: RootPath
    text: str
    alone: bool = False


class ElfNames(NamedTuple):
    """What an ELF file names: paths as it has them, commands, and paths below directories that it does not say.

    The `assigned` paths stand behind an equals sign: they are what it was configured with.
    """

    paths: frozenset[bytes]
    assigned: frozenset[bytes]
    commands: frozenset[bytes]
    relative: frozenset[bytes]


def path_pattern(tree: Walker) -> re.Pattern[bytes]:
    """What finds absolute paths that lead into the tree, which begin with one of its own top directories."""
    tops = [part.encode("utf-8", "surrogateescape") for part in tree.base.listdir(ROOT)]
    # The longest first: of two that begin alike the shorter would hide the other.
    some = b"|".join(re.escape(top) for top in sorted(tops, key=len, reverse=True)) or b"(?!)"
    return re.compile(rb"/(?:" + some + rb")(?![A-Za-z0-9_])[\x21-\x7e]{0,255}")


def names_of(entry: Entry, info: ElfInfo, pattern: re.Pattern[bytes], *, commands: bool, relative: bool) -> ElfNames:
    """What the ELF file has among its constants.

    :param commands: whether programs that it names without a path are looked for.
    :param relative: whether paths below directories that it does not say are.
    :raises InputError: it cannot be read.
    """
    assert entry.content is not None, "internal error: a file without content"
    with open_binary(entry.content, info, entry.path) as binary:
        nothing = frozenset[bytes]()
        return ElfNames(
            *_paths(binary, pattern),
            binary.matches(_COMMAND, _MOST_TEXTS) if commands else nothing,
            binary.matches(_RELATIVE, _MOST_TEXTS) if relative else nothing,
        )


def _paths(binary: Binary, pattern: re.Pattern[bytes]) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The paths among the constants of a file, and those that stand behind an equals sign."""
    plain, assigned = set[bytes](), set[bytes]()
    for _, buffer, size in binary.pieces(binary.ranges()):
        for match in pattern.finditer(buffer, 0, size):
            start = match.start()
            (assigned if start and buffer[start - 1] == _EQUALS else plain).add(match[0])
            if len(plain) + len(assigned) >= _MOST_TEXTS:
                break
    return frozenset(plain), frozenset(assigned)


def paths_of_configuration(entry: Entry, pattern: re.Pattern[bytes]) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The absolute paths in a text file, and what may be others beside it, without those of comments.

    None if it is no text, or too long for a configuration.
    """
    if entry.content is None or not 0 < entry.size <= _MOST_CONFIGURATION:
        return frozenset(), frozenset()
    data = read_all(entry.content, _MOST_CONFIGURATION)
    if b"\0" in data:
        return frozenset(), frozenset()
    lines = [line for line in data.split(b"\n") if not line.lstrip().startswith((b"#", b";", b"//"))]
    absolute = frozenset(match for line in lines for match in pattern.findall(line))
    return absolute, frozenset(match for line in lines for match in _BESIDE.findall(line))


def is_program(entry: Entry) -> bool:
    """Whether the kernel starts it, if it may."""
    return first_line(entry).startswith((b"\x7fELF", b"#!"))


def is_script(entry: Entry) -> bool:
    """Whether the kernel hands it to an interpreter."""
    return first_line(entry).startswith(b"#!")


def first_line(entry: Entry) -> bytes:
    """How a file begins, as far as the kernel reads it for the interpreter (execve(2))."""
    if entry.content is None:
        return b""
    with entry.content.open() as reader:
        return reader.read_at(0, 256).partition(b"\n")[0]


def words_of_script(entry: Entry) -> list[str]:
    """The names of the commands in a shell's script, without comments."""
    if entry.content is None or entry.size > _MOST_CONFIGURATION:
        return []
    data = read_all(entry.content, _MOST_CONFIGURATION)
    lines = (line for line in data.split(b"\n") if not line.lstrip().startswith(b"#"))
    return sorted({word.decode() for line in lines for word in _PROGRAM.findall(line)})


def named_in(text: bytes, tree: Walker, *, runs_on: bool) -> Iterator[NamedPath]:
    """What of a text that begins as a path is in the tree.

    A path may end in a pattern, and what is not there is meant to be made in the directory that is.

    :param runs_on: whether the next text may follow without a mark, as in programs of Go and Rust.
    """
    for part, is_pattern in _split(text):
        yield from _named(part, tree, runs_on=runs_on, is_pattern=is_pattern)


def _split(text: bytes) -> Iterator[tuple[str, bool]]:
    """The paths of a text, several of which colons may join, and whether each ends in a pattern."""
    for start in (match.start() for match in _START.finditer(text)):
        end = _END.search(text, start)
        part = text[start : end.start() if end is not None else len(text)]
        yield part.decode("utf-8", "surrogateescape"), end is not None and end[0] in _PATTERN


def _named(text: str, tree: Walker, *, runs_on: bool, is_pattern: bool) -> Iterator[NamedPath]:
    if tree.walk(text).entry is not None:
        yield NamedPath(RootPath(text), text)
        return
    above, _, last = text.rstrip("/").rpartition("/")
    is_last = True
    while above and tree.walk(above).entry is None:
        above, _, last = above.rpartition("/")
        is_last = False
    directory = tree.walk(above).entry if above else None
    if directory is None:
        return
    if directory.kind is not Kind.DIRECTORY:
        # The next text has run on behind the path of a file.
        yield from [NamedPath(RootPath(above), above)] if runs_on else []
        return
    for one in _matches(directory.path, last, tree, is_pattern=is_pattern and is_last, runs_on=runs_on):
        yield NamedPath(join(directory.path, one), text)
    yield NamedPath(RootPath(above), text, alone=True)


def _matches(directory: RootPath, last: str, tree: Walker, *, is_pattern: bool, runs_on: bool) -> list[str]:
    """The names in a directory that begin as a pattern does, or with which the last part of a path begins."""
    if len(last) < _LEAST:
        return []
    names = tree.base.listdir(directory)
    found = [one for one in names if is_pattern and one.startswith(last)]
    found += [one for one in names if runs_on and len(one) > _LEAST and last.startswith(one)]
    return found if len(found) <= _MOST_MATCHES else []


def below(relative: str, file: RootPath, tree: Walker) -> Iterator[RootPath]:
    """Where a relative path is that a file has within it: below its own directory, its prefix, or the root."""
    own = parent(file)
    for directory in dict.fromkeys((own, parent(own), ROOT)):
        path = f"{directory.rstrip('/')}/{relative}"
        if tree.walk(path).entry is not None:
            yield RootPath(path)
