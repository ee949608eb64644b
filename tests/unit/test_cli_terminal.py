"""What is printed: nothing that a terminal would obey, and errors where it cannot be."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

import pytest

from minpack.cli import terminal
from minpack.errors import OutputError
from minpack.progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain größe 日本", "plain größe 日本"),
        ("a\tb", "a\tb"),
        ("a\nb\rc", r"a\nb\x0dc"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("caf\udce9", r"caf\xe9"),
        ("a\u202eb\u2066c\u2069\u200e\u200f\u061cd", r"a\u202eb\u2066c\u2069\u200e\u200f\u061cd"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("a\u200b\ufeff\u00ad\U000e0041b\u00a0c", r"a\u200b\ufeff\xad\U000e0041b\xa0c"),
        ("\ud800", r"\ud800"),
        ("שלום 👍", "שלום 👍"),
    ],
)
def test_what_terminals_would_obey_is_escaped(capsys: pytest.CaptureFixture[str], text: str, shown: str) -> None:
    """What terminals obey, what turns text around, what is not seen and bytes that are not UTF-8 are escapes."""
    terminal.print_lines([text])
    assert capsys.readouterr().out == shown + "\n"


def test_where_things_go(capsys: pytest.CaptureFixture[str]) -> None:
    """Results go to stdout, notes and errors to stderr, each line of an error as one."""
    terminal.print_lines(["result"])
    terminal.print_notes(["known"], quiet=False)
    terminal.print_notes(["unheard"], quiet=True)
    terminal.print_error("cannot do it: why\n  more", "that")
    captured = capsys.readouterr()
    assert captured.out == "result\n"
    assert captured.err == "note: known\nminpack: cannot do it: why\n  more\nhint: that\n"


def test_documents_are_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """A document can be printed on any terminal, and parsed again."""
    terminal.print_json({"name": "größe\udce9\n\x7f\x9b\u202e"})
    assert capsys.readouterr().out == '{\n  "name": "gr\\u00f6\\u00dfe\\udce9\\n\\u007f\\u009b\\u202e"\n}\n'


class Broken(io.StringIO):
    """Fails as told."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


def test_what_cannot_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error of stdout's, a broken pipe stays one."""
    calls: tuple[Callable[[], None], ...] = (lambda: terminal.print_lines(["x"]), terminal.flush)
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    for call in calls:
        with pytest.raises(OutputError, match="cannot write 'stdout': no space left on device"):
            call()
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError()))
    for call in calls:
        with pytest.raises(BrokenPipeError):
            call()


def test_errors_are_printed_if_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error about an error helps nobody."""
    monkeypatch.setattr(sys, "stderr", Broken(OSError(28, "No space left on device")))
    terminal.print_error("cannot do it: why", None)
    monkeypatch.setattr(sys, "stderr", Broken(BrokenPipeError()))
    terminal.print_error("cannot do it: why", None)


def test_closed_streams_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stderr, `print` would use stdout instead."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    terminal.ready_streams()
    assert terminal.stdout_is_closed()
    for stream in (sys.stdout, sys.stderr):
        assert stream.write("x") == 1
        stream.close()


def test_bars_wait_for_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported or drawn before work has taken a while, nor ever where nobody watches."""
    monkeypatch.setattr(terminal, "_bars", lambda: pytest.fail("bars were drawn"))
    monkeypatch.setattr(terminal, "PATIENCE", 3600)
    with terminal.Drawing() as progress:
        for done in range(1000):
            progress("packing", done, 1000)
    assert isinstance(terminal.drawing(quiet=True), terminal.Silence)
    with terminal.drawing(quiet=False) as progress:
        progress("packing", 1, None)


def test_bars_show_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it draws, each task has a bar with how far it is; a total may come late."""
    from rich.console import Console
    from rich.progress import Progress

    out = io.StringIO()
    monkeypatch.setattr(terminal, "PATIENCE", 0)
    monkeypatch.setattr(terminal, "_bars", lambda: Progress(console=Console(file=out, force_terminal=True)))
    with terminal.Drawing() as progress:
        progress("packing program", 5, None)
        progress("packing program", 10, 10)
        progress("loading into the engine", 1, 2)
    assert "packing program" in out.getvalue()
    assert "100%" in out.getvalue()
    assert "50%" in out.getvalue()


def test_a_task_may_have_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server chooses what is fetched from it: the name is shown as it is, and not more of it than a line takes."""
    from rich.console import Console

    # On a dumb terminal bars are not drawn before they end.
    monkeypatch.setenv("TERM", "xterm")
    out, real = io.StringIO(), terminal._bars()
    monkeypatch.setattr(terminal, "PATIENCE", 0)
    monkeypatch.setattr(terminal, "_bars", lambda: real)
    real.live.console = Console(file=out, force_terminal=True, width=200)
    with terminal.Drawing() as progress:
        progress("[red]a\x1b]0;t\x07\u202e" + "b" * 1000, 1, 2)
    assert r"[red]a\x1b]0;t\x07\u202ebbb" in out.getvalue()
    assert "b" * terminal.LONGEST_TASK not in out.getvalue()
    assert "\x1b]" not in out.getvalue()


def test_waiting_is_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is waited for is a line on stderr, on a terminal and elsewhere, but not with --quiet."""
    from rich.console import Console
    from rich.progress import Progress

    for quiet in (False, True):
        with terminal.drawing(quiet=quiet) as progress:
            tell(progress, "waiting for \x1b process 7")
    assert capsys.readouterr() == ("", "note: waiting for \\x1b process 7\n")
    out = io.StringIO()
    monkeypatch.setattr(terminal, "PATIENCE", 0)
    monkeypatch.setattr(terminal, "_bars", lambda: Progress(console=Console(file=out, force_terminal=True)))
    with terminal.Drawing() as progress:
        tell(progress, "one")
        progress("packing program", 5, 10)
        tell(progress, "two")
        progress("packing program", 10, 10)
    assert capsys.readouterr().err == "note: one\nnote: two\n"
    assert "100%" in out.getvalue()


def test_a_closed_stderr_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be told what is waited for, the waiting goes on."""
    with io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True) as full:
        monkeypatch.setattr(sys, "stderr", full)
        tell(terminal.Lines(), "waiting")
        monkeypatch.undo()


def test_long_work_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are no bars, or a terminal cannot draw them: the first after a while, not one for each report."""
    now = iter((0.0, 1.0, 10.5, 11.0, 21.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with terminal.Lines() as progress:
        for done in (1, 2_000_000, 3_000_000):
            progress("fetching the files of debian bookworm", done, 40_000_000)
        progress("packing", 5, None)
    shown = "fetching the files of debian bookworm: 2.00 MB of 40.0 MB\npacking: 5 B\n"
    assert capsys.readouterr() == ("", shown)


def test_what_is_counted_has_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a terminal cannot draw it, also while nothing is done; with --quiet nothing is said."""
    now = iter((0.0, 9.0, 10.5, 11.0, 21.0, 40.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with terminal.counting("images", 3, quiet=False) as counted:
        counted.advance()
        counted.show()
        counted.clear()
        counted.advance(failed=True)
        counted.show()
        counted.advance()
    assert capsys.readouterr() == ("", "images: 1 of 3\nimages: 2 of 3, 1 failed\n")
    monkeypatch.undo()
    monkeypatch.setattr(terminal, "PAUSE", 0)
    with terminal.counting("images", 3, quiet=True) as counted:
        counted.advance()
    assert capsys.readouterr() == ("", "")


def test_a_dumb_terminal_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not take a bar away again."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(terminal.drawing(quiet=False), terminal.Lines)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(terminal.drawing(quiet=False), terminal.Drawing)
