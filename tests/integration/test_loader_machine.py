"""Real programs: minpack and the loaders open the same libraries in the same order, and miss the same.

Of this machine every program in the directories of programs is taken that glibc's loader for x86-64 starts, of
Alpine's minirootfs tarballs every program, with those of foreign architectures run by QEMU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from minpack.base.directory import DirectoryBase
from minpack.base.tarball import open_tarball
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.errors import ElfError, UnloadableLibraryError
from minpack.ld.constants import glibc_constants
from minpack.ld.resolve import resolve_closure
from minpack.rootfs.entry import Kind
from support.elfmaker import GLIBC, program
from support.oracle import Listing, ask_glibc, ask_musl, listing, need_loader, programs_in, refuses
from support.tools import need_tool
from support.trees import entries_in

DIRECTORIES = ("/usr/bin", "/usr/sbin")
#: Alpine's minirootfs tarballs, by architecture with the program of QEMU that runs it.
ALPINES = {
    "20240923-x86_64": "",
    "3.20.3-x86_64": "",
    "3.20.3-x86": "",
    "3.20.3-aarch64": "qemu-aarch64-static",
    "3.20.3-armv7": "qemu-arm-static",
    "3.20.3-riscv64": "qemu-riscv64-static",
    "3.20.3-s390x": "qemu-s390x-static",
}
#: Of this machine's libraries so many, evenly taken.
LIBRARIES = 120
#: On the least of CPUs the loader finds what minpack does.
BASELINE = ("--glibc-hwcaps-mask", "none")


@pytest.mark.tool
def test_programs_of_this_machine() -> None:
    """Every program has the closure its loader would give it."""
    need_loader(GLIBC)
    if os.path.exists("/etc/ld.so.preload"):
        pytest.skip("this machine preloads libraries into every program")
    walker = Walker(DirectoryBase("/"))
    programs = objects = missing = 0
    for path in programs_in(*DIRECTORIES, interpreter=GLIBC):
        ours, theirs = listing(resolve_closure(walker, path)), ask_glibc(path, options=BASELINE)
        assert ours == theirs, f"{path}:\nminpack: {ours}\nloader:  {theirs}"
        programs, objects, missing = programs + 1, objects + len(ours.objects), missing + len(ours.missing)
    print(f"{programs} programs with {objects} libraries, {missing} missing")
    assert objects > programs > 20


@pytest.mark.tool
def test_libraries_of_this_machine(tmp_path: Path) -> None:
    """A program that needs a library by its path has the closure its loader would give it, and is refused the same."""
    need_loader(GLIBC)
    directories = glibc_constants(Path(GLIBC).read_bytes(), read_elf(BytesContent(program())).target).directories
    paths = sorted({os.path.realpath(e.path) for d in directories if os.path.isdir(d) for e in os.scandir(d)})
    libraries = [path for path in paths if ".so" in path and os.path.isfile(path) and os.path.realpath(GLIBC) != path]
    walker = Walker(DirectoryBase("/"))
    for number, path in enumerate(libraries[:: max(1, len(libraries) // LIBRARIES)]):
        app = tmp_path / str(number)
        app.write_bytes(program((path,)))
        app.chmod(0o755)
        theirs = ask_glibc(app, options=BASELINE)
        try:
            ours = listing(resolve_closure(walker, str(app)))
        except UnloadableLibraryError as error:
            ours = theirs if refuses(theirs, error.path) else Listing((), (), error.message)
        assert ours == theirs, f"{path}:\nminpack: {ours}\nloader:  {theirs}"
    assert libraries


@pytest.mark.data
@pytest.mark.root
@pytest.mark.tool
@pytest.mark.parametrize("release", ALPINES)
def test_programs_of_alpine(data: Path, tmp_path: Path, root: None, release: str) -> None:
    """Every program of a minirootfs has the closure that its own loader gives it, and there are some."""
    tarball = data / "bases" / f"alpine-minirootfs-{release}.tar.gz"
    subprocess.run([need_tool("tar"), "-xzf", str(tarball), "-C", str(tmp_path)], check=True)
    emulator = ALPINES[release]
    if emulator:
        shutil.copy(need_tool(emulator), tmp_path / "emulator")
    programs = objects = 0
    with open_tarball(str(tarball), tarball.name) as base:
        walker = Walker(base)
        for entry in entries_in(base):
            if entry.kind is not Kind.FILE or entry.content is None or not entry.mode & 0o111:
                continue
            try:
                info = read_elf(entry.content, entry.path)
            except ElfError:
                continue
            if info.interpreter is None:
                continue
            ours = listing(resolve_closure(walker, entry.path))
            theirs = ask_musl(
                entry.path, root=tmp_path, loader=info.interpreter, emulator="/emulator" if emulator else ""
            )
            assert ours == theirs, f"{entry.path}:\nminpack: {ours}\nloader:  {theirs}"
            programs, objects = programs + 1, objects + len(ours.objects)
    print(f"{release}: {programs} programs with {objects} libraries")
    assert programs >= 5
    assert objects >= 5
