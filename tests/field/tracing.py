"""A trial of a trace: traced in a root, packed with the options that it prints, and run from the image alone.

    python tests/field/tracing.py [--jobs N] [--write] [NAME...]

The programs are those of `traces.jsonl`: their defaults are only a hint of what they open. It must be root, and has the
root file system of `run.py`. `minpack run` starts the images, and for `--engine docker` Docker; both without a network.
`--write` writes the table into docs/trace.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "src")]

from field.container import MAX_SECONDS, Answer  # noqa: E402 - needs the path
from field.root import debian_root  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLE = HERE.with_name("traces.jsonl")
PAGE = HERE.parents[2] / "docs/trace.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


class TraceRow(NamedTuple):
    """A program, the packages it takes, what it is called with, and what it answers.

    `options` are given to every pack; `files` are put into the root, by path, and into the image with --add.
    `seconds` is when it is stopped; 0 for one that ends.
    """

    name: str
    program: str
    args: tuple[str, ...]
    expect: str
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    status: int = 0
    files: tuple[tuple[str, str], ...] = ()


class TraceTrial(NamedTuple):
    """What became of it: whether it passes as packed by default, the options found, and whether it passes with them."""

    row: TraceRow
    before: bool
    options: tuple[str, ...] = ()
    passes: bool = False
    same: bool = False
    failed: str = ""


def rows() -> tuple[TraceRow, ...]:
    """The table."""
    return tuple(_row(json.loads(line)) for line in TABLE.read_text().splitlines() if line)


def _row(values: dict[str, Any]) -> TraceRow:
    files = tuple(values.pop("files", {}).items())
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return TraceRow(**{**values, **lists, "files": files})


def try_trace(row: TraceRow, root: Path, work: Path, engine: str = "") -> TraceTrial:
    """The trial of one program in `root`, in the directory `work`; its images are run by `engine`, or minpack."""
    added = tuple(_added(row, work))
    given = ("--base", str(root), *row.options, *added)
    first = _tried(row, root, given, work / "first", engine)
    trial = TraceTrial(row, _is_right(row, first))
    found = [_trace(row, root, given) for _ in range(2)]
    if isinstance(found[0], str):
        return trial._replace(failed=found[0])
    options = tuple(found[0]["options"])
    with_found = _tried(row, root, (*given, *options), work / "second", engine)
    passes = _is_right(row, with_found)
    return trial._replace(
        options=options, passes=passes, same=found[0] == found[1], failed="" if passes else str(with_found)
    )


def _added(row: TraceRow, work: Path) -> Iterator[str]:
    for number, (path, text) in enumerate(row.files):
        source = work / f"added-{number}"
        source.write_text(text)
        yield from ("--add", f"{source}:{path}:0644:65532:65532")


def _trace(row: TraceRow, root: Path, given: Sequence[str]) -> dict[str, Any] | str:
    """The document of a trace, without what differs from run to run; or what went wrong."""
    command = (sys.executable, "-m", "minpack", "trace", "--json", *given, str(root) + row.program, *row.args)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        return done.stderr[-2000:]
    document = json.loads(done.stdout)
    return {key: document[key] for key in ("options",)}


def _tried(row: TraceRow, root: Path, options: Sequence[str], work: Path, engine: str) -> Answer | str:
    """What the program answers in the image that the options make; or what went wrong with that."""
    work.mkdir(parents=True)
    name = f"minpack-trace/{uuid.uuid4().hex}:1"
    where = ("--load", "-t", name) if engine else ("-o", str(work / "layout"), "--format", "oci", "--compress", "none")
    command = (sys.executable, "-m", "minpack", "pack", str(root) + row.program, *options, *where)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        return done.stderr[-2000:]
    if not engine:
        return _answer((sys.executable, "-m", "minpack", "run", f"oci:{work / 'layout'}", *row.args))
    try:
        return _answer((engine, "run", "--rm", "--network", "none", name, *row.args))
    finally:
        subprocess.run((engine, "image", "rm", "--force", name), capture_output=True, check=False, timeout=600)


def _answer(command: Sequence[str]) -> Answer:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=MAX_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return Answer(-1, (error.output or b"").decode("utf-8", "replace"))
    return Answer(done.returncode, done.stdout[: 1 << 20].decode("utf-8", "replace"))


def _is_right(row: TraceRow, answer: Answer | str) -> bool:
    if isinstance(answer, str) or answer.status != row.status:
        return False
    return re.search(row.expect, answer.output, re.MULTILINE) is not None


def main() -> int:
    """0 if every program passes with what was found."""
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--write", action="store_true", help="write the table into docs/trace.md")
    options.add_argument("--engine", default="", choices=("docker", "podman"), help="what runs the images")
    options.add_argument("names", nargs="*")
    args = options.parse_args()
    chosen = [row for row in rows() if not args.names or row.name in args.names]
    packages = sorted({package for row in chosen for package in row.packages})
    with debian_root(packages) as root, ThreadPoolExecutor(args.jobs) as pool:
        trials = list(pool.map(lambda row: _try(row, root, args.engine), chosen))
    if args.write:
        _write(trials)
    print(f"{sum(trial.passes for trial in trials)} of {len(trials)} pass with the options of a trace")
    return int(not all(trial.passes and trial.same for trial in trials))


def _try(row: TraceRow, root: Path, engine: str) -> TraceTrial:
    work = Path(tempfile.mkdtemp(prefix="minpack-trace-"))
    work.chmod(0o755)
    try:
        trial = try_trace(row, root, work, engine)
    finally:
        shutil.rmtree(work)
    outcome = "passes" if trial.passes else "FAILS"
    print(f"{row.name:<16} {outcome}{'' if trial.same else ' DIFFERS'}  {shlex.join(trial.options)}", flush=True)
    if trial.failed:
        print("\n".join(f"    {line[:300]}" for line in trial.failed.splitlines()[:6]), flush=True)
    return trial


def _write(trials: Sequence[TraceTrial]) -> None:
    """Put the trials into the table; the rows of other programs stay."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, tail = rest.partition(END)
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}
    kept |= {trial.row.name: _line(trial) for trial in trials}
    lines = ["| program | packed by default | options that a trace finds | with them |", "|---|---|---|---|"]
    lines += [kept[row.name] for row in rows() if row.name in kept]
    PAGE.write_text("\n".join((head + BEGIN, "", *lines, "", END)) + tail)


def _line(trial: TraceTrial) -> str:
    before, after = ("passes" if one else "fails" for one in (trial.before, trial.passes))
    options = f"`{shlex.join(trial.options)}`" if trial.options else ""
    return f"| {trial.row.name} | {before} | {options} | {after} |"


if __name__ == "__main__":
    sys.exit(main())
