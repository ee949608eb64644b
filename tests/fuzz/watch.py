"""Running a target on one input, and writing down what should not have come of it."""

from __future__ import annotations

import os
import resource
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import minpack
from minpack.errors import MinpackError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(minpack.__file__).parent
#: More of the processor's time, or of memory, for one small input is a fault.
MOST_SECONDS, MOST_BYTES = 1.0, 256 << 20


class Finding(NamedTuple):
    """What went wrong with one input; `key` is the same for the same fault."""

    key: str
    text: str


def attempt(run: Callable[[bytes], None], data: bytes) -> Finding | None:
    """What is wrong with a target's run on `data`, if anything."""
    before, peak_before = _memory(), _peak()
    start = time.process_time()
    found = None
    try:
        run(data)
    except MinpackError as error:
        # They are shown to people: each must have its text.
        if not error.message or not isinstance(error.data, dict):
            found = Finding(f"wordless-{type(error).__name__}", repr(error))
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        found = Finding(_place_of(error), "".join(traceback.format_exception(error)))
    took = time.process_time() - start
    # The peak never falls: what does not raise it may be large too, and is found in a new process, as fuzzing has.
    peak = _peak()
    if found is None and took > MOST_SECONDS:
        found = Finding("slow", f"it took {took:.1f} seconds")
    if found is None and peak > peak_before and peak - before > MOST_BYTES:
        found = Finding("large", f"it took {(peak - before) >> 20} MiB")
    return found


def _peak() -> int:
    """The most bytes of memory that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory() -> int:
    """The bytes of memory that the process has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _place_of(error: Exception) -> str:
    """The kind of exception and the last line of minpack's own that it went through."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(SOURCE)
    ]
    place = f"{Path(frames[-1].filename).stem}-{frames[-1].lineno}" if frames else "outside"
    return f"{type(error).__name__}-{place}"


class Notebook:
    """Keeps the smallest input of each finding of one target, in a directory."""

    def __init__(self, directory: Path, target: str) -> None:
        self._directory = directory
        self._target = target
        self._sizes: dict[str, int] = {}

    def note(self, finding: Finding, data: bytes) -> None:
        """Keep `data`, unless a smaller input is known for the same."""
        if len(data) >= self._sizes.get(finding.key, 1 << 62):
            return
        self._sizes[finding.key] = len(data)
        stem = self._directory / f"{self._target}-{finding.key}"
        stem.with_suffix(".bin").write_bytes(data)
        stem.with_suffix(".txt").write_text(finding.text)
