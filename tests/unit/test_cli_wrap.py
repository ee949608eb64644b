"""Lines on a terminal: broken between words, in their column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.cli.wrap import wrapped
from support.elfmaker import static_program
from support.terminals import on_terminal

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
        ("  libexample.so.1 => /lib/a.so.1  1.93 MB", ["  libexample.so.1 => /lib/a.so.1", "    1.93 MB"]),
        (
            "  /usr/lib/tool   data, 2 files     --take /usr",
            ["  /usr/lib/tool   data, 2 files", " " * 18 + "--take /usr"],
        ),
        (
            "  /usr/lib/some/long/tool  data, 2 files of package tool  --take /usr/lib",
            ["  /usr/lib/some/long/tool", "    data, 2 files of package tool", "    --take /usr/lib"],
        ),
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


@pytest.mark.parametrize("width", [80, 200])
def test_a_summary_fits_the_terminal(width: int, tmp_path: Path) -> None:
    """It is at most a screen of 24 lines of 80 columns, but for commands to copy; so are errors."""
    (tmp_path / "app").write_bytes(static_program())
    env: dict[str, str | None] = {"COLUMNS": str(width), "NO_COLOR": "1"}
    lines = on_terminal("./app", "--dry-run", "--expose", "80", cwd=tmp_path, env=env).out.decode().splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= width for line in lines)
    error = on_terminal("./" + "missing " * 20, cwd=tmp_path, env=env).err.splitlines()
    assert all(len(line) <= width for line in error)
