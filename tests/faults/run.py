"""Let each call of libc fail in turn: ``python tests/faults/run.py [--step N] [SCENARIO ...]``.

With a step of N every N-th case alone is run. The exit code is 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from faults.scenarios import SCENARIOS, furnish  # noqa: E402 - found through the line above
from support.mirror import Mirror  # noqa: E402


def build(directory: Path) -> Path:
    """The library of faults, compiled."""
    target = directory / "fault.so"
    source = HERE.parent / "support" / "fault.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(target), str(source), "-ldl"], check=True)
    return target


def run(names: list[str], step: int, workers: int, directory: Path) -> list[dict[str, Any]]:
    """What the workers print of these scenarios."""
    library = build(directory)
    place = directory / "furnished"
    place.mkdir()
    with Mirror() as mirror, ThreadPoolExecutor(workers) as pool:
        furnish(place, mirror)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "MINPACK_MIRROR": f"{mirror.url}/alpine",
            "MINPACK_MIRROR_DEBIAN": f"{mirror.url}/debian",
        }
        environment.pop("MINPACK_NO_PACKAGES", None)

        def lines(number: int) -> list[dict[str, Any]]:
            cases = (str(number % step), str(step))
            command = [sys.executable, str(HERE / "worker.py"), str(place), names[number], *cases]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            return [json.loads(line) for line in done.stdout.splitlines()]

        return [line for found in pool.map(lines, range(len(names))) for line in found]


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS), metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="minpack-faults-") as directory:
        found = run(options.scenarios, options.step, options.workers, Path(directory))
    wrong = [line for line in found if "wrong" in line]
    calls: Counter[str] = Counter()
    for line in found:
        calls.update(line.get("calls", {}))
    for line in wrong:
        print(f"{line['scenario']}: {line['case']}\n  {line['wrong'][0]}\n  {line['wrong'][-1]}")
    print("calls: " + ", ".join(f"{count} {kind}" for kind, count in calls.most_common()))
    print(f"{sum(line.get('runs', 0) for line in found)} runs, {len(wrong)} of them wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
