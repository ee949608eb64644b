"""The directories that ld.so.conf names, of which ldconfig(8) makes the cache (glibc elf/ldconfig.c, parse_conf)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import InputError
from minpack.ld.opening import size_of
from minpack.paths import NAME_MAX, PATH_MAX
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker

#: What is read of all files, the most of them, and the most places that are looked at and files that patterns match;
#: real ones include a few, of few lines.
MAX_BYTES, MAX_FILES, MAX_PLACES = 1 << 20, 256, 4096
#: The most characters of a part of a pattern, and of all of them that are compared with names: as fnmatch makes a
#: regular expression of one, that takes up to the square of its length.
MAX_PATTERN, MAX_WORK = NAME_MAX, 1_000_000
_MAGIC = re.compile(r"[*?\[]")


def configured_directories(walker: Walker, path: str) -> tuple[str, ...]:
    """The directories that the file at `path` and those that it includes name, in order, each once.

    Without the file there are none. What is not an absolute path, and what follows an equals sign, says nothing.
    """
    return tuple(dict.fromkeys(_Reader(walker).read(path)))


class _Reader:
    """Reads files and what they include, each once, until there are too many."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._read: set[str] = set()
        self._bytes, self._places, self._work = MAX_BYTES, MAX_PLACES, MAX_WORK

    def read(self, path: str) -> Iterator[str]:
        """What one file names, and what it includes in place of each such line."""
        todo = [iter(self._lines(path))]
        paths = [path]
        while todo:
            line = next(todo[-1], None)
            if line is None:
                todo.pop()
                paths.pop()
                continue
            words = line.split()
            if words[0] == "include":
                for included in reversed([found for word in words[1:] for found in self._included(word, paths[-1])]):
                    todo.append(iter(self._lines(included)))
                    paths.append(included)
            elif words[0] != "hwcap":
                directory = line.partition("=")[0].rstrip().rstrip("/")
                if directory.startswith("/"):
                    yield directory

    def _lines(self, path: str) -> list[str]:
        entry = self._walker.find_file(path)
        # What it names once more it has named before.
        if entry is None or entry.content is None or path in self._read or len(self._read) == MAX_FILES:
            return []
        self._read.add(path)
        try:
            text = read_all(entry.content, self._bytes).decode("utf-8", "surrogateescape")
            self._bytes -= entry.content.size
        except InputError as error:
            if error.is_fault:
                raise
            return []
        lines = (line.partition("#")[0].strip(" \t\f\v\r") for line in text.split("\n"))
        return [line for line in lines if line.split()]

    def _included(self, pattern: str, by: str) -> list[str]:
        """The paths that a pattern matches (glob(3)), in order; a relative one starts beside the file that has it.

        Whether there is anything is not asked of parts that are no patterns.
        """
        if not pattern.startswith("/"):
            pattern = f"{by.rpartition('/')[0]}/{pattern}"
        if self._places <= 0 or size_of(pattern) >= PATH_MAX:
            return []
        found, plain = [""], ""
        for part in pattern.split("/"):
            if not _MAGIC.search(part):
                plain += f"/{part}" if part else ""
                continue
            paths = (f"{path}{plain}" for path in found)
            found, plain = [f"{path}/{name}" for path in paths for name in self._matching(path, part)], ""
        self._places -= 1 + len(found)
        return [f"{path}{plain}" for path in found]

    def _matching(self, path: str, part: str) -> list[str]:
        entry = self._walker.walk(path or "/").entry if len(part) <= MAX_PATTERN and self._places > 0 else None
        self._places -= 1
        if entry is None or entry.kind is not Kind.DIRECTORY:
            return []
        names = self._walker.base.listdir(entry.path)
        self._work -= len(part) * (len(part) + len(names))
        if self._work < 0:
            return []
        hidden = part.startswith(".")
        return [name for name in sorted(names) if name.startswith(".") == hidden and fnmatchcase(name, part)]
