"""A small tree on disk for one rule of a loader: what minpack says of it, agreed by the real loader if it is here.

On a machine without the loader a stand-in takes its place, with the strings in it that minpack reads. Then the test has
only minpack's word, and `not_asked` says so: the run reports it, and fails under MINPACK_TESTS=all (`conftest.py`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.entries import base_of
from minpack.base.overlay import OverlayBase
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.errors import UnloadableLibraryError
from minpack.ld.constants import GlibcConstants, glibc_constants
from minpack.ld.resolve import resolve_closure
from minpack.paths import normal
from minpack.rootfs.entry import file
from support.elfmaker import GLIBC, make_elf, program
from support.oracle import NOTHING, Listing, ask_glibc, ask_musl, listing, refuses
from support.tools import source_of

if TYPE_CHECKING:
    from minpack.ld.closure import Closure, Environment

#: What minpack reads in a loader of Debian's glibc, and of musl.
GLIBC_STRINGS = (
    b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"
    b"/etc/ld.so.cache\0glibc-ld.so.cache1.1\0GLIBC_PRIVATE\0"
)
MUSL_STRINGS = b"\0%.*s/etc/ld-musl-x86_64.path\0/lib:/usr/local/lib:/usr/lib\0"


#: Why the test that is running could not ask a real loader; each test takes what is in here and empties it.
not_asked: set[str] = set()


class Tree:
    """Files below `root`.

    :param rooted: whether `root` is the root of the file system for the program in it; else it is a directory
        like others, and the machine's own libraries are in reach behind it.
    """

    def __init__(self, root: Path, interpreter: str = GLIBC, *, rooted: bool = False) -> None:
        self.root = root
        self.interpreter = interpreter
        self.rooted = rooted
        self.program = "bin/app"
        self._is_here = Path(interpreter).exists()
        if rooted:
            place = root / interpreter.lstrip("/")
            place.parent.mkdir(parents=True)
            if self._is_here:
                shutil.copy(os.path.realpath(interpreter), place)
            else:
                place.write_bytes(self._stand_in())

    def at(self, path: str) -> str:
        """A path in the tree, as the program would write it."""
        return f"/{path}" if self.rooted else f"{self.root}/{path}"

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o755)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link to `target`, as written."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, place)

    def hard_link(self, path: str, other: str) -> None:
        """Give the file at `other` another name."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.root / other, place)

    def app(self, *needed: str, rpath: str | None = None, runpath: str | None = None, flags_1: int = 0) -> None:
        """Write the program, at `program`."""
        data = program(needed, interpreter=self.interpreter, rpath=rpath, runpath=runpath, flags_1=flags_1)
        self.put(self.program, data)

    @property
    def constants(self) -> GlibcConstants:
        """What the glibc loader in the tree has built in."""
        data = Path(self.interpreter).read_bytes() if self._is_here else self._stand_in()
        return glibc_constants(data, read_elf(BytesContent(data)).target)

    @property
    def asks(self) -> bool:
        """Whether the real loader is asked: it is here, and may be run. If not, `not_asked` has the reason."""
        if not self._is_here:
            not_asked.add(f"{self.interpreter} is not there: {source_of(self.interpreter)}")
        elif self.rooted and os.geteuid() != 0:
            not_asked.add("only root can run a loader in a root of its own")
        else:
            return True
        return False

    def resolve(self, environment: Environment = NOTHING) -> Closure:
        """What minpack says."""
        if self.rooted:
            return resolve_closure(Walker(DirectoryBase(str(self.root))), self.at(self.program), environment)
        base = DirectoryBase("/")
        if self._is_here:
            return resolve_closure(Walker(base), self.at(self.program), environment)
        place = Walker(base).locate(normal(self.interpreter)).path
        loader = file(place, BytesContent(self._stand_in()), 0o755)
        return resolve_closure(
            Walker(OverlayBase(base_of("loader", [loader]), base)), self.at(self.program), environment
        )

    def closure(self, environment: Environment = NOTHING, *options: str) -> Closure:
        """What minpack says; the real loader must list the same.

        :param options: of glibc's loader.
        """
        closure = self.resolve(environment)
        if self.asks:
            ours, theirs = listing(closure), self.ask(environment, *options)
            assert ours == theirs, f"minpack: {ours}\nloader:  {theirs}"
        return closure

    def refusal(self, environment: Environment = NOTHING) -> UnloadableLibraryError:
        """Where minpack says that the loader stops; the real one must stop there too."""
        with pytest.raises(UnloadableLibraryError) as caught:
            self.resolve(environment)
        if self.asks:
            assert refuses(self.ask(environment), caught.value.path)
        return caught.value

    def found(self, environment: Environment = NOTHING, *options: str) -> dict[str, tuple[str, str]]:
        """The path of each library within the tree and the rule that finds it, by the name it is asked for."""
        closure = self.closure(environment, *options)
        own = (closure.program, closure.interpreter)
        prefix = "/" if self.rooted else f"{self.root}/"
        return {o.name: (o.path.removeprefix(prefix), str(o.found_by)) for o in closure.objects if o not in own}

    def ask(self, environment: Environment = NOTHING, *options: str) -> Listing:
        """What the real loader says."""
        root = self.root if self.rooted else None
        if self.interpreter == GLIBC:
            return ask_glibc(self.at(self.program), environment=environment, options=options, root=root)
        return ask_musl(self.at(self.program), environment=environment, root=root, loader=self.interpreter)

    def _stand_in(self) -> bytes:
        if self.interpreter == GLIBC:
            return make_elf(soname=GLIBC.rpartition("/")[2], overlay=GLIBC_STRINGS)
        return make_elf(soname="libc.so", overlay=MUSL_STRINGS)
