"""What two versions of an ELF file say of themselves, and how much is in each of their sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import MAGIC
from minpack.elf.read import read_elf
from minpack.elf.symbols import read_symbols
from minpack.errors import MinpackError
from minpack.namedtuple import NamedTuple
from minpack.needs.binary import open_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content
    from minpack.elf.info import ElfInfo


class ValueChange(NamedTuple):
    """One thing that differs: `what` it is, and how it is on each side; empty where it is not there."""

    what: str
    before: str
    after: str


def elf_facts(path: str, content: Content | None) -> dict[str, str] | None:
    """What is compared of an ELF file, as text; None of what is none."""
    if content is None or not _is_elf(content):
        return None
    try:
        info = read_elf(content, path)
        facts = {
            "kind": str(info.kind),
            "target": str(info.target),
            "interpreter": info.interpreter or "",
            "soname": info.soname or "",
            "rpath": info.rpath or "",
            "runpath": info.runpath or "",
            "needed": " ".join(info.needed),
            "versions": " ".join(sorted(_versions(path, content, info))),
        }
        with open_binary(content, info, path) as binary:
            facts |= {f"section {name}": str(one.size) for name, one in binary.sections.by_name.items() if one.size}
    except MinpackError:
        return None
    return facts


def _is_elf(content: Content) -> bool:
    with content.open() as reader:
        return reader.read_at(0, len(MAGIC)) == MAGIC


def _versions(path: str, content: Content, info: ElfInfo) -> Iterator[str]:
    """The symbol versions that it needs, as ``libc.so.6(GLIBC_2.34)``."""
    if info.needed:
        for need in read_symbols(content, path, imports_alone=True).versions.needs:
            yield f"{need.file}({need.version})"


def elf_changes(path: str, before: Content | None, after: Content | None) -> tuple[ValueChange, ...]:
    """What two ELF files say of themselves and differs; nothing unless both are such."""
    one, other = elf_facts(path, before), elf_facts(path, after)
    if one is None or other is None:
        return ()
    keys = dict.fromkeys((*one, *other))
    return tuple(
        ValueChange(key, one.get(key, ""), other.get(key, "")) for key in keys if one.get(key) != other.get(key)
    )
