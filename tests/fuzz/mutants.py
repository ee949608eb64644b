"""Mutants of real programs through all that minpack does with one: ``python mutants.py [--count N] PROGRAM...``.

Each is inspected with its callers and in full, its closure is resolved and proved on this host's tree, and it is
stripped. The last line says how many there were, how many were wrong, the slowest one, and the most memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.mutate import mutated
from minpack.base.options import BaseOptions
from minpack.build.inspect import inspect
from minpack.build.tree import resolve_tree
from minpack.content import FileContent
from minpack.elf.read import read_elf
from minpack.elf.strip import stripped, weigh
from minpack.errors import MinpackError
from minpack.net.network import Network
from minpack.progress import no_progress
from minpack.spec.base_ref import HOST_BASE
from minpack.spec.image import Check, ImageSpec

if TYPE_CHECKING:
    from collections.abc import Callable

#: What the process may have in all.
MOST_MEMORY = 2 << 30
TODAY = "2026-01-31"
#: Half of the changes are in the first bytes, where headers are: a program is mostly code.
HEAD = 4096


def mutant(data: bytes, rng: Random) -> bytes:
    """A program with a few changes."""
    head = HEAD if rng.random() < 0.5 else len(data)
    return mutated(data[:head], head, rng).ljust(min(head, len(data)), b"\0")[:head] + data[head:]


def _inspected(path: str) -> None:
    inspect(path, TODAY, why=True, full=True)


def _resolved(path: str) -> None:
    spec = ImageSpec((path,), base=HOST_BASE, check=Check.LOAD)
    resolve_tree(spec, BaseOptions(None, Network(offline=True), TODAY), no_progress)


def _stripped(path: str) -> None:
    content = FileContent(path, os.path.getsize(path))
    info = read_elf(content)
    weigh(content, info)
    without = stripped(content, info)
    with without.open() as reader:
        reader.read_at(0, without.size)


STAGES: tuple[Callable[[str], None], ...] = (_inspected, _resolved, _stripped)


def tried(path: str) -> str:
    """What any stage raised that is not an error of minpack's; empty if nothing."""
    for stage in STAGES:
        try:
            stage(path)
        except MinpackError as error:
            if not error.message:
                return f"{type(error).__name__} without words"
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            return "".join(traceback.format_exception(error))
    return ""


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    known = [Path(program).read_bytes() for program in options.programs]
    wrong, slowest = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="minpack-mutants-") as directory:
        path = Path(directory) / "mutant"
        for number in range(options.count):
            rng = Random(f"{options.seed} {number}")  # noqa: S311 - mutations want no secrecy
            path.write_bytes(mutant(rng.choice(known), rng))
            start = time.process_time()
            found = tried(str(path))
            slowest = max(slowest, time.process_time() - start)
            if found:
                wrong += 1
                print(f"mutant {number} of seed {options.seed}:\n{found}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{options.count} mutants, {wrong} wrong, the slowest {slowest:.1f} s, at most {peak} MiB")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
