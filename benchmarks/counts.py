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
C_PROGRAM = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n'
#: The size that a static program is filled up to.
STATIC_SIZE = 3_000_000


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
    """The four commands: what every run pays for, packing twice, and a closure with its proof on this host."""
    static = work / "static"
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.elfmaker import static_program  # noqa: PLC0415 - it makes the program that is packed

    # Bytes that compress as code does: neither random nor all alike.
    filler = b"".join((number * number % 65521).to_bytes(4, "little") for number in range(STATIC_SIZE // 4))
    static.write_bytes(static_program(overlay=filler))
    (work / "hello.c").write_text(C_PROGRAM, encoding="utf-8")
    subprocess.run(("gcc", "-o", str(work / "hello"), str(work / "hello.c")), check=True)
    pack = (str(static), "-q", "-o", str(work / "image.tar"))
    return {
        "--version": ("--version",),
        "pack": (*pack, "--no-cache"),
        "pack again": pack,
        "tree --check load": ("tree", str(work / "hello"), "--base", "/", "--check", "load"),
    }


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
