"""Time a fleet: 300 images of one base by one `minpack build`, beside as many single runs, with a warm cache.

    .venv/bin/python benchmarks/fleet.py --base BASE [--images 300] [--singles 30]

The images are 30 programs in 10 ways, into one shared OCI layout. Programs are C programs of many sizes, linked to the
base's C library. Single runs are sampled: their mean stands for all. Each part is run before it is timed, so that the
cache is warm; one run of the fleet and one of the singles follow each other, and the ratio of each pair is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = 30
SPECS = (
    "",
    "env = { A = 1 }",
    "user = 1000",
    "expose = 8080",
    'label = { a = "b" }',
    'workdir = "/srv"',
    'cmd = ["x"]',
    'volume = "/data"',
    'dir = "/data:0750"',
    'need = "tz"',
)


def make_programs(place: Path, compiler: str) -> None:
    """Thirty programs, each unlike the others and of another size, as programs are: code, tables, texts."""
    source = place / "main.c"
    for number in range(PROGRAMS):
        rows = 2000 * (number + 1)
        table = ",".join(str((number + 3) * n * n % 65521) for n in range(rows))
        source.write_text(f'#include <stdio.h>\nstatic const unsigned t[] = {{{table}}};\nint main(int c, char **v)\n'
                          f'{{ (void)v; return printf("{number} %u\\n", t[c]) < 0; }}\n')  # fmt: skip
        subprocess.run([compiler, "-O1", "-o", str(place / f"app{number}"), str(source)], check=True)


def config(base: str, images: int) -> str:
    """The file of images."""
    tables = (
        f'[image.app{number % PROGRAMS}-{number // PROGRAMS}]\nprograms = "app{number % PROGRAMS}"\n'
        f"{SPECS[number // PROGRAMS % len(SPECS)]}\n"
        for number in range(images)
    )
    return f'[defaults]\nbase = "{base}"\nformat = "oci"\noutput = "out"\n' + "".join(tables)


def timed(place: Path, *arguments: str) -> float:
    """The seconds that a run takes."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "minpack", *arguments], cwd=place, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return time.perf_counter() - began


def singles(place: Path) -> list[list[str]]:
    """The command of each single run, into a layout of its own."""
    show = [sys.executable, "-m", "minpack", "show", "--json"]
    shown = subprocess.run(show, cwd=place, capture_output=True, check=True)
    commands = [one["command"][1:] for one in json.loads(shown.stdout)["images"]]
    for words in commands:
        words[words.index("--output") + 1] = "single"
        words += ["--force", "-q"]
    return commands


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--singles", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        make_programs(place, options.compiler)
        (place / "minpack.toml").write_text(config(options.base, options.images))
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        print(f"cold: {timed(place, 'build', '-q'):.2f} s")
        commands = singles(place)
        step = max(1, len(commands) // options.singles)
        sample = commands[::step][: options.singles]
        for words in sample:
            timed(place, *words)
        for _ in range(options.pairs):
            shutil.rmtree(place / "out")
            fleet = timed(place, "build", "-q")
            alone = sum(timed(place, *words) for words in sample) / len(sample) * options.images
            again = timed(place, "build", "-q")
            ratio = f"{options.images} single runs {alone:.2f} s: {fleet / alone:.3f}"
            print(f"fleet {fleet:.2f} s, {ratio}; again {again:.2f} s")


if __name__ == "__main__":
    main()
