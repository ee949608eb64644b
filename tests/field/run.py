"""Trying every program of the table, and writing docs/field.md; see `make field`.

    python tests/field/run.py [--jobs N] [--keep DIR] [--base BASE] [--write] [NAME...]

It must be root, and have debootstrap and apt's network. What is installed and built is kept in
$MINPACK_FIELD, by default ~/.cache/minpack-field.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "src")]

from field.programs import BuildError, program_in  # noqa: E402 - needs the path
from field.report import page  # noqa: E402
from field.root import debian_root  # noqa: E402
from field.table import packages_of, read_table  # noqa: E402
from field.trial import Outcome, Trial, try_program  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from field.table import Row

#: What no program may end as.
FAULTS = (Outcome.SILENT, Outcome.REFUSED_WRONGLY, Outcome.HOST_FAILS, Outcome.NOT_BUILT)


def main() -> int:
    """0 if no program is silently broken or wrongly refused."""
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--keep", type=Path, help="keep the summaries in this directory")
    options.add_argument("--base", help="pack Debian's programs on this base: debian-12 is made of the same packages")
    options.add_argument("--write", action="store_true", help="write docs/field.md")
    options.add_argument("names", nargs="*")
    args = options.parse_args()
    rows = tuple(row for row in read_table() if not args.names or row.name in args.names)
    if args.base:
        rows = tuple(row._replace(base=args.base) for row in rows if row.packages and not (row.build or row.base))
    start = time.monotonic()
    with debian_root(packages_of(rows)) as root:
        trials = _try_all(rows, root, args.jobs, args.keep)
    counts = Counter(trial.outcome for trial in trials)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome), f"in {time.monotonic() - start:.0f} s")
    if args.write and not args.base:
        (HERE.parents[2] / "docs/field.md").write_text(page(trials))
    return int(any(counts[fault] for fault in FAULTS))


def _try_all(rows: Sequence[Row], root: Path, jobs: int, keep: Path | None) -> list[Trial]:
    # Builds have a core each anyway, and apt's and cargo's locks.
    built = [(row, _built(root, row)) for row in rows]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda pair: _try(pair[0], pair[1], root, keep), built))


def _built(root: Path, row: Row) -> Path | Trial:
    try:
        return program_in(root, row)
    except BuildError as error:
        return Trial(row, Outcome.NOT_BUILT, failed=str(error))


def _try(row: Row, built: Path | Trial, root: Path, keep: Path | None) -> Trial:
    work = Path(tempfile.mkdtemp(prefix="minpack-field-"))
    try:
        trial = built if isinstance(built, Trial) else try_program(row, built, root, work)
    finally:
        shutil.rmtree(work)
    print(f"{row.name:<24} {trial.outcome:<16} {' '.join(trial.options)}", flush=True)
    if trial.failed and trial.outcome is not Outcome.REFUSED_RIGHTLY:
        print("\n".join(f"    {line[:200]}" for line in trial.failed.splitlines()[:4]), flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{row.name}.txt").write_text(trial.text)
    return trial


if __name__ == "__main__":
    sys.exit(main())
