"""The closures of all that is packed, with what the base lacks fetched from packages until nothing more is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import DownloadError, ElfError, MissingLibraryError, NotInBaseError, UsageError
from minpack.excerpt import listed
from minpack.ld.resolve import resolve_closure
from minpack.namedtuple import NamedTuple
from minpack.program.read import Program
from minpack.resolve.closures import add_missing, closure_with_late, environment_of, variants_of, with_placed
from minpack.spec.image import SHELL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.base.interface import Base
    from minpack.base.packages import Packages, WholePackage
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.ld.variants import Variant
    from minpack.program.additions import Placed
    from minpack.resolve.closures import ProgramClosure
    from minpack.spec.image import ImageSpec


def shell_closure(request: ImageSpec, tree: Walker) -> Closure:
    """The closure of the shell that programs start, as system(3) does.

    :raises NotInBaseError: there is none.
    :raises MissingLibraryError: a library of it is missing.
    """
    if tree.find_file(SHELL) is None:
        hint = "choose a base that has one, as alpine-3.22, or leave out --need shell"
        raise NotInBaseError(tree.base.name, SHELL, "the shell", hint)
    closure = resolve_closure(tree, SHELL, environment_of(request))
    if closure.missing:
        missing = tuple((m.name, m.needed_by, ()) for m in closure.missing)
        raise MissingLibraryError(SHELL, tree.base.name, missing, "choose a base that has it")
    return closure


def programs_of(whole: Iterable[WholePackage], files: Walker) -> tuple[Program, ...]:
    """The dynamic programs among the files of packages: what they need must be in the image too.

    :param files: over the tree in which the packages' files are.
    """
    found = []
    for package in whole:
        for path in package.paths:
            entry = files.lstat(path)
            if entry is None or entry.content is None or not entry.mode & 0o111:
                continue
            try:
                info = read_elf(entry.content, path)
            except ElfError:
                continue
            if info.kind is ElfKind.DYNAMIC and info.interpreter is not None:
                found.append(Program(f"{path} of package {package.name}", entry.content, info, path))
    return tuple(found)


def fetch_for_needs(needs: Iterable[str], packages: Packages) -> tuple[str, ...]:
    """Fetch the packages that have what needs are about; notes of those that cannot be had."""
    notes = []
    for need in needs:
        name = packages.for_need(need)
        try:
            if name:
                packages.add(name)
        except UsageError:
            continue  # nothing may be fetched, or there is no such package
        except DownloadError as error:
            notes.append(f"{need} is minpack's own: the package {name} cannot be had: {error.reason}")
    return tuple(notes)


class ResolvedAll(NamedTuple):
    """The closure of each program, and the tree they are in: the base with packages and the user's files."""

    tree: Walker
    found: tuple[ProgramClosure, ...]


def resolve_with_packages(
    request: ImageSpec,
    programs: Sequence[Program],
    placed: Sequence[Placed],
    base: Base,
    packages: Packages,
    hint: str,
    symbols: SymbolsOf,
    known: dict[Content, ElfInfo | ElfError],
) -> ResolvedAll:
    """The closure of each program with what it opens later; what the base lacks is fetched from packages.

    What is fetched may need more, so it is resolved again until nothing new comes.

    :raises MissingLibraryError: something is missing.
    :raises PackageError: a package that has it cannot be used.
    :raises DownloadError: such a package, or an index, cannot be had.
    """
    while True:
        tree = Walker(with_placed(placed, packages.over(base)), known)
        found = tuple(closure_with_late(request, program.destination, tree, symbols) for program in programs)
        if not add_missing(packages, [missing.name for one in found for missing in one.closure.missing], base.name):
            break
    for program, one in zip(programs, found, strict=True):
        variants = variants_of(request, one.closure, tree)
        _refuse_missing(program, one.closure, base.name, packages, variants, hint)
    return ResolvedAll(tree, found)


def _refuse_missing(
    program: Program, closure: Closure, base: str, packages: Packages, variants: tuple[Variant, ...], hint: str
) -> None:
    if not closure.missing:
        return
    why = listed(filter(None, dict.fromkeys(packages.why_missing(m.name) for m in closure.missing)), separator="; ")
    hint = _missing_hint(closure, variants, hint)
    raise MissingLibraryError(program.path, base, closure.missing, f"{why}; {hint}" if why else hint)


def _missing_hint(closure: Closure, variants: tuple[Variant, ...], hint: str) -> str:
    info = closure.program.info
    if closure.libc is None:
        return "choose a --base that has it, or leave out --add-lib: a static program opens no library but by dlopen"
    lone = next((variant for variant in variants if not variant.instead_of), None)
    if lone is not None:
        return f"{lone.path} is for better CPUs alone: add one for every CPU with --add SRC:DST; {hint}"
    if "$ORIGIN" in (info.runpath or info.rpath or ""):
        return "the program looks beside itself ($ORIGIN): add the library with --add SRC:DST, or place it with --dest"
    return f"add it with --add SRC:DST, or choose a base that has it; {hint}"
