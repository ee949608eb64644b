"""Fuzz one target in this process: ``one.py TARGET SECONDS SEED CORPUS FINDINGS``; run.py starts it.

The seconds are of the processor's time, so that a busy machine makes it longer and not less thorough.

With atheris it is guided by coverage; without, the seeds and the corpus are mutated blindly.
The last line printed is the number of runs.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from itertools import count
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
#: What the process may have in all, so that no fault takes the machine with it.
MOST_MEMORY = 4 << 30


def main(name: str, seconds: int, seed: int, corpus: Path, findings: Path) -> None:
    """Fuzz the target `name`."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        _blind(name, seconds, seed, corpus, findings)
        return
    with atheris.instrument_imports(include=["minpack"]):
        from fuzz.targets import FUZZED
    from fuzz.mutate import mutated
    from fuzz.watch import Notebook, attempt

    fuzzed, notebook = FUZZED[name], Notebook(findings, name)
    runs, end = count(1), time.process_time() + seconds

    def run(data: bytes) -> None:
        finding = attempt(fuzzed.run, data)
        if finding is not None:
            notebook.note(finding, data)
        number = next(runs)
        if time.process_time() > end:
            # The fuzzer itself knows of no end but one by the clock.
            print(f"Done {number} runs in {seconds} second(s)", flush=True)
            os._exit(0)

    def change(data: bytes, longest: int, number: int) -> bytes:
        rng = Random(number)  # noqa: S311 - mutations want no secrecy
        return mutated(data, longest, rng) if rng.random() < 0.5 else bytes(atheris.Mutate(data, len(data) or 1))

    options = {
        "seed": seed, "max_len": fuzzed.longest, "timeout": 30, "rss_limit_mb": 0,
        "artifact_prefix": f"{findings}/{name}-", "len_control": 0,
    }  # fmt: skip
    atheris.Setup(
        [name, *(f"-{key}={value}" for key, value in options.items()), str(corpus)], run, custom_mutator=change
    )
    atheris.Fuzz()


def _blind(name: str, seconds: int, seed: int, corpus: Path, findings: Path) -> None:
    from fuzz.mutate import mutated
    from fuzz.targets import FUZZED
    from fuzz.watch import Notebook, attempt

    fuzzed, notebook = FUZZED[name], Notebook(findings, name)
    known = [path.read_bytes() for path in sorted(corpus.iterdir())]
    rng, runs, end = Random(seed), 0, time.process_time() + seconds  # noqa: S311
    while time.process_time() < end:
        data = mutated(rng.choice(known), fuzzed.longest, rng)
        finding = attempt(fuzzed.run, data)
        runs += 1
        if finding is not None:
            notebook.note(finding, data)
    print(f"Done {runs} runs in {seconds} second(s)")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
