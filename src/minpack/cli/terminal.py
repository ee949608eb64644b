"""What people see: notes, results, errors, and bars for long work."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from minpack.errors import OutputError, reason_of
from minpack.excerpt import few_notes, visible

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from minpack.progress import Progress

#: Seconds that work must have taken before a bar is drawn: most is done by then, and drawing costs 50 ms to import.
PATIENCE = 0.4
#: Seconds between lines about long work, where there are no bars.
PAUSE = 10
#: To the start of the line, and all of it erased (ECMA-48, EL).
_CLEAR = "\r\x1b[2K"
#: No description of a task is longer: a server chooses the names of what is fetched, and a bar has one line.
LONGEST_TASK = 60


def ready_streams() -> None:
    """Make every text printable, and closed streams go nowhere: `print` would send stderr's to stdout."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        else:
            stream.reconfigure(errors="backslashreplace")


def fill_streams() -> None:
    """Let closed streams be /dev/null, or what is opened next would be the program's input or output."""
    for number in range(3):
        # What is not inherited was opened here.
        if not _is_inherited(number):
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, number)
            os.set_inheritable(number, True)
            if opened != number:
                os.close(opened)


def _is_inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:
        return False


def stdout_is_closed() -> bool:
    """Whether the process was started without a stdout."""
    return sys.stdout.name == os.devnull


def binary_stdout() -> IO[bytes]:
    """Stdout for bytes, in which all of what is written is written: unbuffered, `sys.stdout.buffer` may take less."""
    return open(sys.stdout.fileno(), "wb", closefd=False)


def print_lines(lines: Iterable[str], *, to_stderr: bool = False, whole: bool = False) -> None:
    """Print a result for people; on a terminal no word is broken, and the first may have a colour.

    :param whole: the lines are for a program, and none is wrapped.
    :raises OutputError: it cannot be written.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    shown: Iterable[str] = (visible(line) for line in lines)
    if stream.isatty() and not whole:
        from minpack.cli.colour import coloured, takes_colours  # noqa: PLC0415 - as the next: on terminals alone
        from minpack.cli.wrap import wrapped  # noqa: PLC0415

        width = terminal_width(stream)
        shown = (part for line in shown for part in wrapped(line, width)) if width else shown
        shown = map(coloured, shown) if takes_colours(os.environ) else shown
    _print(shown, to_stderr=to_stderr)


def terminal_width(stream: IO[str]) -> int:
    """The columns of the terminal that `stream` is; 0 where they are not known."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit():
        return int(columns)
    with suppress(OSError):
        return os.get_terminal_size(stream.fileno()).columns
    return 0


def _print(lines: Iterable[str], *, to_stderr: bool = False) -> None:
    out = sys.stderr if to_stderr else sys.stdout
    try:
        for line in lines:
            print(line, file=out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError("stderr" if to_stderr else "stdout", reason_of(error)) from error


def print_drawn(lines: Iterable[str]) -> None:
    """Print lines that were drawn for this terminal, with what it obeys in them.

    :raises OutputError: it cannot be written.
    """
    _print(lines)


def print_json(document: dict[str, Any]) -> None:
    """Print one document.

    :raises OutputError: it cannot be written.
    """
    import json  # noqa: PLC0415

    # ASCII without control characters: json escapes all others.
    _print((json.dumps(document, indent=2),))


def print_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Print what the user should know, on stderr."""
    if not quiet:
        print_lines((f"note: {note}" for note in few_notes(notes)), to_stderr=True)


def print_error(message: str, hint: str | None) -> None:
    """Print an error and what to do about it, on stderr."""
    lines = f"minpack: {message}".split("\n")
    # Where stderr cannot be written there is no way to tell.
    with suppress(OSError, OutputError):
        print_lines(lines if hint is None else [*lines, f"hint: {hint}"], to_stderr=True)


def flush() -> None:
    """Write what is still in a buffer.

    :raises OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError("stdout", reason_of(error)) from error


@contextmanager
def reporting(done: str) -> Generator[None]:
    """Print a report in this block; where it cannot be printed, the error says what is done all the same.

    :param done: what that is, as a sentence; empty for nothing.
    :raises OutputError: it cannot be written.
    """
    try:
        yield
        flush()
    except OutputError as error:
        error.hint = f"{done}; only this report is missing" if done else error.hint
        raise


def settle() -> None:
    """Drop what cannot be written any more: the interpreter would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Drawing:
    """Draws a bar a task on stderr, once work takes long; call it as a `Progress`."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """Draw how far `task` is."""
        if self._bars is None:
            if time.monotonic() - self._start < PATIENCE:
                return
            self._bars = _bars()
            self._bars.start()
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(visible(task[:LONGEST_TASK]), total=total)
        self._bars.update(self._tasks[task], completed=done, total=total)

    def tell(self, text: str) -> None:
        """Print `text` at once, and bars anew below it."""
        if self._bars is not None:
            self._bars.stop()
        _tell(text)
        if self._bars is not None:
            self._bars.start()

    def pause(self) -> None:
        """Take the bars away, until there is more to draw."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.pause()


class Silence:
    """Reports to nobody."""

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """Draw how far `task` is."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Lines(Silence):
    """Reports what is waited for, and of what takes long, how far it is, in a line now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PAUSE

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """Say how far `task` is, if nothing has been said for a while."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        from minpack.report.human import human  # noqa: PLC0415 - where work takes long

        _tell(f"{task[:LONGEST_TASK]}: {human(done)}{f' of {human(total)}' if total else ''}", "")

    def tell(self, text: str) -> None:
        """Print `text` at once, and bars anew below it."""
        _tell(text)


def drawing(*, quiet: bool) -> Drawing | Silence:
    """Bars on a terminal that can draw them, elsewhere lines."""
    if quiet:
        return Silence()
    return Drawing() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()


class Counting:
    """Counts what is done of many things: in one place on a terminal, elsewhere in a line now and then."""

    def __init__(self, what: str, total: int, *, drawn: bool) -> None:
        self._what, self._total, self._drawn = what, total, drawn
        self._done = self._failed = 0
        self._next = time.monotonic() + PAUSE

    def advance(self, *, failed: bool = False) -> None:
        """One more is done, or has failed."""
        self._done += 1
        self._failed += failed
        self.show()

    def show(self) -> None:
        """Say how many are done, elsewhere than on a terminal if that was not said for a while."""
        failed = f", {self._failed} failed" if self._failed else ""
        text = f"{self._what}: {self._done} of {self._total}{failed}"
        if self._drawn:
            self._draw(f"{_CLEAR}{text}")
        elif (now := time.monotonic()) >= self._next and self._done < self._total:
            self._next = now + PAUSE
            _tell(text, "")

    def clear(self) -> None:
        """Make room for a message."""
        if self._drawn:
            self._draw(_CLEAR)

    def _draw(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()

    def __enter__(self) -> Counting:
        if self._drawn:
            self.show()
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear()


class Uncounted(Counting):
    """Counts for nobody."""

    def show(self) -> None:
        """Nothing."""


def counting(what: str, total: int, *, quiet: bool) -> Counting:
    """A count of what is done, on a terminal that can draw it in one place, elsewhere in lines."""
    drawn = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return (Uncounted if quiet else Counting)(what, total, drawn=drawn)


def _tell(text: str, start: str = "note: ") -> None:
    # The work goes on where it cannot be told.
    with suppress(OSError, OutputError):
        print_lines((start + text,), to_stderr=True)
        sys.stderr.flush()


def _bars() -> Bars:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    # Without markup: a name may look like some.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
