"""The stages in order: read, place, resolve, decide, plan, deliver. No rules of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minpack.base.catalog import fitting_bases
from minpack.base.entries import base_of
from minpack.base.open import SCRATCH, file_sum, open_base
from minpack.base.overlay import OverlayBase
from minpack.base.scratch import ScratchBase
from minpack.base.walk import Walker
from minpack.content import sum_of
from minpack.deliver import Work, deliver
from minpack.errors import BaseNeededError, MissingLibraryError, WrongTargetError
from minpack.ld.closure import Environment, Libc
from minpack.ld.fit import check_fit
from minpack.ld.resolve import libc_of, resolve_closure
from minpack.needs.need import decide
from minpack.placing import PlaceKind, place, read_program
from minpack.plan import build_plan, program_destination
from minpack.progress import no_progress
from minpack.provision import provide
from minpack.request import PROGRAM_DIRECTORY
from minpack.rootfs.tree import Tree
from minpack.target import Platform, alpine_arch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.base.open import BaseOptions, OpenBase
    from minpack.base.tree import Base
    from minpack.deliver import Delivered, Delivery
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure
    from minpack.paths import RootPath
    from minpack.placing import Placed, Program
    from minpack.plan import Plan
    from minpack.progress import Progress
    from minpack.request import Request
    from minpack.rootfs.entry import Entry


class Input(NamedTuple):
    """Something an image was made from; `sha256` is empty where nothing has one sum."""

    kind: str
    name: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    version: str = ""


class Packed(NamedTuple):
    """What packing gave. `delivered` is None when nothing was to be written.

    `sums` has the SHA-256 of each file, in hexadecimal, if they were asked for.
    """

    plan: Plan
    delivered: Delivered | None
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    sums: Mapping[RootPath, str]


class Resolved(NamedTuple):
    """A closure, and the base it was found in."""

    closure: Closure
    base: str
    notes: tuple[str, ...]


def pack(
    request: Request,
    base: str | None,
    options: BaseOptions,
    delivery: Delivery | None,
    progress: Progress = no_progress,
    *,
    sums: bool = False,
) -> Packed:
    """Make an image of the request's programs.

    :param base: what --base names; None for the default.
    :param delivery: where the image goes; None for a plan alone.
    :param sums: compute the sum of each file, which reads them once more.
    :raises MinpackError: one of its subclasses, saying what cannot be done.
    """
    programs = read_programs(request)
    platform = platform_of(programs, request.platform)
    name = base if base is not None else _default_base(programs, platform, options.today)
    with open_base(name, alpine_arch(platform), options, progress) as opened:
        hint = _hint(programs[0].info, platform, options.today)
        lower = Walker(opened.base)
        for program in programs:
            check_fit(program.path, program.info, lower, hint)
        placed = place(request, programs, lower)
        closures = _closures(request, programs, placed, opened.base, hint)
        glibc = any(closure.libc is Libc.GLIBC for closure in closures)
        decisions = decide(wanted=request.wanted, unwanted=request.unwanted, zone=request.zone, glibc=glibc)
        default = ScratchBase()
        provision = provide(request, decisions, lower, Walker(default))
        plan = build_plan(request, platform, programs, placed, closures, provision, decisions)
        delivered = None if delivery is None else deliver(_work(plan, request, progress), delivery)
        notes = (*opened.notes, *provision.notes, *(delivered.notes if delivered else ()))
        return Packed(
            plan, delivered, (base_input(name, opened), *_data_inputs(default)), notes, _sums(plan) if sums else {}
        )


def resolve(program: str, base: str, options: BaseOptions, request: Request, progress: Progress) -> Resolved:
    """The closure of one program on a base; what is missing is in it, not raised.

    On the host's own tree the program stays where it is, as for ldd(1).
    """
    wanted = request._replace(programs=(program,))
    (read,) = read_programs(wanted)
    platform = platform_of((read,), request.platform)
    with open_base(base, alpine_arch(platform), options, progress) as opened:
        walker = Walker(opened.base)
        check_fit(program, read.info, walker, _hint(read.info, platform, options.today))
        placed = place(wanted, (read,), walker)
        tree = Walker(_with_placed(placed, opened.base))
        return Resolved(resolve_closure(tree, read.destination, _environment(request)), opened.base.name, opened.notes)


def read_programs(request: Request) -> tuple[Program, ...]:
    """The programs of the request, each with its place.

    :raises InputError: one cannot be read.
    :raises ElfError: one is no program that can be packed.
    """
    single = request.destination if len(request.programs) == 1 else None
    return tuple(read_program(path, program_destination(path, single, PROGRAM_DIRECTORY)) for path in request.programs)


def platform_of(programs: Sequence[Program], wanted: Platform | None) -> Platform:
    """The platform of all the programs.

    :param wanted: may choose the variant of an architecture, which ELF files do not tell.
    :raises WrongTargetError: they are not all for one, or not for the one wanted.
    """
    first = programs[0]
    for program in programs[1:]:
        if program.info.target != first.info.target:
            raise WrongTargetError(
                program.path, str(first.info.target), str(program.info.target), "pack each architecture by itself"
            )
    platform = first.info.target.platform
    if platform is None:
        raise WrongTargetError(first.path, "an architecture that OCI images know", str(first.info.target))
    if wanted is None:
        return platform
    if (wanted.os, wanted.architecture) != (platform.os, platform.architecture):
        raise WrongTargetError(first.path, str(wanted), str(platform), "leave out --platform: it is the program's own")
    return wanted


def _default_base(programs: Sequence[Program], platform: Platform, today: str) -> str:
    for program in programs:
        if program.info.interpreter is not None:
            hint = _hint(program.info, platform, today)
            raise BaseNeededError(program.path, program.info.interpreter, hint)
    return SCRATCH


def _hint(info: ElfInfo, platform: Platform, today: str) -> str:
    """Which bases fit a program."""
    if info.interpreter is None:
        return "leave out --base: the program is static and needs none"
    if libc_of(info.interpreter) is Libc.MUSL:
        arch = alpine_arch(platform)
        names = fitting_bases(arch, today) if arch is not None else ()
        if names:
            return f"it needs musl: --base {names[0]}" + (f" (also {', '.join(names[1:])})" if names[1:] else "")
        return "it needs musl: --base with a directory or tarball of a musl distribution"
    return "it needs glibc: --base / (this host's libraries), or a directory or tarball of a glibc distribution"


def _closures(
    request: Request, programs: Sequence[Program], placed: Sequence[Placed], base: Base, hint: str
) -> tuple[Closure, ...]:
    """The closure of each program in the base with the user's files laid over it.

    :raises MissingLibraryError: something is missing.
    """
    walker = Walker(_with_placed(placed, base))
    closures = []
    for program in programs:
        closure = resolve_closure(walker, program.destination, _environment(request))
        if closure.missing:
            missing = tuple(
                (m.name, m.needed_by, tuple((c.directory, str(c.rule)) for c in m.considered)) for m in closure.missing
            )
            raise MissingLibraryError(program.path, base.name, missing, _missing_hint(closure, hint))
        closures.append(closure)
    return tuple(closures)


def _with_placed(placed: Sequence[Placed], base: Base) -> Base:
    """The base with the user's files laid over it."""
    tree: Tree[None] = Tree(lambda _: None)
    for item in placed:
        if item.kind is not PlaceKind.LINK:
            tree.add(item.entry, None)
    return OverlayBase(base_of("files", [entry for entry, _ in tree if entry.path not in tree.implied]), base)


def _missing_hint(closure: Closure, hint: str) -> str:
    info = closure.program.info
    if "$ORIGIN" in (info.runpath or info.rpath or ""):
        return "the program looks beside itself ($ORIGIN): add the library with --add SRC:DST, or place it with --dest"
    return f"add it with --add SRC:DST, or choose a base that has it; {hint}"


def _environment(request: Request) -> Environment:
    env = dict(request.run.env)
    return Environment(env.get("LD_LIBRARY_PATH", ""), env.get("LD_PRELOAD", ""))


def _work(plan: Plan, request: Request, progress: Progress) -> Work:
    if request.single_layer:
        layers: tuple[tuple[str, tuple[Entry, ...]], ...] = (("root file system", plan.all),)
    else:
        layers = (("libraries and data", plan.lower), ("program", plan.upper))
    kept = tuple((comment, entries) for comment, entries in layers if entries)
    return Work(kept, plan.all, plan.config, request.compression, request.threads, progress)


def _sums(plan: Plan) -> dict[RootPath, str]:
    files = (planned.entry for planned in plan.entries)
    return {entry.path: sum_of(entry.content) for entry in files if entry.content is not None}


def base_input(name: str, opened: OpenBase) -> Input:
    """The base as an input; the sum of a local tarball is computed here."""
    if opened.kind == "tarball" and not opened.sha256:
        return Input("base", opened.base.name, file_sum(name, "sha256"), opened.size)
    return Input("base", opened.base.name, opened.sha256, opened.size, opened.url)


def _data_inputs(default: ScratchBase) -> tuple[Input, ...]:
    """The embedded data that was used, with the version it is of."""
    return tuple(Input("data", *row) for row in default.versions())
