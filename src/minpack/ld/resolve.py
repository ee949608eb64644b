"""The closure of a program in a tree: which loader it has, and what that loader would open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.info import ElfKind
from minpack.errors import NotElfError, NotInBaseError
from minpack.ld.closure import Closure, Environment, FoundBy, Libc, LoadedObject
from minpack.ld.constants import read_glibc_constants, read_musl_constants
from minpack.ld.glibc import GlibcLoader
from minpack.ld.musl import MuslLoader
from minpack.ld.opening import Opener
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.walk import Walker


def libc_of(interpreter: str) -> Libc | None:
    """The C library whose loader has this name, or None if it is neither musl's nor glibc's.

    The names are those of musl's `configure` and of glibc's `shlib-versions` files.
    """
    name = interpreter.rpartition("/")[2]
    if name.startswith("ld-musl-"):
        return Libc.MUSL
    if name.startswith(("ld-linux", "ld64.so.", "ld.so.", "ld-2.", "ld-linux.so.")):
        return Libc.GLIBC
    return None


def resolve_closure(walker: Walker, program: str, environment: Environment = Environment()) -> Closure:  # noqa: B008
    """All the loader would open to start `program`, a path in the walker's tree.

    :raises NotInBaseError: the program or its interpreter is not in the tree.
    :raises NotElfError: the program or its interpreter is no ELF file.
    :raises MalformedElfError: one of them is malformed.
    :raises UnloadableLibraryError: the loader would open a file it cannot load.
    """
    opener = Opener(walker)
    main = _file(opener, program, program, FoundBy.PROGRAM, "")
    interpreter_path = main.info.interpreter
    if main.info.kind is not ElfKind.DYNAMIC or interpreter_path is None:
        return Closure(main, None, None, (main,))
    libc = libc_of(interpreter_path)
    interpreter = _file(opener, interpreter_path, interpreter_path, FoundBy.INTERPRETER, program)
    content = interpreter.entry.content
    assert content is not None, "internal error: a file without content"
    if libc is Libc.MUSL:
        constants = read_musl_constants(content, interpreter_path)
        musl = MuslLoader(opener, main, interpreter, constants, environment).run()
        found = (musl.objects, tuple(musl.edges), tuple(musl.missing), tuple(musl.aliases))
        return Closure(main, libc, interpreter, *found)
    built_in = read_glibc_constants(content, main.info.target)
    glibc = GlibcLoader(opener, main, interpreter, built_in, environment).run()
    found = (glibc.objects, tuple(glibc.edges), tuple(glibc.missing), tuple(glibc.aliases))
    return Closure(main, libc or Libc.GLIBC, interpreter, *found, built_in.directories)


def _file(opener: Opener, name: str, path: str, found_by: FoundBy, needed_by: str) -> LoadedObject:
    """The program or interpreter at `path`."""
    walk = opener.walk(path)
    if walk.entry is None:
        why = f"which {needed_by} has as its interpreter" if needed_by else "which was to be resolved"
        raise NotInBaseError(opener.walker.base.name, path, why, "choose a base with the program's C library")
    if walk.entry.kind is not Kind.FILE:
        raise NotElfError(path, f"a {walk.entry.kind}")
    return LoadedObject(name, path, walk.entry, opener.info(walk.entry), found_by, needed_by, walk.trail)
