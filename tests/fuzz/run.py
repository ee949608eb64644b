"""Fuzz the targets one after another: ``python tests/fuzz/run.py --seconds 60 [--findings DIR] [TARGET ...]``."""

from __future__ import annotations

import argparse
import hashlib
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fuzz.cases import cases_of  # noqa: E402 - found through the line above
from fuzz.seeds import seeds_of  # noqa: E402
from fuzz.targets import FUZZED  # noqa: E402


class Outcome(NamedTuple):
    """What came of fuzzing one target; `findings` are names of files in the directory for them."""

    runs: int
    seconds: float
    findings: tuple[str, ...]
    guided: bool


def fuzz(name: str, seconds: int, findings: Path, corpus: Path, seed: int = 1) -> Outcome:
    """Fuzz one target in a process of its own, which starts from its seeds, its kept cases and the corpus.

    :raises RuntimeError: the process ended otherwise than by its time.
    """
    for data in (*seeds_of(name), *cases_of(name).values()):
        (corpus / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)
    before = processor_seconds()
    known = {path.name for path in findings.iterdir()}
    done = subprocess.run(
        [sys.executable, str(HERE / "one.py"), name, str(seconds), str(seed), str(corpus), str(findings)],
        capture_output=True,
        check=False,
    )
    took = processor_seconds() - before
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    runs = re.findall(r"Done (\d+) runs in", said)
    found = sorted({path.name for path in findings.iterdir()} - known)
    if not runs and not found:
        raise RuntimeError(said[-3000:])
    return Outcome(int(runs[-1]) if runs else 0, took, tuple(found), "INFO: " in said)


def main() -> int:
    """What the command line asks for; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(FUZZED), metavar="TARGET", help=", ".join(FUZZED))
    parser.add_argument("--seconds", type=int, default=60, help="of CPU for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, help="where to keep what is found; by default a new directory")
    parser.add_argument("--corpus", type=Path, help="where to keep inputs between runs; by default nowhere")
    options = parser.parse_args()
    findings = options.findings or Path(tempfile.mkdtemp(prefix="minpack-fuzz-"))
    findings.mkdir(parents=True, exist_ok=True)
    code = 0
    for name in options.targets:
        with tempfile.TemporaryDirectory() as temporary:
            corpus = options.corpus / name if options.corpus else Path(temporary)
            corpus.mkdir(parents=True, exist_ok=True)
            outcome = fuzz(name, options.seconds, findings, corpus, options.seed)
        how = "guided by coverage" if outcome.guided else "blind: atheris is not installed"
        print(f"{name}: {outcome.runs} runs in {outcome.seconds:.0f} s of CPU ({how})", flush=True)
        for found in outcome.findings:
            code = 1
            print(f"  {findings / found}", flush=True)
    print(f"in all {processor_seconds():.0f} s of CPU", flush=True)
    return code


def processor_seconds() -> float:
    """The processor's time that all ended processes of this one have had."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
