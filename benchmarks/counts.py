"""Count the instructions of four runs of minpack, and refuse what grew.

    python benchmarks/counts.py [--raise]

Time on a shared machine says little; the instructions that valgrind's callgrind counts are the same within a tenth of
a per cent. A case that needs over 5 % more than `counts.json` says fails, until its number there is raised in the same
change: --raise writes what was counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE = HERE / "counts.json"
#: How much a case may grow, in per cent.
TOLERANCE = 5
#: The size that a static program is filled up to.
STATIC_SIZE = 3_000_000
#: The libraries of a dynamic program, the functions that each defines, and those that it calls of each neighbour.
LIBRARIES, FUNCTIONS, CALLS = 32, 120, 20
#: How many functions its C library has: about half of glibc's.
LIBC_FUNCTIONS = 1500
LIBRARY_DIRECTORY = "/usr/lib64"
#: The relocation of a call on x86-64 (R_X86_64_JUMP_SLOT).
JUMP = 7


def main() -> int:
    """Count, compare, and write when asked to."""
    parser = argparse.ArgumentParser(description="Count the instructions of four runs, and refuse what grew.")
    parser.add_argument("--raise", action="store_true", dest="write", help="write the numbers counted to counts.json")
    write = parser.parse_args().write
    if shutil.which("valgrind") is None:
        print("counts: valgrind is not installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="minpack-counts-") as work:
        counted = {name: count(Path(work), arguments) for name, arguments in cases(Path(work)).items()}
    python = ".".join(platform.python_version_tuple()[:2])
    key = f"{platform.machine()}, Python {python}, {' '.join(platform.libc_ver())}"
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    if write:
        FILE.write_text(json.dumps({**known, key: counted}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if key not in known and not write:
        print(f"counts: counts.json has no numbers for {key}; --raise writes them", file=sys.stderr)
        return 1
    grown = compare(known.get(key, counted), counted)
    return 0 if write else grown


def compare(before: dict[str, int], now: dict[str, int]) -> int:
    """Print every case; 1 if one grew too much."""
    grown = False
    for name, value in now.items():
        was = before.get(name, value)
        too_much = value * 100 > was * (100 + TOLERANCE)
        grown |= too_much
        print(f"{name:28} {value:>15,} {value / was - 1:+8.1%}{'  too much' if too_much else ''}")
    if grown:
        print("counts: make it cheaper, or raise the number in the same change: --raise", file=sys.stderr)
    return int(grown)


def cases(work: Path) -> dict[str, tuple[str, ...]]:
    """The four commands: what every run pays for, packing twice, and a closure with its proof.

    All that they read is made here: the files of a machine differ from the next one's.
    """
    static = work / "static"
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.elfmaker import static_program  # noqa: PLC0415 - it makes the program that is packed

    # Bytes that compress as code does: neither random nor all alike.
    filler = b"".join((number * number % 65521).to_bytes(4, "little") for number in range(STATIC_SIZE // 4))
    static.write_bytes(static_program(overlay=filler))
    make_closure(work)
    pack = (str(static), "-q", "-o", str(work / "image.tar"))
    return {
        "--version": ("--version",),
        "pack": (*pack, "--no-cache"),
        "pack again": pack,
        "tree --check load": ("tree", str(work / "dynamic"), "--base", str(work / "root"), "--check", "load"),
    }


def make_closure(work: Path) -> None:
    """A dynamic program, and a root with its libraries: each calls functions of the two behind it and of libc."""
    from support.badfiles import GLIBC_LOADER  # noqa: PLC0415 - see `cases`
    from support.elfmaker import GLIBC  # noqa: PLC0415
    from support.symbolmaker import Symbol, linked_elf  # noqa: PLC0415

    root = work / "root"
    for directory in (LIBRARY_DIRECTORY, os.path.dirname(GLIBC)):
        Path(f"{root}{directory}").mkdir(parents=True)
    Path(f"{root}{GLIBC}").write_bytes(GLIBC_LOADER)
    libc = [f"libc_function_{number}" for number in range(LIBC_FUNCTIONS)]
    names = [f"libmade{number}.so.1" for number in range(LIBRARIES)]
    functions = [[f"{name[:-5]}_function_{number}" for number in range(FUNCTIONS)] for name in names]
    made = linked_elf([Symbol(name) for name in libc], soname="libc.so.6").data
    Path(f"{root}{LIBRARY_DIRECTORY}/libc.so.6").write_bytes(made)
    for number in range(-1, LIBRARIES):
        behind = slice(number + 1, number + 3)
        calls = [name for those in functions[behind] for name in those[:CALLS]] + libc[number + 1 :: LIBRARIES // 2]
        own = number >= 0
        made = linked_elf(
            [Symbol(name, 0, value=0) for name in calls] + [Symbol(name) for name in functions[number] if own],
            jumps=[(name, JUMP) for name in calls],
            needed=(*names[behind], "libc.so.6"),
            soname=names[number] if own else None,
            interpreter=None if own else GLIBC,
        ).data
        (Path(f"{root}{LIBRARY_DIRECTORY}/{names[number]}") if own else work / "dynamic").write_bytes(made)


def count(work: Path, arguments: tuple[str, ...]) -> int:
    """The instructions of one run, threads and all, after one that writes bytecode and fills the store."""
    command = (sys.executable, "-m", "minpack", *arguments)
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    environment = {**kept, "PYTHONHASHSEED": "0", "XDG_CACHE_HOME": str(work / "cache")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    out = work / "callgrind.out"
    tool = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet")
    done = subprocess.run((*tool, *command), env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"counts: {' '.join(arguments)} failed under valgrind: {done.stderr.strip()}")
    lines = out.read_text(encoding="utf-8", errors="replace").splitlines()
    summary = next(line for line in lines if line.startswith(("summary:", "totals:")))
    return int(summary.split()[1])


if __name__ == "__main__":
    sys.exit(main())
