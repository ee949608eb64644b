"""The closure of a program in a tree: which loader it has, and what that loader would open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.info import ElfKind
from minpack.errors import ElfError, LibcMismatchError, NotElfError, NotInBaseError, NotProgramError, ResolveError
from minpack.ld.closure import Closure, Environment, FoundBy, LateName, Libc, LoadedObject
from minpack.ld.opening import Opener
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minpack.base.walk import Walker
    from minpack.errors import MinpackError
    from minpack.ld.glibc import GlibcLoader
    from minpack.ld.musl import MuslLoader


def libc_of(interpreter: str) -> Libc | None:
    """The C library whose loader has this name, or None if it is neither musl's nor glibc's.

    The names are those of musl's `configure` and of glibc's `shlib-versions` files.
    """
    name = interpreter.rpartition("/")[2]
    if name.startswith("ld-musl-"):
        return Libc.MUSL
    if name.startswith(("ld-linux", "ld64.so.", "ld.so.", "ld-2.")):
        return Libc.GLIBC
    return None


def resolve_closure(
    walker: Walker,
    program: str,
    environment: Environment = Environment(),  # noqa: B008 - a value
    late: tuple[LateName, ...] = (),
) -> Closure:
    """All that the loader would open to start `program`, a path in the walker's tree, and later for `late`.

    :raises NotInBaseError: the program or its interpreter is not in the tree.
    :raises NotElfError: the program or its interpreter is not an ELF file.
    :raises MalformedElfError: one of them is malformed.
    :raises NotProgramError: its interpreter is neither musl's nor glibc's.
    :raises LibcMismatchError: its interpreter is gcompat's.
    :raises UnloadableLibraryError: the loader would open a file it cannot load.
    :raises InputError: a file cannot be read, or there is more to search than any real program needs.
    """
    opener = Opener(walker, program, environment.working_directory)
    main = _file(opener, program, FoundBy.PROGRAM, "")
    interpreter_path = main.info.interpreter
    if main.info.kind is not ElfKind.DYNAMIC or interpreter_path is None:
        return Closure(main, None, None, (main,))
    return _closure(opener, main, interpreter_path, environment, late)


def resolve_opened(
    walker: Walker, program: str, loader: str, environment: Environment, late: tuple[LateName, ...]
) -> Closure:
    """The closure of the static program at `program`, which calls dlopen(3) for `late`.

    What it opens is found as the loader at `loader` would find it: glibc's static library reads the same directories
    and the same cache.

    :raises MinpackError: as for `resolve_closure`.
    """
    opener = Opener(walker, program, environment.working_directory)
    main = _file(opener, program, FoundBy.PROGRAM, "")
    closure = _closure(opener, main, loader, environment, late)
    # The loader is there if one of them needs it: glibc's libc does.
    needing = next((edge for edge in closure.edges if edge.path == loader), None)
    objects = tuple(
        one._replace(name=needing.name, found_by=FoundBy.DEFAULT, needed_by=needing.needed_by)
        if one.found_by is FoundBy.INTERPRETER and needing is not None
        else one
        for one in closure.objects
        if one.found_by is not FoundBy.INTERPRETER or needing is not None
    )
    return closure._replace(libc=None, interpreter=None, objects=objects, late=frozenset(o.path for o in objects[1:]))


class _Started(NamedTuple):
    """A loader that has loaded what `program` needs from the start: `objects`; `cache` is the path of glibc's cache."""

    program: LoadedObject
    libc: Libc
    interpreter: LoadedObject
    loader: MuslLoader | GlibcLoader
    objects: tuple[LoadedObject, ...]
    cache: str = ""

    def closure(self, loader: MuslLoader | GlibcLoader) -> Closure:
        """What `loader`, this one or a fork of it, has loaded by now."""
        found = (loader.objects, tuple(loader.edges), tuple(loader.missing), tuple(loader.aliases))
        added = frozenset(loaded.path for loaded in loader.objects) - {loaded.path for loaded in self.objects}
        of_libc = (tuple(loader.settings), tuple(loader.cached), self.cache)
        return Closure(self.program, self.libc, self.interpreter, *found, *of_libc, late=added)


def _start(
    opener: Opener, main: LoadedObject, interpreter_path: str, environment: Environment
) -> tuple[_Started, Callable[[], GlibcLoader] | None]:
    """The program's loader at work, and if it is glibc's what makes another that has loaded nothing."""
    interpreter = _file(opener, interpreter_path, FoundBy.INTERPRETER, main.path)
    assert interpreter.entry.content is not None, "internal error: a file without content"
    from minpack.ld.constants import read_loader  # noqa: PLC0415 - for dynamic programs alone

    named = libc_of(interpreter_path)
    file = read_loader(interpreter.entry.content, interpreter_path, named, main.info.target)
    if file.musl is not None:
        from minpack.ld.musl import MuslLoader  # noqa: PLC0415 - one of the two at most is needed

        musl = MuslLoader(opener, main, interpreter, file.musl, environment).run()
        return _Started(main, Libc.MUSL, interpreter, musl, musl.objects), None
    if file.glibc is None:
        raise _no_loader(main, interpreter, opener.walker.base.name, is_gcompat=file.is_gcompat)
    from minpack.ld.glibc import GlibcLoader  # noqa: PLC0415 - as above

    constants = file.glibc

    def new() -> GlibcLoader:
        return GlibcLoader(opener, main, interpreter, constants, environment)

    glibc = new().run()
    return _Started(main, Libc.GLIBC, interpreter, glibc, glibc.objects, constants.cache), new


def _closure(
    opener: Opener, main: LoadedObject, interpreter_path: str, environment: Environment, late: tuple[LateName, ...]
) -> Closure:
    started, new = _start(opener, main, interpreter_path, environment)
    started.loader.run_late(late)
    closure = started.closure(started.loader)
    if new is None or not (environment.audit or main.info.audit or main.info.dep_audit):
        return closure
    from minpack.ld.audit import audit_names, with_audits  # noqa: PLC0415 - few programs are audited

    return with_audits(closure, audit_names(main.info, environment), new)


def resolve_plugins(
    walker: Walker,
    program: str,
    environment: Environment,
    late: tuple[LateName, ...],
    plugins: Iterable[tuple[LateName, ...]],
) -> Iterator[Closure | MinpackError]:
    """For each of `plugins` the closure of a run of the dynamic `program` that opens it, and no other, after `late`.

    What a plugin is: the names that the program opens one after the other. Where one cannot be loaded, it is the error
    that tells why.

    :raises MinpackError: as `resolve_closure` for the program itself.
    """
    opener = Opener(walker, program, environment.working_directory)
    main = _file(opener, program, FoundBy.PROGRAM, "")
    assert main.info.interpreter is not None, f"internal error: {program} is no dynamic program"
    started, _ = _start(opener, main, main.info.interpreter, environment)
    started.loader.run_late(late)
    for names in plugins:
        opener.start_again()
        loader = started.loader.fork()
        try:
            loader.run_late(names)
        except (ElfError, ResolveError) as error:
            yield error
        else:
            yield started.closure(loader)


def _no_loader(program: LoadedObject, interpreter: LoadedObject, base: str, *, is_gcompat: bool) -> MinpackError:
    """Why the program's interpreter is neither musl's loader nor glibc's."""
    if is_gcompat:
        hint = "choose a base with glibc, or build the program for musl"
        return LibcMismatchError(program.path, interpreter.path, "glibc", base, "musl, with gcompat's loader", hint)
    what = f"for {interpreter.path}, which is neither musl's nor glibc's loader"
    return NotProgramError(program.path, what, "build it for musl or glibc, or link it statically")


def _file(opener: Opener, path: str, found_by: FoundBy, needed_by: str) -> LoadedObject:
    """The program or interpreter at `path`."""
    walk = opener.walker.walk(opener.absolute(path))
    if walk.entry is None:
        why = f"which {needed_by} has as its interpreter" if needed_by else "which was to be resolved"
        raise NotInBaseError(opener.walker.base.name, path, why, "choose a base with the program's C library")
    if walk.entry.kind is not Kind.FILE:
        raise NotElfError(path, f"a {walk.entry.kind}")
    return LoadedObject(path, path, walk.entry, opener.info(walk.entry), found_by, needed_by, walk.trail)
