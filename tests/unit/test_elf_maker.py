"""The made ELF files are what the real kernel, loaders and emulators take them for."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.elfmaker import GLIBC, MACHINES, MUSL, library, program, static_program, upx_program
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: qemu's name of each machine that programs are made for.
QEMU = {name: name for name, machine in MACHINES.items() if machine.exit_words} | {
    "x86": "i386",
    "armhf": "arm",
    "armel": "arm",
}
LOADERS = (GLIBC, MUSL)


def write(path: Path, data: bytes) -> str:
    """Write a program; its path."""
    path.write_bytes(data)
    path.chmod(0o755)
    return str(path)


def loader(path: str) -> str:
    """The path of a real loader of this machine, or skip."""
    if os.uname().machine != "x86_64":
        pytest.skip("not an x86-64 machine")
    return need_tool(path)


@pytest.mark.tool
@pytest.mark.parametrize("pie", [False, True], ids=["fixed", "pie"])
@pytest.mark.parametrize("machine", QEMU)
def test_static_programs_run_on_every_machine(machine: str, *, pie: bool, tmp_path: Path) -> None:
    """A static program ends with its exit code under qemu."""
    qemu = need_tool(f"qemu-{QEMU[machine]}-static")
    path = write(tmp_path / "app", static_program(42, machine, pie=pie, overlay=b"more"))
    assert subprocess.run([qemu, path], check=False, timeout=60).returncode == 42


@pytest.mark.tool
def test_marked_programs_run() -> None:
    """UPX's mark between the headers and the code leaves the program a program."""
    qemu = need_tool("qemu-x86_64-static")
    descriptor = os.memfd_create("app")
    with os.fdopen(descriptor, "wb") as file:
        file.write(upx_program())
        file.flush()
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        assert subprocess.run([qemu, path], check=False, timeout=60).returncode == 0


@pytest.mark.tool
@pytest.mark.parametrize("pie", [False, True], ids=["fixed", "pie"])
@pytest.mark.parametrize("interpreter", LOADERS)
def test_dynamic_programs_run_with_the_real_loaders(interpreter: str, *, pie: bool, tmp_path: Path) -> None:
    """A dynamic program finds its library's library through an rpath, and ends with its exit code."""
    loader(interpreter)
    write(tmp_path / "libzzfirst.so.1", library("libzzfirst.so.1", ("libzzsecond.so",)))
    write(tmp_path / "libzzsecond.so", library("libzzsecond.so"))
    made = program(("libzzfirst.so.1",), interpreter=interpreter, rpath="$ORIGIN", exit_code=9, pie=pie)
    path = write(tmp_path / "app", made)
    assert subprocess.run([path], check=False, timeout=60).returncode == 9


@pytest.mark.tool
@pytest.mark.parametrize("interpreter", LOADERS)
def test_real_loaders_list_the_libraries(interpreter: str, tmp_path: Path) -> None:
    """Both loaders list what the program and its library need, found through a runpath, and miss what is missing."""
    real = loader(interpreter)
    write(tmp_path / "libzzfirst.so.1", library("libzzfirst.so.1", ("libzznone.so",)))
    path = write(tmp_path / "app", program(("libzzfirst.so.1",), interpreter=interpreter, runpath="$ORIGIN"))
    listing = [real, "--list", path]
    first = subprocess.run(listing, check=False, timeout=60, capture_output=True, text=True)
    assert first.returncode == 127
    assert "libzznone.so" in first.stderr
    write(tmp_path / "libzzfirst.so.1", library("libzzfirst.so.1"))
    second = subprocess.run(listing, check=False, timeout=60, capture_output=True, text=True)
    assert (second.returncode, second.stderr) == (0, "")
    assert f"libzzfirst.so.1 => {tmp_path}/libzzfirst.so.1" in second.stdout


@pytest.mark.tool
def test_readelf_finds_no_fault(tmp_path: Path) -> None:
    """GNU readelf reads headers and dynamic sections of every machine without a warning."""
    readelf = need_tool("readelf")
    for name in MACHINES:
        path = write(tmp_path / name, library("libzz.so", ("libzzother.so",), machine=name))
        done = subprocess.run(
            [readelf, "--wide", "--file-header", "--segments", "--dynamic", path],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={"LC_ALL": "C", "PATH": os.defpath},
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        assert "Library soname: [libzz.so]" in done.stdout
        assert "Shared library: [libzzother.so]" in done.stdout


def test_same_facts_give_same_bytes() -> None:
    """Making a file twice gives the same bytes."""
    assert program(("liba.so",), runpath="/lib") == program(("liba.so",), runpath="/lib")


def test_native_programs_run(tmp_path: Path) -> None:
    """On a machine of the program's own, the kernel runs it."""
    name = {"x86_64": "x86_64", "aarch64": "aarch64"}.get(os.uname().machine)
    if name is None:
        pytest.skip("no program is made for this machine")
    path = write(tmp_path / "app", static_program(3, name))
    assert subprocess.run([path], check=False, timeout=60).returncode == 3
