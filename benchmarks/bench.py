"""Measure minpack beside the usual ways to do the same, in one run; README.md says what is measured and how to read it.

    python benchmarks/bench.py [--runs 15] [--save]

The table goes to stdout, and with --save into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
DOCKERFILE = 'FROM scratch\nCOPY large /usr/local/bin/large\nUSER 65532:65532\nENTRYPOINT ["/usr/local/bin/large"]\n'


TEXT = """# Benchmarks

Written by `make bench`; how it measures is in [benchmarks/README.md](../benchmarks/README.md).

The program: {size:,} bytes of Go, built without cgo; it has no interpreter.
{runs} rounds; each value is the median, with the first and third quartile in brackets.
A ratio is minpack's time divided by the other's in the same round: below 1, minpack is faster.

| | ratio | minpack, ms | the other, ms | minpack, peak MB | the other, peak MB |
|---|---|---|---|---|---|
{rows}

{notes}
- Peak memory is that of the largest single process. For Docker it is the client's: the engine's is not counted.
"""


class StopError(Exception):
    """The benchmark cannot be run; the text says why and what to do."""


class Case(NamedTuple):
    """One command that is measured.

    `product` is what it writes, removed after every run, and `image_id` the file with the ID of an image it leaves in
    the engine, removed likewise. `source` is given a new time, so that it is sent to the engine again.
    """

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    product: Path | None = None
    image_id: Path | None = None
    source: Path | None = None


class Sample(NamedTuple):
    """One run: wall time in seconds and peak memory in bytes."""

    seconds: float
    peak: int


class Comparison(NamedTuple):
    """Two cases, by name, whose times are divided: the first by the second."""

    title: str
    subject: str
    against: str


class Setting(NamedTuple):
    """Where a benchmark runs and with what."""

    minpack: str
    work: Path
    program: Path
    tree: Path


PACK, VERSION, PYTHON, TAR = "minpack", "minpack --version", "python3 -I -c pass", "tar | gzip -6"
CLASSIC, BUILDKIT = "docker build (classic)", "docker build (BuildKit)"
TREE, PROOF, LDD = "minpack tree ffmpeg", "minpack tree ffmpeg --check load", "ldd ffmpeg"
COMPARISONS = (
    Comparison("pack, against docker build (classic builder)", PACK, CLASSIC),
    Comparison("pack, against docker build (BuildKit)", PACK, BUILDKIT),
    Comparison("pack, against tar and gzip -6 of the same tree", PACK, TAR),
    Comparison("minpack --version, against the bare interpreter", VERSION, PYTHON),
    Comparison("tree of ffmpeg, against ldd", TREE, LDD),
    Comparison("tree of ffmpeg with the load proof, against ldd", PROOF, LDD),
)


def main() -> int:
    """Measure, print, and save when asked to."""
    parser = argparse.ArgumentParser(description="Measure minpack beside docker build, tar and gzip.")
    parser.add_argument("--runs", type=int, default=15, help="measured rounds (15); each runs every command once")
    parser.add_argument("--save", action="store_true", help="also write docs/benchmarks.md")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="minpack-bench-") as work:
            page = measure(Path(work), max(options.runs, 1))
    except StopError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(page, end="")
    if options.save:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        say(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def measure(work: Path, runs: int) -> str:
    """The page with the results of `runs` rounds."""
    minpack = find_minpack()
    program = build_program()
    assert_static(program)
    setting = Setting(minpack, work, program, unpacked(minpack, program, work))
    cases, notes, sizes = warm_up(all_cases(setting), work)
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(runs):
        say(f"round {number + 1} of {runs}")
        # Each round starts with another command, so that none always follows the same one.
        first = number % len(cases)
        for case in cases[first:] + cases[:first]:
            samples[case.name].append(run(case, work))
    floor = run(Case("true", (found("true"),)), work).peak
    return page(setting, samples, runs, floor, (*sizes, *notes))


# --- what is measured


def find_minpack() -> str:
    """The `minpack` beside this interpreter."""
    path = Path(sys.executable).parent / "minpack"
    if not path.exists():
        raise StopError(f"there is no {path.name} beside {sys.executable}; install it there: pip install -e .")
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StopError(f"minpack does not start: {reason}; install it again: pip install -e .")
    # As after an installation: where Python may not write bytecode, each start would compile all of minpack.
    package = subprocess.run(
        [sys.executable, "-c", "import minpack; print(minpack.__path__[0])"], capture_output=True, text=True, check=True
    )
    subprocess.run([sys.executable, "-m", "compileall", "-q", package.stdout.strip()], check=False)
    return str(path)


def build_program() -> Path:
    """The Go program that is packed, for x86-64 whatever this machine is: unstripped, without cgo."""
    out = ROOT / "build" / "bench" / "large"
    settings = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOENV": "off", "GOFLAGS": ""}
    go = (sys.executable, str(ROOT / "samples" / "toolchain.py"), "go", "--")
    command = (*go, "build", "-trimpath", "-buildvcs=false", "-o", str(out), ".")
    say("building the program to pack")
    done = subprocess.run(command, cwd=HERE / "program", env={**os.environ, **settings}, check=False)
    if done.returncode != 0:
        raise StopError("the program to pack does not build; see above")
    return out


def assert_static(program: Path) -> None:
    """What is packed is one static program of the size it is said to have."""
    from minpack.content import FileContent  # noqa: PLC0415 - `find_minpack` says clearly when it is not there
    from minpack.elf.read import read_elf  # noqa: PLC0415

    info = read_elf(FileContent(str(program), program.stat().st_size))
    if info.interpreter is not None or info.needed:
        raise StopError(f"{program.name} is linked dynamically ({info.interpreter}); it must be built without cgo")
    if not 16_000_000 <= info.size <= 22_000_000:
        raise StopError(f"{program.name} has {info.size:,} bytes; about 18 million are wanted: change program/main.go")


def unpacked(minpack: str, program: Path, work: Path) -> Path:
    """The root file system that minpack packs, as a directory."""
    tree = work / "tree"
    command = (minpack, str(program), "--format", "rootfs", "--output", str(tree))
    done = subprocess.run(command, env=environment(work), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StopError(f"minpack cannot make the tree for tar: {done.stderr.strip()}")
    return tree


def all_cases(setting: Setting) -> tuple[Case, ...]:
    """Every command, the Docker ones only when an engine answers."""
    work = setting.work
    archive, tarball = work / "image.tar", work / "tree.tar.gz"
    script = 'tar -C "$0" -cf - . | gzip -6 > "$1"'
    cases = (
        Case(PACK, (setting.minpack, str(setting.program), "-o", str(archive)), product=archive),
        Case(VERSION, (setting.minpack, "--version")),
        Case(PYTHON, (sys.executable, "-I", "-c", "pass")),
        Case(TAR, (found("sh"), "-c", script, str(setting.tree), str(tarball)), product=tarball),
    )
    return cases + tree_cases(setting) + docker_cases(setting)


def tree_cases(setting: Setting) -> tuple[Case, ...]:
    """The closure of a program with over 200 libraries, if it is installed, and ldd(1), which runs its loader."""
    program, ldd = shutil.which("ffmpeg"), shutil.which("ldd")
    if program is None or ldd is None:
        return ()
    tree = (setting.minpack, "tree", program, "--base", "/")
    return (Case(TREE, tree), Case(PROOF, (*tree, "--check", "load")), Case(LDD, (ldd, program)))


def docker_cases(setting: Setting) -> tuple[Case, ...]:
    """`docker build` with either builder; nothing is taken from a build cache."""
    if engine_version() is None:
        return ()
    context, image_id = setting.work / "context", setting.work / "image-id"
    context.mkdir()
    shutil.copy(setting.program, context / "large")
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    command = (found("docker"), "build", "--quiet", "--no-cache", "--iidfile", str(image_id), str(context))
    return tuple(
        Case(name, command, (("DOCKER_BUILDKIT", switch),), image_id=image_id, source=context / "large")
        for name, switch in ((CLASSIC, "0"), (BUILDKIT, "1"))
    )


def engine_version() -> str | None:
    """The version of the Docker engine that answers, if one does."""
    command = ("docker", "version", "--format", "{{.Server.Version}}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# --- measuring


class FailedError(Exception):
    """A measured command failed."""


def warm_up(cases: tuple[Case, ...], work: Path) -> tuple[tuple[Case, ...], tuple[str, ...], tuple[str, ...]]:
    """Those cases that work, each run once; notes on those that do not; and the sizes of what they write."""
    working, notes, sizes = [], [], []
    if not any(case.name in (CLASSIC, BUILDKIT) for case in cases):
        notes.append("docker build was left out: no engine answers.")
    if not any(case.name == LDD for case in cases):
        notes.append("tree was left out: ffmpeg is not installed.")
    for case in cases:
        say(f"trying {case.name}")
        try:
            run(case, work, keep=True)
        except FailedError as error:
            if case.name not in (CLASSIC, BUILDKIT):
                raise StopError(f"{case.name} failed: {error}") from error
            notes.append(f"{case.name} was left out: {error}")
            continue
        working.append(case)
        if case.product is not None:
            sizes.append(f"{case.name} writes {case.product.stat().st_size:,} bytes.")
    return tuple(working), tuple(notes), tuple(sizes)


def run(case: Case, work: Path, *, keep: bool = False) -> Sample:
    """One run of the case, from an empty store; its product is removed unless it is to be kept."""
    launch = (sys.executable, "-I", "-S", str(HERE / "launch.py"), *case.command)
    settings = {**environment(work), **dict(case.environment)}
    done = subprocess.run(launch, env=settings, capture_output=True, text=True, check=False)
    code, seconds, peak = (done.stdout.split() or ["1", "0", "0"])[:3]
    if code != "0":
        lines = done.stderr.strip().splitlines() or [f"exit code {code}"]
        raise FailedError(next((line for line in lines if line.lower().startswith("error")), lines[-1]))
    clean(case, work, keep=keep)
    return Sample(float(seconds), int(peak))


def clean(case: Case, work: Path, *, keep: bool) -> None:
    """Nothing of a run is left for the next one to profit from."""
    shutil.rmtree(work / "cache", ignore_errors=True)
    if case.product is not None and not keep:
        case.product.unlink()
    if case.image_id is not None:
        image = case.image_id.read_text(encoding="utf-8").strip()
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)
        case.image_id.unlink()
    if case.source is not None:
        case.source.touch()


def environment(work: Path) -> dict[str, str]:
    """The present environment without settings of minpack, and with a store of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MINPACK_") and k != "SOURCE_DATE_EPOCH"}
    return {**kept, "XDG_CACHE_HOME": str(work / "cache")}


def found(name: str) -> str:
    """The path of a program.

    :raises StopError: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise StopError(f"{name} is not installed")
    return path


# --- reporting


def page(setting: Setting, samples: dict[str, list[Sample]], runs: int, floor: int, notes: tuple[str, ...]) -> str:
    """The results as Markdown."""
    rows = (row(c, samples, floor) for c in COMPARISONS if c.against in samples)
    return TEXT.format(
        size=setting.program.stat().st_size,
        runs=runs,
        rows="\n".join(rows),
        notes="\n".join(f"- {note}" for note in (*notes, surroundings(setting))),
    )


def row(comparison: Comparison, samples: dict[str, list[Sample]], floor: int) -> str:
    """One line of the table."""
    subject, against = samples[comparison.subject], samples[comparison.against]
    ratios = [s.seconds / a.seconds for s, a in zip(subject, against, strict=True)]
    cells = (
        comparison.title,
        spread(ratios, 2, strong=True),
        *(spread([s.seconds * 1000 for s in column], 1) for column in (subject, against)),
        *(peak(column, floor) for column in (subject, against)),
    )
    return f"| {' | '.join(cells)} |"


def spread(values: list[float], digits: int, *, strong: bool = False) -> str:
    """The median and, in brackets, the quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    middle = f"{median:.{digits}f}"
    return f"{f'**{middle}**' if strong else middle} ({low:.{digits}f}-{high:.{digits}f})"


def peak(samples: list[Sample], floor: int) -> str:
    """The median peak in megabytes: an upper bound where it is hardly above that of `true`, which is the launcher's."""
    value = statistics.median(s.peak for s in samples)
    return f"{'' if value > floor * 1.05 else 'at most '}{value / 1e6:.1f}"


def surroundings(setting: Setting) -> str:
    """What the numbers depend on."""
    version = subprocess.run([setting.minpack, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    engine = f"Docker {engine_version()}" if engine_version() else "no Docker engine"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {cpu()}"
    return f"Measured with {version}, Python {platform.python_version()}, {engine}; {machine}."


def cpu() -> str:
    """The processor's name, if the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def say(text: str) -> None:
    """Tell on stderr how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
