"""Which CPUs of its architecture a program or library was built for, as far as the file says it.

Sources: Go's build information (`cmd/go`, "Architecture-specific environment variables"), the build attributes of ARM
files, and the x86 levels that a property note names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.abi import EM_X86_64
from minpack.elf.format import PT_GNU_PROPERTY
from minpack.namedtuple import NamedTuple
from minpack.target import variant_rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.content import Content
    from minpack.elf.info import ElfInfo


class _Setting(NamedTuple):
    """Go's variable for an architecture, and what comes before its value in a variant's name and in a CPU's."""

    variable: str
    prefix: str
    cpu: str


_SETTINGS = {
    "arm": _Setting("GOARM", "v", "ARMv"),
    "arm64": _Setting("GOARM64", "", "ARM"),
    "amd64": _Setting("GOAMD64", "", "x86-64-"),
    "ppc64le": _Setting("GOPPC64", "", ""),
    "riscv64": _Setting("GORISCV64", "", ""),
}
_X86_LEVELS = ("v1", "v2", "v3", "v4")


class CpuLevel(NamedTuple):
    """The variant of an OCI platform that a file needs, and what says so, as a clause about the file.

    It is `certain` unless the file may have parts for better CPUs that it chooses at run time: the linker writes down
    the most that any part of it was built for.
    """

    variant: str
    evidence: str
    certain: bool = True


def level_of(content: Content, info: ElfInfo) -> CpuLevel | None:
    """What the file needs, the most where several things say it; None where it says nothing.

    :raises InputError: the system could not read it.
    """
    platform = info.target.platform
    architecture = platform.architecture if platform is not None else ""
    found = []
    if architecture in _SETTINGS:
        found.append(go_level(architecture, _go_settings(content, info)))
    if architecture == "arm":
        from minpack.elf.armattributes import arm_version  # noqa: PLC0415 - for ARM alone

        version = arm_version(content, info)
        built = CpuLevel(f"v{version}", f"is built for ARMv{version} (Tag_CPU_arch)", certain=False)
        found.append(built if version else None)
    if architecture == "amd64":
        found.append(_x86_level(content, info))
    known = [level for level in found if level is not None]
    return max(known, key=lambda level: (variant_rank(architecture, level.variant), level.certain), default=None)


def go_level(architecture: str, settings: Mapping[str, str]) -> CpuLevel | None:
    """What the settings in a Go program's build information say; a dot and what a comma adds make no variant."""
    setting = _SETTINGS.get(architecture)
    value = settings.get(setting.variable, "") if setting is not None else ""
    if setting is None or not value:
        return None
    variant = setting.prefix + value.partition(",")[0].partition(".")[0]
    return (
        CpuLevel(variant, f"is built with {setting.variable}={value}") if variant_rank(architecture, variant) else None
    )


def go_warning(setting: str, path: str) -> str:
    """What is to be told of a Go program that not all CPUs of its architecture run, as its `setting` says."""
    variable, _, value = setting.partition("=")
    cpu = next((known.cpu for known in _SETTINGS.values() if known.variable == variable), "")
    return f"{path} runs only on CPUs with {cpu}{value}: it is built with {setting}"


def x86_warning(content: Content, info: ElfInfo, path: str) -> tuple[str, ...]:
    """What is to be told of a program that not all CPUs of x86-64 run.

    :raises InputError: the system could not read it.
    """
    level = _x86_level(content, info) if info.target.machine == EM_X86_64 else None
    if level is None or level.variant == _X86_LEVELS[0]:
        return ()
    return (f"{path} runs only on CPUs with x86-64-{level.variant}, according to a note in it",)


def _go_settings(content: Content, info: ElfInfo) -> Mapping[str, str]:
    from minpack.needs.binary import open_binary  # noqa: PLC0415 - where a label depends on it
    from minpack.needs.golang.buildinfo import read_build_info  # noqa: PLC0415

    with open_binary(content, info, content.where) as binary:
        build = read_build_info(binary)
    return build.settings if build is not None else {}


def _x86_level(content: Content, info: ElfInfo) -> CpuLevel | None:
    if not any(segment.type == PT_GNU_PROPERTY for segment in info.segments):
        return None
    from minpack.elf.notes import read_notes  # noqa: PLC0415 - as above

    mask = read_notes(content, info).isa_needed & (1 << len(_X86_LEVELS)) - 1
    level = _X86_LEVELS[mask.bit_length() - 1] if mask else ""
    return CpuLevel(level, f"has a note that it needs x86-64-{level}") if mask else None
