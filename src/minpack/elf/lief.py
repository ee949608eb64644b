"""A program that names another interpreter and other directories of libraries, made with LIEF.

Programs of stores (Nix, Guix, Spack) name directories that no base has. What LIEF writes is not taken on trust: it is
read back with pyelftools, and all that is loaded, symbols and relocations must be as before but for the two strings.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from minpack.content import BytesContent, read_all
from minpack.elf.full import differences
from minpack.elf.read import read_elf
from minpack.elf.symbols import read_symbols
from minpack.errors import InputError

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.elf.symbols import Definition, Symbols

#: Larger programs are not changed: LIEF holds several copies.
MAX_SIZE = 512 << 20


def retarget(content: Content, info: ElfInfo, interpreter: str, runpath: str) -> BytesContent:
    """The program `content` with `interpreter`, and with `runpath` in place of its rpath and runpath; none if empty.

    :raises InputError: it is too large, cannot be read, or would not be the same program but for these.
    """
    if content.size > MAX_SIZE:
        raise InputError(content.where, f"it is larger than {MAX_SIZE >> 20} MiB", verb="retarget")
    data = read_all(content, MAX_SIZE)
    changed = _changed(data, interpreter, runpath)
    made = BytesContent(changed, content.where)
    difference = _difference(content, info, made, interpreter, runpath) or next(differences(data, changed), "")
    if difference:
        hint = "leave out --retarget, and build the program for the base"
        reason = f"LIEF changes more than the interpreter and runpath: {difference}"
        raise InputError(content.where, reason, verb="retarget", hint=hint)
    return made


def lief_version() -> str:
    """The version of LIEF: the bytes follow from it too."""
    from importlib.metadata import version  # noqa: PLC0415 - for --retarget alone

    return version("lief")


def _changed(data: bytes, interpreter: str, runpath: str) -> bytes:
    import lief  # noqa: PLC0415 - for --retarget alone

    lief.logging.disable()
    binary: Any = lief.ELF.parse(io.BytesIO(data))
    tags = lief.ELF.DynamicEntry.TAG
    binary.interpreter = interpreter
    entries = [entry for entry in binary.dynamic_entries if entry.tag in (tags.RPATH, tags.RUNPATH)]
    for entry in entries[1:] if runpath else entries:
        binary.remove(entry)
    for entry in entries[:1] if runpath else ():
        setattr(entry, "runpath" if entry.tag == tags.RUNPATH else "rpath", runpath)
    config = lief.ELF.Builder.config_t()
    if not runpath or not entries:
        # Without a new string all tables can stay as they are.
        for option in (name for name in dir(config) if not name.startswith("_")):
            setattr(config, option, option in ("interpreter", "dynamic_section"))
    return bytes(binary.write_to_bytes(config))


def _difference(content: Content, info: ElfInfo, made: Content, interpreter: str, runpath: str) -> str:
    """What our own reader finds that is not to be; empty if nothing."""
    again = read_elf(made)
    if again.interpreter != interpreter or (again.runpath or again.rpath or "") != runpath:
        return "the strings are not as wanted"
    same = info._replace(interpreter="", rpath=None, runpath=None, segments=(), size=0)
    if again._replace(interpreter="", rpath=None, runpath=None, segments=(), size=0) != same:
        return "what it says of itself"
    old, new = read_symbols(content), read_symbols(made)
    if old.references != new.references or _defined(old) != _defined(new):
        return "its symbols"
    return "" if old.versions.needs == new.versions.needs else "the versions it needs"


def _defined(symbols: Symbols) -> dict[bytes, tuple[Definition, ...]]:
    """The definitions of each name; a hash table may lead to others, which count for nothing."""
    found = {name: tuple(one for one in symbols.definitions(name) if one.section) for name in symbols.names}
    return {name: definitions for name, definitions in found.items() if definitions}
