"""Programs of several platforms: which belong together, and that each platform has the same ones."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.elf.abi import EM_ARM
from minpack.elf.read import read_elf
from minpack.errors import DifferentProgramsError, MinpackError, UsageError, WrongTargetError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.paths import normal
from minpack.program.additions import host_file
from minpack.program.platforms import platform_of
from minpack.program.suffixes import platform_in
from minpack.target import ARM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.program.read import Program
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform, Target


class ProgramGroup(NamedTuple):
    """The programs of one platform, each with its place; `wanted` is the platform that the user chose for them."""

    platform: Platform
    programs: tuple[Program, ...]
    wanted: Platform | None = None


class Groups(NamedTuple):
    """The programs of each platform, in the order of the platforms' names; the entrypoint comes first in each."""

    groups: tuple[ProgramGroup, ...]
    notes: tuple[str, ...] = ()


def group_programs(spec: ImageSpec, programs: Sequence[Program]) -> Groups:
    """The programs by the platform that their files name, the same names in each.

    A program's name is its file's, without the platform at its end where names else differ; or its place is the spec's
    destination, if each platform has one program.

    :raises WrongTargetError: a program is for no platform, for another one than its name says, or not for a wanted one.
    :raises DifferentProgramsError: the platforms have different programs.
    :raises UsageError: no program is for a wanted platform, or several of one platform would be at one place.
    """
    groups = [ProgramGroup(platform_of(one, None), one) for one in _alike(programs)]
    _check_different(groups)
    chosen, notes = _chosen(groups, spec.platforms or ((spec.platform,) if spec.platform is not None else ()))
    ordered = sorted(chosen, key=lambda group: str(group.platform))
    if spec.destination is not None:
        return Groups(tuple(_at_destination(group, spec) for group in ordered), notes)
    if len(ordered) == 1:
        return Groups(tuple(ordered), notes)
    named, more = _named(ordered, spec, programs)
    return Groups(named, (*notes, *more))


def have_several_targets(paths: Sequence[str]) -> bool:
    """Whether the programs at these paths of the host may be for several platforms, as far as they can be read."""
    found: set[Target] = set()
    for path in paths:
        with suppress(MinpackError):
            found.add(read_elf(host_file(path)).target)
    return len(found) > 1 or any(target.machine == EM_ARM for target in found)


def _check_different(groups: Sequence[ProgramGroup]) -> None:
    """Raise `WrongTargetError` if OCI images have one platform for what ELF files tell apart, as ABIs."""
    found: dict[Platform, Program] = {}
    for group in groups:
        first, program = found.setdefault(group.platform, group.programs[0]), group.programs[0]
        if first is not program:
            wanted, got = str(first.info.target), str(program.info.target)
            raise WrongTargetError(program.path, wanted, got, f"both are {group.platform}: pack each by itself")


def _alike(programs: Sequence[Program]) -> list[tuple[Program, ...]]:
    """The programs of each target, of ARM of each variant where several have one name."""
    found: dict[Target, list[Program]] = {}
    for program in programs:
        found.setdefault(program.info.target, []).append(program)
    return [part for one in found.values() for part in _variants(one)]


def _variants(programs: Sequence[Program]) -> list[tuple[Program, ...]]:
    """The programs of each variant, if they are for ARM and some differ in nothing else."""
    platform = programs[0].info.target.platform
    stems = {_stem(program) for program in programs}
    if platform is None or platform.architecture != ARM or len(stems) == len(programs):
        return [tuple(programs)]
    found: dict[Platform, list[Program]] = {}
    for program in programs:
        found.setdefault(platform_of((program,), None), []).append(program)
    return [tuple(one) for one in found.values()]


def _file_name(program: Program) -> str:
    return program.path.rstrip("/").rpartition("/")[2]


def _stem(program: Program) -> str:
    """The name of the program's file, without the platform at its end."""
    name = _file_name(program)
    found = platform_in(name)
    return found.stem if found is not None else name


def _chosen(
    groups: Sequence[ProgramGroup], wanted: Sequence[Platform]
) -> tuple[tuple[ProgramGroup, ...], tuple[str, ...]]:
    """The groups of the wanted platforms, and a note of those that are left out; all, if none is wanted.

    :raises UsageError: a wanted platform has no programs.
    """
    if not wanted:
        return tuple(groups), ()
    chosen: dict[Platform, ProgramGroup] = {}
    for platform in wanted:
        group = _of_platform(groups, platform)
        if group is None or group in chosen.values():
            has = listed(sorted(str(one.platform) for one in groups))
            hint = f"build it for {platform} and name it too; there are programs for {has}"
            raise UsageError("--platform", str(platform), "there is no program for it", hint)
        chosen[platform] = group
    left = [program.path for group in groups if group not in chosen.values() for program in group.programs]
    notes = (f"--platform leaves out {listed(left)}",) if left else ()
    # What a program needs more than the wanted variant has, is told.
    made = [
        ProgramGroup(platform_of(one.programs, platform), one.programs, platform) for platform, one in chosen.items()
    ]
    return tuple(made), notes


def _of_platform(groups: Sequence[ProgramGroup], wanted: Platform) -> ProgramGroup | None:
    """The group of that platform; else the only one of its architecture, of which another variant is wanted."""
    same = [group for group in groups if group.platform.architecture == wanted.architecture]
    exact = [group for group in same if group.platform == wanted]
    return exact[0] if exact else same[0] if len(same) == 1 else None


def _at_destination(group: ProgramGroup, spec: ImageSpec) -> ProgramGroup:
    if len(group.programs) > 1:
        reason = f"it names one file, but there are {len(group.programs)} programs for {group.platform}"
        hint = f"end it with a slash to put all into one directory: --dest {spec.destination}/"
        raise UsageError("--dest", str(spec.destination), reason, hint)
    assert spec.destination is not None, "internal error: there is no destination"
    return group._replace(programs=(group.programs[0]._replace(destination=spec.destination),))


def _named(
    groups: Sequence[ProgramGroup], spec: ImageSpec, programs: Sequence[Program]
) -> tuple[tuple[ProgramGroup, ...], tuple[str, ...]]:
    """The groups with their programs at the same places, and a note of what was left out of names.

    :param programs: as they were named: the order of the first one's platform is that of all.
    """
    names = {program.path: _file_name(program) for group in groups for program in group.programs}
    notes: tuple[str, ...] = ()
    if not _same(groups, names):
        notes = tuple(note for group in groups for program in group.programs for note in _check_name(group, program))
        names = {program.path: _stem(program) for group in groups for program in group.programs}
        if not _same(groups, names):
            raise _different(groups, names)
        notes = (*notes, _suffix_note(groups, spec, names))
    leading = min(groups, key=lambda group: programs.index(group.programs[0]))
    order = [names[program.path] for program in leading.programs]
    return tuple(_placed(group, spec, names, order) for group in groups), notes


def _same(groups: Sequence[ProgramGroup], names: Mapping[str, str]) -> bool:
    """Whether each platform has as many programs of each name."""
    found = [sorted(names[program.path] for program in group.programs) for group in groups]
    return all(one == found[0] for one in found)


def _placed(group: ProgramGroup, spec: ImageSpec, names: Mapping[str, str], order: Sequence[str]) -> ProgramGroup:
    """The programs in that order of their names, each in the spec's directory."""
    ordered = sorted(group.programs, key=lambda program: order.index(names[program.path]))
    placed = (one._replace(destination=normal(f"{spec.directory}/{names[one.path]}")) for one in ordered)
    return group._replace(programs=tuple(placed))


def _check_name(group: ProgramGroup, program: Program) -> tuple[str, ...]:
    """A note of a program whose name says another variant than its file.

    :raises WrongTargetError: the name says another architecture.
    """
    found = platform_in(_file_name(program))
    if found is None or found.platform == group.platform:
        return ()
    if found.platform.architecture != group.platform.architecture:
        hint = f"its name says {found.platform}: rename it, or build it for {found.platform}"
        raise WrongTargetError(program.path, str(found.platform), str(group.platform), hint)
    return (f"{program.path!r} is for {group.platform}, not {found.platform} as its name says",) * found.has_variant


def _suffix_note(groups: Sequence[ProgramGroup], spec: ImageSpec, names: Mapping[str, str]) -> str:
    """Where programs are whose names end with a platform."""
    changed = [one for group in groups for one in group.programs if names[one.path] != _file_name(one)]
    places = dict.fromkeys(f"{spec.directory}/{names[one.path]}" for one in changed)
    verb = "are" if len(changed) > 1 else "is"
    files = listed(map(_file_name, changed))
    return f"{files} {verb} {listed(places)} in the image, without the platform in the name"


def _different(groups: Sequence[ProgramGroup], names: Mapping[str, str]) -> DifferentProgramsError:
    rows = ((str(group.platform), tuple(names[program.path] for program in group.programs)) for group in groups)
    return DifferentProgramsError(tuple(rows))
