"""--retarget: programs of a store, packed as copies that use the base's loader and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.lief import retarget
from minpack.elf.read import read_elf
from minpack.ld.closure import Libc
from minpack.ld.fit import find_loaders
from minpack.ld.resolve import libc_of

if TYPE_CHECKING:
    from minpack.base.walk import Walker
    from minpack.program.read import Program
    from minpack.sources.session import Session


def retarget_programs(programs: tuple[Program, ...], session: Session) -> tuple[tuple[Program, ...], tuple[str, ...]]:
    """The programs as they are to be packed, and a note of each that was changed, or that none was.

    :raises InputError: a program cannot be changed.
    """
    made = tuple(_retargeted(program, session.walker) for program in programs)
    changed = [(old, new) for old, new in zip(programs, made, strict=True) if old is not new]
    if not changed:
        return programs, ("--retarget had no effect: the base has what the programs name",)
    notes = (f"{old.path!r} is packed with the interpreter {new.info.interpreter}" for old, new in changed)
    return made, tuple(notes)


def _retargeted(program: Program, walker: Walker) -> Program:
    interpreter = program.info.interpreter
    if interpreter is None:
        return program
    libc = libc_of(interpreter) or Libc.GLIBC
    loaders = (one for one in find_loaders(walker) if one.target == program.info.target and one.libc is libc)
    loader = next(loaders, None)
    directories = [part for part in (program.info.runpath or program.info.rpath or "").split(":") if part]
    kept = [part for part in directories if "$" in part or walker.walk(part).entry is not None]
    is_there = walker.find_file(interpreter) is not None
    if loader is None or (is_there and kept == directories):
        return program
    content = retarget(program.content, program.info, interpreter if is_there else loader.path, ":".join(kept))
    return program._replace(content=content, info=read_elf(content))
