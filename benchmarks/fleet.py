"""Measure and check a fleet: 300 images of one base by one `minpack build`, beside as many single runs.

    .venv/bin/python benchmarks/fleet.py --base BASE [--compiler musl-gcc] [--images 300] [--singles 30] [--save]

The images are 30 programs in 10 ways, into one shared OCI layout, with a warm cache. Programs are C programs of many
sizes, linked to the base's C library. It prints a table of Markdown; --save puts it into docs/benchmarks.md. It fails
if an image is not, byte for byte, the one of its single run: after a build, after one that was killed and is run again,
and where a program is broken, of those that are not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from page import put_section

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
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
#: Seconds after which something that must happen has not.
PATIENCE = 600


class Took(NamedTuple):
    """The time of a run: in all, and of all its processes on CPUs."""

    wall: float
    cpu: float


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
    # What a repository takes to answer is not measured.
    head = f'[defaults]\nbase = "{base}"\nformat = "oci"\noutput = "out"\nno-packages = true\n'
    return head + "".join(tables)


class Fleet:
    """The images in a directory, and what single runs make of them."""

    def __init__(self, place: Path, options: argparse.Namespace) -> None:
        self._place = place
        make_programs(place, options.compiler)
        (place / "minpack.toml").write_text(config(str(Path(options.base).resolve()), options.images))
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        self._commands = self._singles()
        self._step = max(1, len(self._commands) // options.singles)
        self.size = len(self._commands)
        self._expected: dict[str, str] = {}

    def run(self, *arguments: str, code: int = 0) -> tuple[Took, str]:
        """How long a run takes, and what it prints."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "minpack", *arguments]
        done = subprocess.run(command, cwd=self._place, capture_output=True, check=False)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == code, done.stderr.decode()
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Took(wall, cpu), done.stdout.decode()

    def build(self, *arguments: str, code: int = 0) -> tuple[Took, dict[str, int]]:
        """How long a build takes, and how many images came to each state; all that are there are the expected ones."""
        took, out = self.run("build", "--json", *arguments, code=code)
        states: dict[str, int] = {}
        for image in json.loads(out)["images"]:
            states[image["state"]] = states.get(image["state"], 0) + 1
            known = self._expected.get(image["name"], image["digest"])
            assert image["digest"] in (None, known), f"{image['name']} is not the image of a single run"
        return took, states

    def _singles(self) -> dict[str, list[str]]:
        """The command of each single run, into a layout of its own."""
        commands = {}
        for one in json.loads(self.run("show", "--json")[1])["images"]:
            words = one["command"][1:]
            words[words.index("--output") + 1] = "single"
            commands[one["name"]] = [*words, "--force", "-q", "--digest-file", "digest"]
        return commands

    def expect(self) -> None:
        """Learn the digest of each image from its single run."""
        for name, words in self._commands.items():
            self.run(*words)
            self._expected[name] = (self._place / "digest").read_text().strip()

    def single_runs(self) -> Took:
        """How long all single runs take, as far as some of them tell."""
        sample = list(self._commands.values())[:: self._step]
        took = [self.run(*words)[0] for words in sample]
        wall, cpu = (sum(values) / len(sample) * self.size for values in zip(*took, strict=True))
        return Took(wall, cpu)

    def clear(self) -> None:
        """Remove what was built."""
        shutil.rmtree(self._place / "out", ignore_errors=True)

    def break_program(self) -> None:
        """Let a program be none."""
        (self._place / "app0").rename(self._place / "whole")
        (self._place / "app0").write_text("no program\n")

    def mend_program(self) -> None:
        """Put it back."""
        (self._place / "whole").replace(self._place / "app0")

    def kill_build(self) -> int:
        """Kill a build with SIGKILL once half of the images are there; how many were there."""
        started = subprocess.Popen([sys.executable, "-m", "minpack", "build", "-q"], cwd=self._place)
        index, deadline = self._place / "out" / "index.json", time.monotonic() + PATIENCE
        listed = 0
        while listed < self.size // 2 and started.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
            listed = len(json.loads(index.read_bytes())["manifests"]) if index.exists() else 0
        started.send_signal(signal.SIGKILL)
        assert started.wait() == -signal.SIGKILL, "the build came to its end"
        return listed


def told(states: dict[str, int]) -> str:
    """How many images came to what."""
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def seconds(values: list[float]) -> str:
    """The median."""
    return f"{statistics.median(values):.2f}"


def measure(fleet: Fleet, pairs: int) -> list[tuple[str, str, str, str]]:
    """The rows of the table."""
    fleet.build()
    fleet.expect()
    fleet.build()
    builds, singles, again = [], [], []
    for _ in range(pairs):
        fleet.clear()
        took, states = fleet.build()
        assert states == {"built": fleet.size}, states
        builds.append(took)
        singles.append(fleet.single_runs())
        took, states = fleet.build()
        assert states == {"unchanged": fleet.size}, states
        again.append(took)
    ratios = [tuple(b / s for b, s in zip(*pair, strict=True)) for pair in zip(builds, singles, strict=True)]
    rows = [
        (f"{fleet.size} single runs", *map(seconds, map(list, zip(*singles, strict=True))), ""),
        ("one build of them all", *map(seconds, map(list, zip(*builds, strict=True))), "the same digests"),
        ("as a share of the single runs", *map(seconds, map(list, zip(*ratios, strict=True))), ""),
        ("the same build again", *map(seconds, map(list, zip(*again, strict=True))), told(states)),
    ]
    fleet.break_program()
    fleet.clear()
    took, states = fleet.build("--keep-going", code=1)
    assert set(states) == {"built", "failed"}, states
    rows.append(("one program of all is broken, `--keep-going`", f"{took.wall:.2f}", f"{took.cpu:.2f}", told(states)))
    fleet.clear()
    took, states = fleet.build(code=1)
    assert states["failed"] > 0 < states["skipped"], states
    rows.append(("the same without `--keep-going`", f"{took.wall:.2f}", f"{took.cpu:.2f}", told(states)))
    fleet.mend_program()
    fleet.clear()
    listed = fleet.kill_build()
    took, states = fleet.build()
    assert sum(states.values()) == fleet.size, states
    what = f"killed (SIGKILL) with {listed} images built, and run again"
    rows.append((what, f"{took.wall:.2f}", f"{took.cpu:.2f}", f"{told(states)}; the same digests"))
    return rows


def main() -> None:
    """Print the table, or save it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--singles", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = measure(Fleet(Path(directory), options), options.pairs)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = (
        "C programs of many sizes, each in several ways, on one tarball of Alpine, into one OCI layout, with a warm"
        " cache.\nTimes are medians in seconds, in all and on CPUs; of the single runs, some stand for all.\n\n"
        f"| | wall | CPU | images |\n|---|---|---|---|\n{table}\n\n"
        f"Measured on {os.cpu_count()} CPUs with a load average of {os.getloadavg()[2]:.0f}; an idle machine has 0.\n"
    )
    print(text)
    if options.save:
        put_section(PAGE, "Many images at once", text)


if __name__ == "__main__":
    main()
