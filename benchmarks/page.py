"""The results, as a page of Markdown and as a plot."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cases import COMPARISONS, Comparison, engine_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT = """# Benchmarks

Written by `make bench`; how it measures is in [benchmarks/README.md](../benchmarks/README.md).

![minpack's time divided by the other's, for each comparison](benchmarks.svg)

The program: {size:,} bytes of Go, built without cgo; it has no interpreter. The one of 100 MB is the same with others
embedded in it. {runs} rounds, of slow commands three; each value is the median, with the quartiles in brackets.
A ratio is minpack's time divided by the other's in the same round: below 1, minpack is faster.

| | ratio | minpack, ms | the other, ms | minpack, MB | the other, MB | minpack, peak MB | the other, peak MB |
|---|---|---|---|---|---|---|---|
{rows}

{memory}

{notes}
- Peak memory is that of the largest single process. For Docker it is the client's: the engine's is not counted.
"""
#: The plot: pixels of a row, of the titles' column, of a tenfold.
ROW, LEFT, DECADE, RIGHT = 22, 430, 150, 24


class Sample(NamedTuple):
    """One run: wall time in seconds and peak memory in bytes."""

    seconds: float
    peak: int


class Results(NamedTuple):
    """All that was measured; `floor` is the peak of a process that does nothing, `sizes` are of what is written."""

    samples: Mapping[str, Sequence[Sample]]
    sizes: Mapping[str, int]
    memory: tuple[int, int]
    floor: int


def page(results: Results, program: Path, runs: int, minpack: str, notes: Sequence[str]) -> str:
    """The results as Markdown."""
    small, large = results.memory
    memory = (
        f"Peak memory of packing a program of 20 MB: {small / 1e6:.1f} MB; of one of 2 GB: {large / 1e6:.1f} MB,"
        f" **{large / small:.2f}** times as much."
    )
    return TEXT.format(
        size=program.stat().st_size,
        runs=runs,
        rows="\n".join(_row(comparison, results) for comparison in _made(results)),
        memory=memory,
        notes="\n".join(f"- {note}" for note in (*notes, _surroundings(minpack))),
    )


def sections(path: Path) -> str:
    """What other programs put into the page, from the first of their headings on."""
    _, heading, rest = path.read_text(encoding="utf-8").partition("\n## ") if path.exists() else ("", "", "")
    return heading + rest


def put_section(path: Path, title: str, text: str) -> None:
    """Let the page have this text under the title, in place of what it had there."""
    old = sections(path)
    head = path.read_text(encoding="utf-8").removesuffix(old).rstrip()
    kept = [one for one in old.split("\n## ")[1:] if one.partition("\n")[0] != title]
    path.write_text("\n\n## ".join((head, *(one.strip() for one in (*kept, f"{title}\n\n{text}")))) + "\n", "utf-8")


def plot(results: Results) -> str:
    """A bar for each comparison on a scale of tenfolds, as SVG; left of 1 minpack is faster."""
    made = _made(results)
    values = [statistics.median(ratios(comparison, results)) for comparison in made]
    one = LEFT + 3 * DECADE
    width, height = one + 2 * DECADE + RIGHT, ROW * len(made) + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-size="12">',
        "<style>text { font-family: sans-serif }</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for power in range(-3, 3):
        x = one + power * DECADE
        lines.append(
            f'<line x1="{x}" y1="20" x2="{x}" y2="{height - 20}" stroke="{"black" if power == 0 else "#ccc"}"/>'
        )
        lines.append(f'<text x="{x}" y="{height - 5}" text-anchor="middle">{10.0**power:g}</text>')
    for number, (comparison, value) in enumerate(zip(made, values, strict=True)):
        y = 30 + number * ROW
        end = one + _log(value) * DECADE
        colour = "#2a7f62" if value <= 1 else "#b5651d"
        lines.append(f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end">{comparison.title}</text>')
        lines.append(
            f'<rect x="{min(one, end):.1f}" y="{y}" width="{abs(end - one):.1f}" height="{ROW - 8}" fill="{colour}"/>'
        )
        anchor, at = ("end", end - 4) if value <= 1 else ("start", end + 4)
        lines.append(f'<text x="{at:.1f}" y="{y + 11}" text-anchor="{anchor}">{value:.2g}</text>')
    return "\n".join((*lines, "</svg>")) + "\n"


def ratios(comparison: Comparison, results: Results) -> list[float]:
    """The ratio in each round."""
    subject, against = (results.samples[name] for name in (comparison.subject, comparison.against))
    return [s.seconds / a.seconds for s, a in zip(subject, against, strict=False)]


def _made(results: Results) -> list[Comparison]:
    samples = results.samples
    return [c for c in COMPARISONS if samples.get(c.subject) and samples.get(c.against)]


def _log(value: float) -> float:
    from math import log10  # noqa: PLC0415 - for the plot alone

    return max(-3.0, min(2.0, log10(value)))


def _row(comparison: Comparison, results: Results) -> str:
    """One line of the table."""
    both = (comparison.subject, comparison.against)
    columns = [results.samples[name] for name in both]
    sizes = [results.sizes.get(name) for name in both]
    cells = (
        comparison.title,
        _spread(ratios(comparison, results), 2, strong=True),
        *(_spread([s.seconds * 1000 for s in column], 1) for column in columns),
        *("" if size is None else f"{size / 1e6:.2f}" for size in sizes),
        *(_peak(column, results.floor) for column in columns),
    )
    return f"| {' | '.join(cells)} |"


def _spread(values: list[float], digits: int, *, strong: bool = False) -> str:
    """The median and, in brackets, the quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    middle = f"{median:.{digits}f}"
    return f"{f'**{middle}**' if strong else middle} ({low:.{digits}f}-{high:.{digits}f})"


def _peak(samples: Sequence[Sample], floor: int) -> str:
    """The median peak in megabytes: an upper bound where it is hardly above that of `true`, which is the launcher's."""
    value = statistics.median(s.peak for s in samples)
    return f"{'' if value > floor * 1.05 else 'at most '}{value / 1e6:.1f}"


def _surroundings(minpack: str) -> str:
    """What the numbers depend on."""
    version = subprocess.run([minpack, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    engine = f"Docker {engine_version()}" if engine_version() else "no Docker engine"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {_cpu()}"
    return f"Measured with {version}, Python {platform.python_version()}, {engine}; {machine}."


def _cpu() -> str:
    """The processor's name, if the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
