"""Colours: on terminals that take them, and nobody has said no."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.cli.colour import coloured, takes_colours
from support.command import COMMAND, environment, minpack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("variables", "takes"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_who_takes_colours(variables: dict[str, str], takes: bool) -> None:
    """A terminal that is not dumb, unless NO_COLOR has a value."""
    assert takes_colours(variables) == takes


def test_the_word_that_says_what_a_line_is() -> None:
    """It alone has a colour, at the start of a line."""
    assert coloured("hint: a note: here") == "\x1b[1;36mhint:\x1b[0m a note: here"
    assert coloured("  hint: none") == "  hint: none"
    assert coloured("") == ""


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    """An error has them there, with NO_COLOR and TERM=dumb it has not, and on a pipe it never has."""
    plain = "minpack: cannot read './none'"
    assert minpack("./none", cwd=tmp_path, env={"TERM": "xterm"}).err.startswith(plain)
    for changes, start in (({"NO_COLOR": None}, "\x1b[1;31mminpack:\x1b[0m cannot"), ({"NO_COLOR": "1"}, plain)):
        main, end = pty.openpty()
        env = environment({"TERM": "xterm", **changes})
        subprocess.run([*COMMAND, "./none"], cwd=tmp_path, env=env, stderr=end, check=False)
        os.close(end)
        assert os.read(main, 4096).decode().startswith(start)
        os.close(main)
