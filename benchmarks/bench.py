"""Measure minpack beside the usual ways to do the same, in one run; README.md says what is measured and how to read it.

    python benchmarks/bench.py [--runs 15] [--only WORD] [--save]

The table goes to stdout, and with --save into docs/benchmarks.md, with its plot beside it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cases import (
    COMPARISONS,
    DOCKERIZE,
    LDD,
    Case,
    Setting,
    StopError,
    all_cases,
    engine_version,
    found,
)
from images import images
from page import Results, Sample, page, plot, sections
from registry import registry

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
#: Rounds of commands that take seconds.
SLOW_RUNS = 3
#: The sizes whose memory is compared.
SMALL, HUGE = 20_000_000, 2_000_000_000


class FailedError(Exception):
    """A measured command failed."""


def main() -> int:
    """Measure, print, and save when asked to."""
    parser = argparse.ArgumentParser(description="Measure minpack beside docker build, tar and gzip, and others.")
    parser.add_argument("--runs", type=int, default=15, help="measured rounds (15); each runs every command once")
    parser.add_argument("--only", default="", help="only comparisons whose titles have this word")
    parser.add_argument("--save", action="store_true", help="also write docs/benchmarks.md and its plot")
    options = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="minpack-bench-") as work,
            registry(Path(work) / "registry-emptied") as emptied,
            registry(Path(work) / "registry-kept") as kept,
        ):
            hosts = (emptied, kept) if emptied else ()
            text, picture = measure(Path(work), max(options.runs, 1), options.only, hosts)
    except StopError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    if options.save:
        PAGE.write_text(text + sections(PAGE), encoding="utf-8")
        PAGE.with_suffix(".svg").write_text(picture, encoding="utf-8")
        say(f"wrote {PAGE.relative_to(ROOT)} and its plot")
    return 0


def measure(work: Path, runs: int, only: str, hosts: tuple[str, ...]) -> tuple[str, str]:
    """The page and the plot with the results of `runs` rounds."""
    minpack = find_minpack()
    program = build_program()
    programs = (program, embed(program, work), build_program("arm64"))
    trees = (unpacked(minpack, programs[0], work), unpacked(minpack, programs[1], work))
    wanted = {name for c in COMPARISONS if only in c.title for name in (c.subject, c.against)}
    with images(minpack, program, work) as finished:
        setting = Setting(minpack, work, programs, trees, finished, hosts)
        cases, notes, sizes = warm_up([case for case in all_cases(setting) if case.name in wanted], work)
        samples = rounds(cases, runs, work)
    floor = run(Case("true", (found("true"),)), work).peak
    results = Results(samples, sizes, peaks(minpack, program, work), floor)
    return page(results, program, runs, minpack, notes), plot(results)


def rounds(cases: list[Case], runs: int, work: Path) -> dict[str, list[Sample]]:
    """What so many rounds gave of each case."""
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(runs):
        say(f"round {number + 1} of {runs}")
        # Each round starts with another command, so that none always follows the same one.
        first = number % len(cases)
        for case in cases[first:] + cases[:first]:
            if not case.slow or number < SLOW_RUNS:
                samples[case.name].append(run(case, work))
    return samples


# --- what is packed


def find_minpack() -> str:
    """The `minpack` beside this interpreter."""
    path = Path(sys.executable).parent / "minpack"
    if not path.exists():
        raise StopError(f"there is no {path.name} beside {sys.executable}; install it there: pip install -e .")
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StopError(f"{path} does not start: {reason}")
    # As after an installation: where Python may not write bytecode, each start would compile all of minpack.
    package = subprocess.run(
        [sys.executable, "-c", "import minpack; print(minpack.__path__[0])"], capture_output=True, text=True, check=True
    )
    subprocess.run([sys.executable, "-m", "compileall", "-q", package.stdout.strip()], check=False)
    return str(path)


def build_program(arch: str = "amd64") -> Path:
    """The Go program that is packed, for x86-64 whatever this machine is: unstripped, without cgo."""
    out = ROOT / "build" / "bench" / ("large" if arch == "amd64" else f"{arch}/large")
    go_build(HERE / "program", out, arch)
    assert_static(out)
    return out


def embed(program: Path, work: Path) -> Path:
    """A static Go program of 100 MB: most of it are programs that it has embedded."""
    source, out = work / "embedding", work / "large100"
    source.mkdir()
    (source / "go.mod").write_text("module large100\n\ngo 1.21\n", encoding="utf-8")
    (source / "main.go").write_text(
        'package main\n\nimport "embed"\n\n//go:embed programs\nvar programs embed.FS\n\n'
        'func main() { d, _ := programs.ReadDir("programs"); println(len(d)) }\n',
        encoding="utf-8",
    )
    (source / "programs").mkdir()
    data = program.read_bytes()
    for number in range(5):
        # Each has other bytes at the same places: no compressor finds one in another.
        turned = data[number * 1_000_003 :] + data[: number * 1_000_003]
        (source / "programs" / str(number)).write_bytes(turned)
    go_build(source, out)
    return out


def go_build(source: Path, out: Path, arch: str = "amd64") -> None:
    """Build the Go program in `source`."""
    settings = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch, "GOAMD64": "v1", "GOENV": "off", "GOFLAGS": ""}
    go = (sys.executable, str(ROOT / "samples" / "toolchain.py"), "go", "--")
    command = (*go, "build", "-trimpath", "-buildvcs=false", "-o", str(out), ".")
    say(f"building {out.name}")
    if subprocess.run(command, cwd=source, env={**os.environ, **settings}, check=False).returncode != 0:
        raise StopError("the program to pack does not build; see above")


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
    tree = work / f"tree-{program.name}"
    command = (minpack, str(program), "--format", "rootfs", "--output", str(tree))
    done = subprocess.run(command, env=environment(work), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StopError(f"minpack cannot make the tree for tar: {done.stderr.strip()}")
    return tree


# --- measuring


def warm_up(cases: list[Case], work: Path) -> tuple[list[Case], list[str], dict[str, int]]:
    """Those cases that work, each run once; notes on those that do not; and the sizes of what they write."""
    working: list[Case] = []
    notes: list[str] = []
    sizes: dict[str, int] = {}
    if engine_version() is None:
        notes.append("docker build was left out: no engine answers.")
    for what, name in (("tree", LDD), (DOCKERIZE, DOCKERIZE)):
        if not any(case.name.startswith(name) for case in cases):
            notes.append(f"{what} was left out: not all that it takes is installed.")
    for case in cases:
        say(f"trying {case.name}")
        try:
            run(case, work, keep=True)
        except FailedError as error:
            if case.command[0] == found("sh") or "minpack" in case.command[0]:
                raise StopError(f"{case.name} failed: {error}") from error
            notes.append(f"{case.name} was left out: {error}")
            continue
        working.append(case)
        if case.product is not None:
            sizes[case.name] = size_of(case.product)
            remove(case.product)
    return working, notes, sizes


def run(case: Case, work: Path, *, keep: bool = False) -> Sample:
    """One run of the case; its product is removed unless it is to be kept."""
    store = work / ("kept" if case.remembers else "cache")
    settings = {**environment(work), "XDG_CACHE_HOME": str(store), **dict(case.environment)}
    launch = (sys.executable, "-I", "-S", str(HERE / "launch.py"), *case.command)
    done = subprocess.run(launch, env=settings, capture_output=True, text=True, check=False)
    code, seconds, peak = (done.stdout.split() or ["1", "0", "0"])[:3]
    if code != "0":
        lines = done.stderr.strip().splitlines() or [f"exit code {code}"]
        raise FailedError(next((line for line in lines if line.lower().startswith("error")), lines[-1]))
    clean(case, work, keep=keep)
    return Sample(float(seconds), int(peak))


def clean(case: Case, work: Path, *, keep: bool) -> None:
    """Nothing of a run is left for the next one to profit from, but the store of a case that remembers."""
    shutil.rmtree(work / "cache", ignore_errors=True)
    if case.product is not None and not keep:
        remove(case.product)
    if case.image_id is not None:
        image = case.image_id.read_text(encoding="utf-8").strip()
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)
        case.image_id.unlink()
    if case.source is not None:
        case.source.touch()


def remove(product: Path) -> None:
    """Remove a file or a directory."""
    if product.is_dir():
        shutil.rmtree(product)
    else:
        product.unlink()


def size_of(product: Path) -> int:
    """The bytes of a file, or of all files in a directory."""
    files = [product] if product.is_file() else [path for path in product.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def peaks(minpack: str, program: Path, work: Path) -> tuple[int, int]:
    """The peak memory of packing a program of 20 MB and one of 2 GB: the same, with more or less of it behind it."""
    found_peaks = []
    data = program.read_bytes()
    for size in (SMALL, HUGE):
        say(f"packing {size:,} bytes")
        path, archive = work / "sized", work / "sized.tar"
        with path.open("wb") as out:
            while out.tell() < size:
                out.write(data[: size - out.tell()])
        case = Case("sized", (minpack, str(path), "-o", str(archive)), product=archive)
        found_peaks.append(run(case, work).peak)
        path.unlink()
    return found_peaks[0], found_peaks[1]


def environment(work: Path) -> dict[str, str]:
    """The present environment without settings of minpack, and with a store of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MINPACK_") and k != "SOURCE_DATE_EPOCH"}
    return {**kept, "XDG_CACHE_HOME": str(work / "cache")}


def say(text: str) -> None:
    """Tell on stderr how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
