"""The symbols of real files are those that pyelftools and LIEF find by section headers, which minpack never looks at.

Where the other two are known to be wrong they are not asked:

- pyelftools reads DT_HASH with 32-bit words on 64-bit S/390, where they have 64;
- pyelftools takes a GNU hash table that leads to nothing for one that leads to all up to its first symbol;
- LIEF does not say where DT_HASH ends.
"""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from minpack.content import FileContent
from minpack.elf.relocations import relocation_types
from minpack.elf.symbols import read_symbols
from support.trees import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TOPS = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/bin", "/usr/sbin")
#: How many of this machine's files are compared, and how large they may be: pyelftools takes a while for large ones.
SAMPLE, LARGEST, MOST_RELOCATIONS = 200, 2 << 20, 4000
ALPINE = ("aarch64", "armv7", "riscv64", "s390x", "x86", "x86_64")

Exports = set[tuple[str, str]]
Uses = set[tuple[str, str]]


class Facts(NamedTuple):
    """Names with versions that the hash table leads to, and names with kinds of use that relocations have.

    None where a reader is not asked.
    """

    exports: Exports | None
    uses: Uses | None


def own(path: str) -> Facts:
    """What minpack says; where the hash table has undefined symbols, they are left out."""
    found = read_symbols(FileContent(path, os.stat(path).st_size))
    exports = {
        (name.decode(), found.versions.named.get(definition.version & 0x7FFF, ("", False))[0])
        for name in found.names
        for definition in found.definitions(name)
        if definition.section
    }
    return Facts(exports, {(r.name.decode(), r.kind) for r in found.references})


def by_pyelftools(path: str) -> Facts:
    """What pyelftools says."""
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as file:
        elf = ELFFile(file)
        return Facts(_pyelftools_exports(elf), _pyelftools_uses(elf))


def _pyelftools_exports(elf: Any) -> Exports | None:
    from elftools.elf.hash import ELFHashSection, GNUHashSection
    from elftools.elf.sections import SymbolTableSection

    table = elf.get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    hashes = {type(s): s for s in elf.iter_sections() if isinstance(s, (ELFHashSection, GNUHashSection))}
    if GNUHashSection in hashes:
        section = hashes[GNUHashSection]
        first, end = section.params["symoffset"], section.get_number_of_symbols()
        if end <= first:
            return None
    elif ELFHashSection in hashes and elf["e_machine"] != "EM_S390":
        first, end = 1, hashes[ELFHashSection].get_number_of_symbols()
    else:
        return None
    named = _pyelftools_versions(elf)
    versym = elf.get_section_by_name(".gnu.version")
    found: Exports = set()
    for index in range(first, end):
        symbol = table.get_symbol(index)
        if symbol["st_shndx"] == "SHN_UNDEF" or not symbol.name:
            continue
        number = versym.get_symbol(index)["ndx"] if versym is not None else 1
        found.add((symbol.name, named.get(number & 0x7FFF, "") if isinstance(number, int) else ""))
    return found


def _pyelftools_versions(elf: Any) -> dict[int, str]:
    """The names of version indexes."""
    found: dict[int, str] = {}
    definitions = elf.get_section_by_name(".gnu.version_d")
    for version, names in definitions.iter_versions() if definitions is not None else ():
        if not version["vd_flags"] & 1:
            found[version["vd_ndx"] & 0x7FFF] = next(names).name
    needs = elf.get_section_by_name(".gnu.version_r")
    for _, names in needs.iter_versions() if needs is not None else ():
        found |= {name["vna_other"] & 0x7FFF: name.name for name in names}
    return found


def _pyelftools_uses(elf: Any) -> Uses | None:
    from elftools.elf.enums import ENUM_E_MACHINE
    from elftools.elf.relocation import RelocationSection

    types = relocation_types(ENUM_E_MACHINE[elf["e_machine"]])
    found: Uses = set()
    for section in elf.iter_sections():
        if not isinstance(section, RelocationSection) or not section["sh_flags"] & 2:
            continue
        if section.num_relocations() > MOST_RELOCATIONS:
            return None
        table = elf.get_section(section["sh_link"])
        for relocation in section.iter_relocations():
            if relocation["r_info_sym"]:
                name = table.get_symbol(relocation["r_info_sym"]).name
                found.add((name, types.kind(relocation["r_info_type"])))
    return found


def by_lief(path: str) -> Facts:
    """What LIEF says."""
    import lief

    lief.logging.disable()
    elf = lief.ELF.parse(path)
    assert elf is not None, path
    machine = int(elf.header.machine_type)
    types = relocation_types(machine)
    uses: Uses = set()
    for relocation in (*elf.dynamic_relocations, *elf.pltgot_relocations):
        if relocation.has_symbol and relocation.symbol is not None and relocation.info:
            # The machine is in the upper bits of LIEF's own numbers.
            uses.add((str(relocation.symbol.name), types.kind(int(relocation.type) & 0x7FFFFFF)))
    return Facts(_lief_exports(elf), uses)


def _lief_exports(elf: object) -> Exports | None:
    import lief

    assert isinstance(elf, lief.ELF.Binary)
    gnu = elf.gnu_hash
    if gnu is None:
        return None
    found: Exports = set()
    for index, symbol in enumerate(elf.dynamic_symbols):
        if index < gnu.symbol_index or symbol.shndx == 0 or not symbol.name:
            continue
        version = symbol.symbol_version
        auxiliary = version.symbol_version_auxiliary if version is not None and version.value & 0x7FFF > 1 else None
        found.add((str(symbol.name), str(auxiliary.name) if auxiliary is not None else ""))
    return found


def differences(paths: Iterable[str]) -> tuple[list[int], dict[str, list[str]]]:
    """How many exports and uses were compared, by pyelftools and by LIEF, and what differs in which file."""
    counts, found = [0, 0, 0, 0], {}
    for path in paths:
        mine, wrong = own(path), []
        for reader, at in ((by_pyelftools, 0), (by_lief, 2)):
            for number, (ours, theirs) in enumerate(zip(mine, reader(path), strict=True)):
                if theirs is None:
                    continue
                counts[at + number] += len(theirs)
                if ours != theirs:
                    wrong.append(f"{reader.__name__}: {sorted((ours or set()) ^ theirs)[:5]}")
        if wrong:
            found[path] = wrong
    return counts, found


def dynamic_files(top: str, largest: int = 1 << 30) -> Iterator[str]:
    """The ELF files below `top` that have dynamic symbols, each once."""
    seen = set()
    for directory, names, files in os.walk(top):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if not os.path.isfile(path) or os.path.islink(path) or status.st_ino in seen or status.st_size > largest:
                continue
            seen.add(status.st_ino)
            with open(path, "rb") as file:
                head = file.read(18)
            # Programs and libraries alone: object files have other tables.
            if head[:4] == b"\x7fELF" and head[16:18].strip(b"\0") in (b"\2", b"\3") and _has_dynamic_symbols(path):
                yield path


def _has_dynamic_symbols(path: str) -> bool:
    """Whether it has them and their sections; a detached debug file has empty ones."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with open(path, "rb") as file:
        return isinstance(ELFFile(file).get_section_by_name(".dynsym"), SymbolTableSection)


@pytest.mark.slow
def test_this_machine_s_files_are_read_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """Of some two hundred programs and libraries all three readers say the same."""
    paths = [path for top in TOPS if not os.path.islink(top) for path in dynamic_files(top, LARGEST)]
    counts, wrong = differences(paths[:: max(1, len(paths) // SAMPLE)])
    with capsys.disabled():
        print(f"\n{len(paths)} files; exports and uses compared with pyelftools and LIEF: {counts}")
    assert not wrong
    assert min(counts) > 1000


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("arch", ALPINE)
def test_alpine_s_files_are_read_alike(
    data: Path, tmp_path: Path, arch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """So they do of every file of a minirootfs, whatever its machine."""
    with tarfile.open(data / "bases" / f"alpine-minirootfs-3.20.3-{arch}.tar.gz") as tar:
        unpack(tar, tmp_path)
    counts, wrong = differences(dynamic_files(str(tmp_path)))
    with capsys.disabled():
        print(f"\n{arch}: {counts}")
    assert not wrong
    assert counts[1] > 1000
    assert counts[3] > 1000
