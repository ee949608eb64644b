"""The platform that an image is for: what its programs say of themselves, and what their libraries need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import WrongTargetError
from minpack.namedtuple import NamedTuple
from minpack.target import ARM, variant_rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure
    from minpack.needs.level import CpuLevel
    from minpack.program.read import Program
    from minpack.target import Platform


class Needed(NamedTuple):
    """A file, by its path, and what it needs of a CPU; None if it does not say."""

    path: str
    level: CpuLevel | None


def platform_of(programs: Sequence[Program], wanted: Platform | None) -> Platform:
    """The platform of all the programs.

    :param wanted: chooses a variant, but none that a program needs more than.
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
        raise WrongTargetError(first.path, "an architecture that OCI defines", str(first.info.target))
    if wanted is not None and (wanted.os, wanted.architecture) != (platform.os, platform.architecture):
        hint = f"build it for {wanted} first (GOARCH={wanted.architecture}); the platform comes from the program"
        raise WrongTargetError(first.path, str(wanted), str(platform), hint)
    if not (wanted or platform).tells_variant:
        return platform
    return with_variant(programs, platform, wanted)


def base_platform(programs: Sequence[Program], platform: Platform, wanted: Platform | None) -> Platform:
    """The platform to fetch a base for: the image's, unless that is one for which distributions have less.

    Of ARM they have the usual variant. What a static program takes of it is data; whatever else is, the label tells.
    """
    own = programs[0].info.target.platform
    static = all(program.info.interpreter is None for program in programs)
    return own if own is not None and static and wanted is None and platform.architecture == ARM else platform


def with_variant(programs: Sequence[Program], platform: Platform, wanted: Platform | None) -> Platform:
    """The platform of the programs with the variant that they need, or the wanted one.

    :raises WrongTargetError: a program needs more than the wanted one has.
    """
    needed = needed_by_programs(programs)
    if wanted is not None:
        _check_variant(wanted, needed)
        return wanted
    # A header tells the usual variant of its ABI, for what says nothing itself.
    variants = [one.level.variant if one.level is not None else platform.variant for one in needed]
    return platform._replace(variant=max(variants, key=lambda variant: variant_rank(ARM, variant)))


def platform_of_file(content: Content, info: ElfInfo) -> Platform | None:
    """The platform of one file, if it has a name.

    :raises InputError: the system could not read it.
    """
    platform = info.target.platform
    if platform is None or platform.architecture != ARM:
        return platform
    ((_, level),) = needed_by(((content.where, content, info),))
    return platform._replace(variant=level.variant) if level is not None else platform


def needed_by(files: Iterable[tuple[str, Content, ElfInfo]]) -> tuple[Needed, ...]:
    """What each of the files needs of a CPU, by their paths.

    :raises InputError: the system could not read one.
    """
    from minpack.needs.level import level_of  # noqa: PLC0415 - where a label depends on it

    return tuple(Needed(path, level_of(content, info)) for path, content, info in files)


def needed_by_programs(programs: Sequence[Program]) -> tuple[Needed, ...]:
    """What each of the programs needs of a CPU."""
    return needed_by((program.path, program.content, program.info) for program in programs)


def _check_variant(wanted: Platform, needed: Sequence[Needed]) -> None:
    """Raise `WrongTargetError` if a file is known not to run on all CPUs of the wanted variant."""
    for path, level in needed:
        if level is not None and level.certain and _is_more(level, wanted):
            got = str(wanted._replace(variant=level.variant))
            hint = f"it {level.evidence}: leave out --platform, or build it for that variant"
            raise WrongTargetError(path, str(wanted), got, hint)


def _is_more(level: CpuLevel, platform: Platform) -> bool:
    architecture = platform.architecture
    return variant_rank(architecture, level.variant) > variant_rank(architecture, platform.variant)


class Labelled(NamedTuple):
    """The platform that the image is labelled with, and what is to be told of it."""

    platform: Platform
    notes: tuple[str, ...] = ()


def labelled(
    platform: Platform, wanted: Platform | None, programs: Sequence[Program], closures: Sequence[Closure]
) -> Labelled:
    """The platform with the variant that all runs on, as far as programs, loaders and libraries say it.

    A loader is built for all CPUs of its distribution. Another library may be for some, and choose at run time.

    :param platform: of the programs; see `platform_of`.
    :raises WrongTargetError: a library needs more than the wanted platform has.
    """
    if not platform.tells_variant:
        return Labelled(platform)
    objects = {one.path: one for closure in closures for one in closure.objects}
    needed = needed_by(
        (path, one.entry.content, one.info) for path, one in objects.items() if one.entry.content is not None
    )
    notes: tuple[str, ...] = ()
    if wanted is not None:
        _check_variant(wanted, needed)
    else:
        silent = next((one.path for one in needed_by_programs(programs) if one.level is None), None)
        if silent is not None:
            notes = (f"{silent!r} does not say which ARM it is for: labelled {platform} (--platform sets another)",)
        loaders = {closure.interpreter.path for closure in closures if closure.interpreter is not None}
        for path, level in needed:
            if path in loaders and level is not None and _is_more(level, platform):
                platform = platform._replace(variant=level.variant)
                notes += (f"the image is for {platform}: {path} {level.evidence}",)
    return Labelled(platform, (*notes, *_more_notes(platform, needed)))


def _more_notes(platform: Platform, needed: Sequence[Needed]) -> tuple[str, ...]:
    """A note on the files that are built for more than the label says."""
    more = [(path, level) for path, level in needed if level is not None and _is_more(level, platform)]
    if not more:
        return ()
    path, level = more[0]
    count = len(more) - 1
    others = f", as {count} more {'file is' if count == 1 else 'files are'}" if count else ""
    return (f"{path} {level.evidence}{others}: on {platform} it runs only if it chooses such code at run time",)
