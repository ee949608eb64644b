"""Programs without symbol tables and debug sections: as strip(1) makes them, and loaded as before."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent, FileContent, read_all
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.elf.sections import MAX_SECTIONS
from minpack.elf.strip import SHT_STRTAB, SHT_SYMTAB, Weight, stripped, weigh, why_not
from minpack.errors import MinpackError
from support.elfmaker import static_program
from support.gobuild import go_build
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.content import Content

SOURCE = '#include <stdio.h>\nint twice(int n) { return 2 * n; }\nint main(void) { return puts("hello") < 0; }\n'
WAYS = {
    "dynamic": (),
    "fixed address": ("-no-pie",),
    "static": ("-static",),
    "static PIE": ("-static-pie",),
    "relocations kept": ("-Wl,--emit-relocs",),
    "compressed debug sections": ("-gz",),
    "no build ID": ("-Wl,--build-id=none", "-static"),
}


@pytest.fixture
def compiled(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A program with symbols and debug sections, linked in the way that the test names."""
    (tmp_path / "a.c").write_text(SOURCE)
    options = WAYS[getattr(request, "param", "dynamic")]
    command = (need_tool("gcc"), "-g", *options, "-o", str(tmp_path / "app"), str(tmp_path / "a.c"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"gcc cannot link so: {done.stderr.strip()[-200:]}")
    return tmp_path / "app"


def of(path: Path) -> Content:
    """The bytes of a file."""
    return FileContent(str(path), path.stat().st_size)


def without(content: Content) -> bytes:
    """The bytes of the program when it is stripped."""
    return read_all(stripped(content, read_elf(content)), 1 << 30)


def sections(path: Path) -> list[str]:
    """What readelf(1) names in the section headers; it complains of nothing."""
    command = (need_tool("readelf"), "-aW", str(path))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    assert done.stderr == ""
    table = done.stdout.partition("Section Headers:\n")[2].partition("\nKey to Flags")[0].splitlines()[2:]
    return [line[7:].split()[0] for line in table]


@pytest.mark.tool
@pytest.mark.parametrize("compiled", WAYS, indirect=True)
def test_it_is_what_strip_makes(compiled: Path, tmp_path: Path) -> None:
    """The sections are those that strip(1) leaves, in its order; the size is its within the unused names' bytes."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    subprocess.run((need_tool("strip"), "-o", str(theirs), str(compiled)), check=True)
    ours.write_bytes(without(of(compiled)))
    ours.chmod(0o755)
    assert sections(ours) == sections(theirs)
    assert theirs.stat().st_size <= ours.stat().st_size < theirs.stat().st_size + 1000
    outcomes = [subprocess.run([path], capture_output=True, check=False) for path in (compiled, ours)]
    assert outcomes[0].stdout == outcomes[1].stdout == b"hello\n"
    assert outcomes[0].returncode == outcomes[1].returncode == 0


@pytest.mark.tool
@pytest.mark.parametrize("compiled", WAYS, indirect=True)
def test_what_is_loaded_stays(compiled: Path) -> None:
    """Every fact of the file but its size, and every byte that is loaded but the header's, is as before."""
    content = of(compiled)
    info = read_elf(content)
    before, after = compiled.read_bytes(), without(content)
    assert read_elf(BytesContent(after))._replace(size=info.size) == info
    assert before[64 : info.end] == after[64 : info.end]
    assert weigh(content, info) > (0, 0)
    assert weigh(BytesContent(after), info) == Weight(0, 0)
    assert without(BytesContent(after)) == after


@pytest.mark.tool
def test_the_weight_is_what_readelf_says(compiled: Path) -> None:
    """Symbol tables with their names, and debug sections, by their sizes."""
    command = (need_tool("readelf"), "-SW", str(compiled))
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.partition("]")[2].split() for line in table.splitlines() if line.lstrip().startswith("[")]
    sizes = {row[0]: int(row[4], 16) for row in rows if len(row) > 5 and row[0] != "Name" and row[0] != "NULL"}
    symbols = sizes[".symtab"] + sizes[".strtab"]
    debug = sum(size for name, size in sizes.items() if name.startswith(".debug"))
    assert weigh(of(compiled), read_elf(of(compiled))) == (symbols, debug)


@pytest.mark.tool
def test_a_payload_keeps_it_whole(compiled: Path) -> None:
    """A program with data behind its ELF image may look for them at their place: it stays as it is."""
    data = compiled.read_bytes() + b"payload"
    info = read_elf(BytesContent(data))
    assert why_not(BytesContent(data), info) == "7 bytes follow its ELF image, where it may look for them"
    assert without(BytesContent(data)) == data


@pytest.mark.tool
def test_data_between_sections_keep_it_whole(compiled: Path) -> None:
    """So does one with data between what is loaded and the section headers that no header describes."""
    data = bytearray(compiled.read_bytes())
    at = int.from_bytes(data[40:48], "little")
    size = len(data) - at
    data[at:at] = b"payload "
    data[40:48] = (at + 8).to_bytes(8, "little")
    assert len(data) == at + 8 + size
    content = BytesContent(bytes(data))
    assert why_not(content, read_elf(content)).startswith("it has data that no header describes")
    assert without(content) == data


@pytest.mark.tool
def test_a_stripped_program_is_left_alone(compiled: Path) -> None:
    """Where nothing can be left out, the file is the one that was given."""
    subprocess.run((need_tool("strip"), str(compiled)), check=True)
    content = of(compiled)
    assert stripped(content, read_elf(content)) is content
    assert weigh(content, read_elf(content)) == (0, 0)


def test_a_program_without_section_headers_is_left_alone() -> None:
    """`sstrip` takes them all; there is nothing to find the rest by."""
    content = BytesContent(static_program(0))
    info = read_elf(content)
    assert info.kind is ElfKind.STATIC
    assert (stripped(content, info), weigh(content, info), why_not(content, info)) == (content, (0, 0), "")


@pytest.mark.tool
@pytest.mark.parametrize(("offset", "size"), [((1 << 64) - 8, (1 << 64) - 8), (0, 1 << 63), (1 << 20, 8)])
def test_a_segment_that_is_not_there_keeps_it_whole(compiled: Path, offset: int, size: int) -> None:
    """A header that is not for loading may name any bytes; where they are not in the file, nothing in it moves."""
    data = bytearray(compiled.read_bytes())
    at = next(at for at in range(64, 2000, 56) if data[at : at + 4] == (6).to_bytes(4, "little"))
    struct.pack_into("<Q16xQ", data, at + 8, offset, size)
    content = BytesContent(bytes(data))
    info = read_elf(content)
    assert why_not(content, info) == "its program headers name bytes behind its end"
    assert stripped(content, info) is content
    assert weigh(content, info) == weigh(of(compiled), read_elf(of(compiled)))


def test_thousands_of_symbol_tables_are_told_apart_at_once() -> None:
    """The work grows with the number of section headers and not with its square."""
    count = MAX_SECTIONS - 2
    rows = [bytes(64), section_row(SHT_STRTAB, 0)]
    rows += [section_row(SHT_SYMTAB, 2 + count // 2 + n) for n in range(count // 2)]
    rows += [section_row(SHT_STRTAB, 0) for _ in range(count // 2)]
    data = bytearray(static_program(0))
    struct.pack_into("<Q", data, 40, len(data))
    struct.pack_into("<3H", data, 58, 64, len(rows), 1)
    content = BytesContent(bytes(data) + b"".join(rows))
    info = read_elf(content)
    start = time.process_time()
    assert weigh(content, info) == Weight(count, 0)
    # Its square would be minutes.
    assert time.process_time() - start < 10


def section_row(type_: int, link: int) -> bytes:
    """The header of a section of one byte."""
    return struct.pack("<IIQQQQIIQQ", 0, type_, 0, 0, 0, 1, link, 0, 1, 0)


GO = """package main

import "fmt"

func main() {
	defer func() { fmt.Println("hello", recover()) }()
	panic("caught")
}
"""
RUST = 'fn main() { println!("hello {}", std::panic::catch_unwind(|| panic!("caught")).is_err()); }'


@pytest.mark.tool
@pytest.mark.parametrize("goarch", ["", "arm64", "mips"])
def test_go_programs_are_stripped(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, goarch: str) -> None:
    """What Go's linker makes loses its tables, for 32 bits and big endian too; here it runs and unwinds as before."""
    path = go_build(GO, tmp_path, tmp_path_factory, goarch=goarch)
    before = of(path)
    after = without(before)
    weight = weigh(before, read_elf(before))
    assert min(weight) > 50_000
    assert abs(before.size - sum(weight) - len(after)) <= 1 << 16
    if not goarch:
        assert ran(tmp_path, after) == b"hello caught\n"


@pytest.mark.tool
@pytest.mark.parametrize("options", [(), ("-Ctarget-feature=+crt-static",)], ids=["dynamic", "static PIE"])
def test_rust_programs_are_stripped(tmp_path: Path, options: tuple[str, ...]) -> None:
    """What rustc makes, nine tenths of it debug sections, runs and unwinds as before."""
    (tmp_path / "a.rs").write_text(RUST)
    command = (need_tool("rustc"), "-g", *options, "-o", str(tmp_path / "app"), str(tmp_path / "a.rs"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"rustc cannot link so: {done.stderr.strip()[-200:]}")
    before = of(tmp_path / "app")
    after = without(before)
    assert len(after) < before.size / 3
    assert ran(tmp_path, after) == b"hello true\n"


def ran(place: Path, program: bytes) -> bytes:
    """What the program prints."""
    (place / "stripped").write_bytes(program)
    (place / "stripped").chmod(0o755)
    return subprocess.run([place / "stripped"], capture_output=True, check=True).stdout


@pytest.mark.tool
def test_damage_is_never_worse_than_an_error(compiled: Path) -> None:
    """Whatever the section headers say, the answer is a program that loads the same, or an error of minpack's."""
    data = compiled.read_bytes()
    chance = random.Random(5)  # noqa: S311
    at = int.from_bytes(data[40:48], "little")
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            where = chance.randrange(at, len(data)) if chance.random() < 0.8 else chance.randrange(40, 64)
            damaged[where] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        content = BytesContent(bytes(damaged))
        try:
            info = read_elf(content)
            after = stripped(content, info)
            assert read_elf(after)._replace(size=info.size) == info
            assert len(read_all(after, 1 << 26)) == after.size <= content.size
            weigh(content, info)
            why_not(content, info)
        except MinpackError:
            continue
