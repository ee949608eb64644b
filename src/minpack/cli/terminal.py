"""What people see: notes, results, and bars for long work."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from minpack.progress import Progress

#: Seconds that work must have taken before a bar is drawn: most is done by then, and drawing costs 50 ms to import.
PATIENCE = 0.4


def print_lines(lines: Iterable[str], *, to_stderr: bool = False) -> None:
    """Print a result; names that are no UTF-8 with their bytes escaped."""
    out = sys.stderr if to_stderr else sys.stdout
    for line in lines:
        print(line.encode("utf-8", "backslashreplace").decode(), file=out)


def print_json(document: dict[str, Any]) -> None:
    """Print one document."""
    print(json.dumps(document, indent=2))


def print_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Print what the user should know, on stderr."""
    if not quiet:
        print_lines((f"note: {note}" for note in notes), to_stderr=True)


class Drawing:
    """Draws a bar a task on stderr, once work takes long; call it as a `Progress`."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """See `minpack.progress.Progress`."""
        if self._bars is None:
            if time.monotonic() - self._start < PATIENCE:
                return
            self._bars = _bars()
            self._bars.start()
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total)
        self._bars.update(self._tasks[task], completed=done, total=total)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Silence:
    """Reports to nobody."""

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """See `minpack.progress.Progress`."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def drawing(*, quiet: bool) -> Drawing | Silence:
    """Bars on a terminal, nothing elsewhere."""
    return Silence() if quiet or not sys.stderr.isatty() else Drawing()


def _bars() -> Bars:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
