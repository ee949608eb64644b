"""Asking the real loaders what they would open, in the words of minpack's closures.

glibc's loader lists and stops when it is told to by LD_TRACE_LOADED_OBJECTS, as ldd(1) does, musl's by ``--list``.
Nothing of this machine's environment reaches them. Traps that are kept out of here: a program is named by its true
path, as glibc before 2.42 takes ``$ORIGIN`` from the path it is given; inside a root of its own the loader there
lists it, as the kernel says nothing of its path without ``/proc``; and glibc's ``--list`` stops at the first library
that is missing.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from minpack.base.directory import DirectoryBase
from minpack.base.walk import Walker
from minpack.content import FileContent
from minpack.elf.read import read_elf
from minpack.errors import ElfError
from minpack.ld.closure import Environment
from minpack.ld.resolve import resolve_closure
from support.elfmaker import GLIBC, MUSL
from support.tools import need_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from minpack.ld.closure import Closure

#: The kernel's own objects, which are not files.
VDSO = ("linux-vdso", "linux-gate")
NOTHING = Environment()
#: What musl says of a name that nothing answers to, by the errno of the last place it looked at.
_NOT_THERE = (
    "No such file or directory",
    "Not a directory",
    "Symbolic link loop",
    "Filename too long",
    "No error information",
)
_LINE = re.compile(r"^\t(?P<name>.*?)(?: => (?P<path>.*?))?(?: \((?:0x)?[0-9a-f]+\)| => not found)$")
_FAILED = re.compile(r"^Error loading shared library (.*?): (.*) \(needed by .*\)$", re.MULTILINE)


class Listing(NamedTuple):
    """What a loader opens, in load order: the name it was asked for and the path it opened; and what it does not find.

    Program and loader are left out. `refusal` is what the loader says when it stops at a file.
    """

    objects: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()
    refusal: str = ""


def refuses(said: Listing, path: str) -> bool:
    """Whether the loader says that it stops at the file at `path`; it names that, or the file's name alone."""
    return any(f" {name}: " in f" {said.refusal} " for name in (path, path.rpartition("/")[2]))


def need_loader(path: str) -> str:
    """The path of this machine's loader; without it the test is skipped."""
    return str(need_file(path))


def ask_glibc(
    program: str | Path,
    *,
    environment: Environment = NOTHING,
    options: Sequence[str] = (),
    root: Path | None = None,
) -> Listing:
    """What glibc's loader opens for `program`.

    :param options: of the loader, as ``--glibc-hwcaps-mask``.
    :param root: a root of its own with the loader in it.
    """
    return _glibc_listing(_run((GLIBC, *options, str(program)), environment, root, traced=True))


def start_glibc(program: str | Path, environment: Environment = NOTHING) -> Listing:
    """As `ask_glibc`, but it is the kernel that starts the program and its loader."""
    return _glibc_listing(_run((str(program),), environment, None, traced=True))


def ask_musl(
    program: str | Path,
    *,
    environment: Environment = NOTHING,
    root: Path | None = None,
    loader: str = MUSL,
    emulator: str = "",
) -> Listing:
    """What musl's loader opens for `program`; the names that are the loader itself are left out.

    :param root: a root of its own with the loader in it.
    :param emulator: in `root`, a program that runs those of the loader's machine.
    """
    emulated = (emulator,) if emulator else ()
    done = _run((*emulated, loader, "--list", str(program)), environment, root)
    objects, _ = _listed(done.stdout)
    failed = _FAILED.findall(done.stderr)
    refused = [f"{name}: {why}" for name, why in failed if why not in _NOT_THERE]
    kept = tuple((name, path) for name, path in objects if path != loader)
    return Listing(kept, tuple(name for name, _ in failed), _refusal(refused, done.returncode))


def _run(
    command: Sequence[str], environment: Environment, root: Path | None, *, traced: bool = False
) -> subprocess.CompletedProcess[str]:
    trace = ("LD_TRACE_LOADED_OBJECTS", "1" if traced else "")
    pairs = (trace, ("LD_LIBRARY_PATH", environment.ld_library_path), ("LD_PRELOAD", environment.preload))

    def enter() -> None:
        # chroot(8) would heed the variables itself.
        if root is not None:
            os.chroot(root)
        os.chdir(environment.working_directory)

    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env={name: value for name, value in pairs if value},
        preexec_fn=enter,
        timeout=60,
    )


def _glibc_listing(done: subprocess.CompletedProcess[str]) -> Listing:
    objects, missing = _listed(done.stdout)
    refused = [line for line in done.stderr.splitlines() if "error while loading" in line]
    return Listing(objects, missing, _refusal(refused, done.returncode))


def _refusal(refused: list[str], status: int) -> str:
    return refused[0] if refused else f"killed by signal {-status}" if status < 0 else ""


def _listed(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    objects: list[tuple[str, str]] = []
    missing: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match["name"].startswith(VDSO) or match["name"] == GLIBC:
            continue
        if line.endswith(" => not found"):
            missing.append(match["name"])
        else:
            objects.append((match["name"], match["path"] or match["name"]))
    return tuple(objects), tuple(missing)


def resolve(program: str | Path, root: str | Path = "/", environment: Environment = NOTHING) -> Closure:
    """The closure of a program in a directory of this machine."""
    return resolve_closure(Walker(DirectoryBase(str(root))), str(program), environment)


def listing(closure: Closure) -> Listing:
    """The closure as a loader lists it."""
    own = (closure.program, closure.interpreter)
    objects = tuple((loaded.name, loaded.path) for loaded in closure.objects if loaded not in own)
    return Listing(objects, tuple(missing.name for missing in closure.missing))


def programs_in(*directories: str, interpreter: str | None = None) -> Iterator[str]:
    """The true path of each dynamic program that the caller may read, once; with `interpreter`, of those alone."""
    for path in sorted({os.path.realpath(entry.path) for directory in directories for entry in os.scandir(directory)}):
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            continue
        try:
            info = read_elf(FileContent(path, os.path.getsize(path)))
        except ElfError:
            continue
        if info.interpreter is not None and interpreter in (None, info.interpreter):
            yield path
