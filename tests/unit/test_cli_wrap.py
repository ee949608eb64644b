"""Lines on a terminal: broken between words, in their column."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.cli.wrap import wrapped
from support.command import COMMAND, environment
from support.elfmaker import static_program

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short", ["short"]),
        ("note: " + "word " * 9 + "end", ["note: word word word word word word word", "  word word end"]),
        (
            "  label  1 kB  text of some words that go on",
            ["  label  1 kB  text of some words that", "               go on"],
        ),
        (
            "next: docker load -i app.tar && docker run --rm app",
            ["next: docker load -i app.tar && docker run --rm app"],
        ),
        (f"  digest       {DIGEST}", [f"  digest       {DIGEST}"]),
        ("", [""]),
    ],
)
def test_lines_are_broken_between_words(line: str, lines: list[str]) -> None:
    """What follows lies below the last column that leaves half the line to it; commands to copy stay whole."""
    assert list(wrapped(line, 40)) == lines


def test_a_digest_has_a_line_of_its_own() -> None:
    """It fits into 80 columns, and not behind its label."""
    assert list(wrapped(f"  digest       {DIGEST}", 80)) == ["  digest", f"    {DIGEST}"]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_word_is_lost_or_broken(width: int) -> None:
    """The words of the lines are those of the line, and a line is too long only if it is one word."""
    line = f"  label   12 kB  /usr/lib/{'x' * 90}, and {DIGEST} are   here with some-hyphened-words of {'y' * 21}"
    lines = list(wrapped(line, width))
    assert " ".join(lines).split() == line.split()
    assert all(len(part) <= width or len(part.split()) == 1 for part in lines[1:])


def on_terminal(place: Path, *arguments: str, width: int, **variables: str) -> str:
    """What a command prints on a terminal of that width."""
    main, end = pty.openpty()
    env = environment({"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1", **variables})
    with subprocess.Popen([*COMMAND, *arguments], cwd=place, env=env, stdout=end, stderr=end) as process:
        os.close(end)
        text = b""
        try:
            while part := os.read(main, 65536):
                text += part
        except OSError:
            # The other end is closed.
            pass
    os.close(main)
    assert process.returncode in (0, 1)
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("width", [80, 200])
def test_a_summary_fits_the_terminal(width: int, tmp_path: Path) -> None:
    """It is at most a screen of 24 lines of 80 columns, but for commands to copy; so are errors."""
    (tmp_path / "app").write_bytes(static_program())
    lines = on_terminal(tmp_path, "./app", "--dry-run", "--expose", "80", width=width).splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= width for line in lines)
    error = on_terminal(tmp_path, "./" + "missing " * 20, width=width).splitlines()
    assert all(len(line) <= width for line in error)
