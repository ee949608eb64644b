"""The reader agrees with pyelftools and with LIEF, on every ELF file of this machine and of Alpine's tarballs.

Run with ``-s`` to see the counts.
"""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.content import FileContent
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import MalformedElfError, NotProgramError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOPS = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local")
#: LIEF reads files whole, so large ones are compared with pyelftools alone.
LIEF_LIMIT = 32 << 20

#: What pyelftools calls a tag's string.
_TAGS = {"DT_NEEDED": "needed", "DT_SONAME": "soname", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}


class Facts(NamedTuple):
    """What all three readers can say of a file."""

    bits: int
    big_endian: bool
    machine: int
    type: int
    entry: int
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    flags: int = 0
    flags_1: int = 0

    @property
    def header(self) -> Facts:
        """What the ELF header alone says."""
        return Facts(*self[:5])


def own(path: str) -> tuple[ElfKind, Facts]:
    """What minpack's reader says."""
    info = read_elf(FileContent(path, os.stat(path).st_size))
    target = info.target
    return info.kind, Facts(target.bits, target.big_endian, target.machine, info.type, info.entry, *info[6:13])


def by_pyelftools(path: str) -> Facts:
    """What pyelftools says, by program headers alone."""
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.enums import ENUM_E_MACHINE, ENUM_E_TYPE
    from elftools.elf.segments import InterpSegment

    with open(path, "rb") as file:
        elf = ELFFile(file)
        found: dict[str, object] = {}
        needed: list[str] = []
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment) and segment["p_filesz"]:
                found.setdefault("interpreter", segment.get_interp_name())
            if not isinstance(segment, DynamicSegment) or not segment["p_filesz"]:
                continue
            for tag in segment.iter_tags():
                name = tag.entry.d_tag
                if name == "DT_NEEDED":
                    needed.append(getattr(tag, _TAGS[name]))
                elif name in _TAGS:
                    found[_TAGS[name]] = getattr(tag, _TAGS[name])
                elif name in ("DT_FLAGS", "DT_FLAGS_1"):
                    found[name[3:].lower()] = tag.entry.d_val
        return Facts(
            elf.elfclass,
            not elf.little_endian,
            _number(elf["e_machine"], ENUM_E_MACHINE),
            _number(elf["e_type"], ENUM_E_TYPE),
            elf["e_entry"],
            needed=tuple(needed),
            **found,  # type: ignore[arg-type]
        )


def _number(value: int | str, names: Mapping[str, int]) -> int:
    return value if isinstance(value, int) else names[value]


def by_lief(path: str) -> Facts:
    """What LIEF says, without symbols, relocations and notes."""
    import lief

    lief.logging.disable()
    config = lief.ELF.ParserConfig()
    for name in ("relocations", "dyn_symbols", "symtab_symbols", "symbol_versions", "notes", "overlay"):
        setattr(config, f"parse_{name}", False)
    elf = lief.ELF.parse(path, config)
    assert elf is not None, path
    header, tags = elf.header, lief.ELF.DynamicEntry.TAG
    found: dict[str, object] = {}
    needed: list[str] = []
    for entry in elf.dynamic_entries:
        if isinstance(entry, lief.ELF.DynamicEntryLibrary):
            needed.append(str(entry.name))
        elif isinstance(entry, lief.ELF.DynamicSharedObject):
            found["soname"] = entry.name
        elif isinstance(entry, lief.ELF.DynamicEntryRpath):
            found["rpath"] = entry.rpath
        elif isinstance(entry, lief.ELF.DynamicEntryRunPath):
            found["runpath"] = entry.runpath
        elif entry.tag in (tags.FLAGS, tags.FLAGS_1):
            found["flags" if entry.tag == tags.FLAGS else "flags_1"] = entry.value
    if elf.has_interpreter:
        found["interpreter"] = elf.interpreter
    return Facts(
        {1: 32, 2: 64}[header.identity_class.value],
        header.identity_data.value == 2,
        header.machine_type.value,
        header.file_type.value,
        header.entrypoint,
        needed=tuple(needed),
        **found,  # type: ignore[arg-type]
    )


def elf_files(tops: tuple[str, ...]) -> list[str]:
    """Every ELF file below `tops`, each once, in order."""
    found: dict[tuple[int, int], str] = {}
    for top in tops:
        if os.path.islink(top):
            continue
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                if _is_elf(path):
                    status = os.stat(path)
                    found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(found.values())


def _is_elf(path: str) -> bool:
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def differences(paths: list[str]) -> Iterator[str]:
    """One line for each file and reader that says something else than the own one; prints how many agreed."""
    counts: Counter[str] = Counter()
    for path in paths:
        try:
            kind, facts = own(path)
        except (MalformedElfError, NotProgramError) as error:
            counts[type(error).__name__] += 1
            yield f"{path}: {error}"
            continue
        counts[kind] += 1
        # Of these the own reader takes the header alone: what else they say is no truth.
        bare = kind in (ElfKind.RELOCATABLE, ElfKind.CORE, ElfKind.DEBUG, ElfKind.UPX)
        readers = {"pyelftools": by_pyelftools}
        if os.stat(path).st_size <= LIEF_LIMIT:
            readers["LIEF"] = by_lief
        for name, reader in readers.items():
            other = reader(path)
            if (other.header if bare else other) == facts:
                counts[name] += 1
            else:
                yield f"{path}: {name} says {other}, minpack {facts}"
    print(f"\n{len(paths)} files: {dict(counts)}")


@pytest.mark.slow
def test_readers_agree_on_this_machine() -> None:
    """All readers say the same of programs and libraries of this machine, but for files known to be no such thing."""
    paths = elf_files(TOPS)
    if not paths:
        pytest.skip("this machine has no ELF files")
    # Programs for FreeBSD: a test file of Go's own reader, and those by which arch-test(1) asks what a kernel runs.
    known = ("/debug/elf/testdata/gcc-386-freebsd-exec: cannot pack ", "/arch-test/kfreebsd-")
    assert [line for line in differences(paths) if not any(text in line for text in known)] == []


@pytest.mark.data
def test_readers_agree_on_alpine(data: Path, tmp_path: Path) -> None:
    """All readers say the same of every ELF file of Alpine's tarballs, six architectures of both byte orders."""
    tarballs = sorted((data / "bases").glob("alpine-minirootfs-*.tar.gz"))
    assert len(tarballs) >= 6
    paths = []
    for tarball in tarballs:
        with tarfile.open(tarball) as archive:
            for number, member in enumerate(archive):
                file = archive.extractfile(member) if member.isreg() else None
                content = file.read() if file is not None else b""
                if content.startswith(b"\x7fELF"):
                    path = tmp_path / f"{tarball.name}-{number}-{Path(member.name).name}"
                    path.write_bytes(content)
                    paths.append(str(path))
    assert len(paths) > 100
    assert list(differences(paths)) == []
    assert {own(path)[1].machine for path in paths} >= {3, 22, 40, 62, 183, 243}
