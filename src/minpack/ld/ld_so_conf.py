"""The directories that ld.so.conf names, of which ldconfig(8) makes the cache (glibc elf/ldconfig.c, parse_conf)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import InputError
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker

#: What is read of one file, and the most files and places that are looked at; real ones include a few, of few lines.
MAX_FILE, MAX_FILES, MAX_PLACES = 1 << 20, 256, 4096
_MAGIC = re.compile(r"[*?\[]")


def configured_directories(walker: Walker, path: str) -> tuple[str, ...]:
    """The directories that the file at `path` and those that it includes name, in order, each once.

    Without the file there are none. What is no absolute path, and what follows an equals sign, says nothing.
    """
    return tuple(dict.fromkeys(_Reader(walker).read(path)))


class _Reader:
    """Reads files and what they include, each once, until there are too many."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._read: set[str] = set()
        self._places = MAX_PLACES

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
            text = read_all(entry.content, MAX_FILE).decode("utf-8", "surrogateescape")
        except InputError as error:
            if error.is_fault:
                raise
            return []
        lines = (line.partition("#")[0].strip(" \t\f\v\r") for line in text.split("\n"))
        return [line for line in lines if line.split()]

    def _included(self, pattern: str, by: str) -> list[str]:
        """The files that a pattern matches (glob(3)), in order; a relative one starts beside the file that has it."""
        if not pattern.startswith("/"):
            pattern = f"{by.rpartition('/')[0]}/{pattern}"
        found = [""]
        for part in [part for part in pattern.split("/") if part]:
            found = [f"{path}/{name}" for path in found for name in self._matching(path, part)]
        return found

    def _matching(self, path: str, part: str) -> list[str]:
        self._places -= 1
        if self._places < 0:
            return []
        if not _MAGIC.search(part):
            return [part] if self._walker.walk(f"{path}/{part}").entry is not None else []
        entry = self._walker.walk(path or "/").entry
        if entry is None or entry.kind is not Kind.DIRECTORY:
            return []
        hidden = part.startswith(".")
        names = sorted(self._walker.base.listdir(entry.path))
        return [name for name in names if name.startswith(".") == hidden and fnmatchcase(name, part)]
