"""Random graphs of made libraries: directories and links to them, copies, hard links, decoys, rpaths and tokens.

Every name in them is impossible elsewhere (``libmpk…``), so that the directories of the machine may be
searched behind them. The same seed makes the same graph.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from minpack.ld.closure import Environment
from support.elfmaker import (
    DF_1_PIE,
    DT_AUXILIARY,
    DT_FILTER,
    DT_NEEDED,
    ET_EXEC,
    GLIBC,
    library,
    make_elf,
    program,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

T = TypeVar("T")

DF_1_NODEFLIB = 0x800
#: Names that stand in DT_AUXILIARY alone: a loader that lists says of those too that it has not found them.
AUXILIARY = "libmpkaux"
#: One of them that is in some directories.
PLACED = f"{AUXILIARY}3.so"
#: Names that DT_FILTER alone has. They are of libraries without filters: two that filter each other send glibc's
#: loader round in circles until it crashes.
FILTERS = ("libmpkfil0.so", "libmpkfil1.so")


class Graph(NamedTuple):
    """A program with its libraries on disk, and how it is started."""

    program: Path
    environment: Environment


class GraphMaker:
    """Makes one graph below `root`, an empty directory, for the loader at the path `interpreter`."""

    def __init__(self, rng: Random, root: Path, interpreter: str) -> None:
        self._rng = rng
        self._root = root
        self._interpreter = interpreter
        self._directories = [f"d{n}" for n in range(rng.randint(2, 5))]
        self._names = [f"libmpk{letter}.so" for letter in "abcdefgh"[: rng.randint(1, 8)]]
        self._sonames = [name + version for name in self._names for version in ("", ".1")]
        self._made: list[Path] = []

    def make(self) -> Graph:
        """The graph."""
        for name in (*self._directories, "d0/sub", "bin"):
            (self._root / name).mkdir(parents=True)
        os.symlink(self._any(self._directories), self._root / "link")
        os.symlink("../" + self._any(self._directories), self._root / "d0" / "up")
        (self._root / "file").write_bytes(b"no directory")
        self._directories += ["link", "d0/up", "d0/sub"]
        if self._chance(0.15):
            # Loaders before glibc 2.37 look into it first, as part of the directory that it is in.
            (self._root / "d1" / "tls").mkdir()
            self._place(self._root / "d1" / "tls" / self._any(self._names))
        for name in self._names:
            for directory in self._rng.sample(self._directories, self._rng.randint(1, 4)):
                self._place(self._root / directory / name)
            if self._chance(0.15):
                self._place(self._root / self._any(self._directories) / f"{name}.1")
        for name in (*FILTERS, PLACED):
            for directory in self._rng.sample(self._directories, 3):
                path = self._root / directory / name
                if not path.exists():
                    path.write_bytes(library(name, self._needed(0, 2)))
        path = self._root / "bin" / "program"
        path.write_bytes(self._program())
        path.chmod(0o755)
        return Graph(path, self._environment())

    def _program(self) -> bytes:
        rpath, runpath = self._paths(0.95)
        flags = DF_1_NODEFLIB if self._chance(0.05) else 0
        soname = self._any(self._sonames) if self._chance(0.03) else None
        return program(
            self._needed(1, 5),
            interpreter=self._interpreter,
            pie=self._chance(0.7),
            soname=soname,
            rpath=rpath,
            runpath=runpath,
            flags_1=flags,
        )

    def _library(self, name: str) -> bytes:
        rpath, runpath = self._paths(0.7)
        soname = (
            name if self._chance(0.7) else self._any((*self._sonames, None, f"libmpkso{self._rng.randint(0, 3)}.so"))
        )
        filters = (self._any(FILTERS),) if self._is_glibc and self._chance(0.08) else ()
        auxiliaries = (f"{AUXILIARY}{self._rng.randint(0, 2)}.so",) if self._is_glibc and self._chance(0.05) else ()
        first = tuple(self._first() for _ in range(self._rng.randint(1, 4))) if self._chance(0.08) else ()
        return make_elf(
            soname=soname,
            needed=self._needed(0, 4),
            rpath=rpath,
            runpath=runpath,
            filters=filters,
            auxiliaries=auxiliaries,
            first=first if self._is_glibc else (),
            flags_1=DF_1_NODEFLIB if self._chance(0.05) else 0,
        )

    @property
    def _is_glibc(self) -> bool:
        return self._interpreter == GLIBC

    def _place(self, path: Path) -> None:
        """Something at `path`: mostly a library, else what a loader passes over or stops at."""
        if os.path.lexists(path):
            return
        kind = self._rng.choices(
            ("library", "hard link", "link", "dangling", "loop", "foreign", "narrow", "big-endian", "fatal"),
            (80, 6, 6, 2, 1, 2, 2, 1, 0.8),
        )[0]
        if kind in ("hard link", "link") and self._made:
            self._link(path, hard=kind == "hard link")
        elif kind in ("dangling", "loop"):
            os.symlink("nowhere" if kind == "dangling" else path.name, path)
        elif kind in ("foreign", "narrow", "big-endian"):
            machine = {"foreign": "aarch64", "narrow": "x86", "big-endian": "s390x"}[kind]
            path.write_bytes(library(path.name, machine=machine))
        elif kind == "fatal":
            self._place_fatal(path)
        else:
            path.write_bytes(self._library(path.name))
            self._made.append(path)

    def _link(self, path: Path, *, hard: bool) -> None:
        target = self._any(self._made)
        if hard:
            os.link(target, path)
        else:
            os.symlink(self._any((str(target), os.path.relpath(target, os.path.realpath(path.parent)))), path)

    def _place_fatal(self, path: Path) -> None:
        if self._chance(0.2):
            path.mkdir()
        else:
            # musl takes programs, and those of a fixed address where their place is free.
            own = (make_elf(type_=ET_EXEC), make_elf(flags_1=DF_1_PIE)) if self._is_glibc else ()
            path.write_bytes(self._any((b"", b"INPUT(-lmpk)\n" * 20, make_elf(dynamic=False), *own)))

    def _needed(self, least: int, most: int) -> tuple[str, ...]:
        return tuple(self._needed_name() for _ in range(self._rng.randint(least, most)))

    def _needed_name(self) -> str:
        draw = self._rng.random()
        if draw < 0.8:
            return self._any(self._names)
        if draw < 0.86:
            return self._any(self._sonames)
        if draw < 0.95:
            return f"{self._directory()}/{self._any(self._names)}"
        if draw < 0.96:
            return "libmpkmissing.so"
        own = (
            ("ld-linux-x86-64.so.2", GLIBC, "linux-vdso.so.1")
            if self._is_glibc
            else ("libc.so", "libm.so.6", self._interpreter)
        )
        return self._any(own)

    def _first(self) -> tuple[int, str]:
        """What is loaded before the needs, in any order: a filter, an auxiliary one, or a need."""
        tag = self._any((DT_FILTER, DT_AUXILIARY, DT_NEEDED))
        if tag == DT_NEEDED:
            return tag, self._needed_name()
        return tag, self._any(FILTERS) if tag == DT_FILTER else PLACED

    def _paths(self, chance: float) -> tuple[str | None, str | None]:
        """An rpath, a runpath, both or none."""
        if not self._chance(chance):
            return None, None
        kind = self._rng.choices(("rpath", "runpath", "both"), (5, 5, 1))[0]
        rpath, runpath = self._path(":"), self._path(":")
        return (None if kind == "runpath" else rpath), (None if kind == "rpath" else runpath)

    def _path(self, separators: str) -> str:
        if self._chance(0.03):
            return ""
        parts = [self._part() for _ in range(self._rng.randint(2, 5))]
        return "".join(part + self._any(separators) for part in parts[:-1]) + parts[-1]

    def _part(self) -> str:
        draw = self._rng.random()
        if draw < 0.88:
            return self._directory() + ("/" * self._rng.randint(1, 2) if self._chance(0.05) else "")
        if draw < 0.98:
            return self._any(
                (f"{self._root}/nowhere", f"{self._root}/file", "", f"{self._root}/$FOO", "$ORIGIN/../no$LIB")
            )
        return self._any(("relative", "$ORIGINAL/../d0", "${ORIGIN", f"{self._root}/${{LIB}}/x"))

    def _directory(self) -> str:
        """A directory of the graph as one may write it."""
        name = self._any(self._directories)
        form = self._rng.randint(0, 5)
        if form == 0:
            # The libraries lie one deep, but for those in a directory of a directory.
            return self._any(("$ORIGIN", "${ORIGIN}")) + f"/../{name}"
        if form == 1:
            return f"{self._root}/{self._any(self._directories[:2])}/../{name}"
        return f"{self._root}/{name}"

    def _environment(self) -> Environment:
        ld_library_path = self._path(":;" if self._is_glibc else ":") if self._chance(0.25) else ""
        preload = ""
        if self._chance(0.15):
            names = [
                self._any((*self._names, "libmpkmissing.so", f"{self._root}/d0/{self._names[0]}")) for _ in range(2)
            ]
            preload = self._any(" :").join(names)
        return Environment(ld_library_path, preload)

    def _chance(self, chance: float) -> bool:
        return self._rng.random() < chance

    def _any(self, choices: Sequence[T]) -> T:
        return self._rng.choice(choices)
