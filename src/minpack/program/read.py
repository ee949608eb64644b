"""Reading the programs that the user named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.read import read_elf
from minpack.elf.strip import Weight, stripped, weigh, why_not
from minpack.errors import NotProgramError
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, normal
from minpack.program.additions import file_and_mode
from minpack.rootfs.modes import SET_ID_BITS

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.spec.image import ImageSpec


class Program(NamedTuple):
    """A program and where it goes in the image; `path` is the host's, or says which package it is from.

    `weight` is what symbol tables and debug sections have in the host's file; if `stripped`, `content` is without them.
    `unstripped` says why it could not be. `mode` is that of the host's file.
    """

    path: str
    content: Content
    info: ElfInfo
    destination: RootPath
    weight: Weight = Weight(0, 0)
    stripped: bool = False
    unstripped: str = ""
    mode: int = 0o755

    @property
    def sets_id(self) -> bool:
        """Whether the host runs it as its owner or group."""
        return bool(self.mode & SET_ID_BITS)


def read_program(path: str, destination: RootPath, *, strip: bool = False) -> Program:
    """The program at the host's `path`, checked to be one that can be packed.

    :param strip: without symbol tables and debug sections.
    :raises InputError: it cannot be read.
    :raises NotElfError: it is not an ELF file.
    :raises MalformedElfError: it is damaged.
    :raises NotProgramError: it is a library, an object file, or packed.
    """
    inside = "name the program in it, for example ./target/release/myapp"
    content, mode = file_and_mode(path, "check the path, or build the program first", inside)
    info = read_elf(content)
    if info.kind.is_program:
        program = Program(path, content, info, destination, weigh(content, info), mode=mode)
        return _stripped(program) if strip else program
    if info.kind is ElfKind.UPX:
        hint = "unpack it first with upx -d; its libraries and needs are hidden until then"
    elif info.kind is ElfKind.LIBRARY:
        hint = "name a program; add a library with --add SRC:DST"
    else:
        hint = "link it first, then name the program"
    article = "an" if info.kind[0] in "aeioU" and info.kind is not ElfKind.UPX else "a"
    raise NotProgramError(path, f"{article} {info.kind}", hint)


def _stripped(program: Program) -> Program:
    if reason := why_not(program.content, program.info):
        return program._replace(unstripped=reason)
    content = stripped(program.content, program.info)
    if content is program.content:
        lacking = not any(program.weight)
        reason = "it has no symbol tables or debug sections" if lacking else "it would be no smaller"
        return program._replace(unstripped=reason)
    info = read_elf(content)
    assert info._replace(size=program.info.size) == program.info, "internal error: stripping changed what is loaded"
    return program._replace(content=content, info=info, stripped=True)


def program_destination(path: str, wanted: RootPath | None, below: RootPath) -> RootPath:
    """Where a program goes: at `wanted`, or under its own name in the directory `below`."""
    return wanted or normal(f"{below}/{path.rstrip('/').rpartition('/')[2]}")


def read_programs(spec: ImageSpec) -> tuple[Program, ...]:
    """The programs of the spec, each with its place.

    :raises InputError: one cannot be read.
    :raises ElfError: one is not a program that can be packed.
    """
    single = spec.destination if len(spec.programs) == 1 else None
    return tuple(
        read_program(path, program_destination(path, single, spec.directory), strip=spec.strip)
        for path in spec.programs
    )
