"""The help: each option in a group, at any width in whole words."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from minpack.cli.app import app
from minpack.cli.help import FEW, GROUPS, group_of
from support.optionwalk import commands, options

COMMANDS = dict(commands())


def shown(command: str, width: int = 80) -> str:
    """The help of a command on a terminal of that width."""
    ran = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="minpack", terminal_width=width)
    assert ran.exit_code == 0
    return ran.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_group(command: str) -> None:
    """Those of a command with many options are below their group's heading, and each option is shown once."""
    names = options(COMMANDS[command])
    sections = dict(re.findall(r"^(\w+):\n((?:  .*\n|\n(?=  ))+)", shown(command), re.MULTILINE))
    heads = {
        name: set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", text, re.MULTILINE)) for name, text in sections.items()
    }
    heads.pop("Commands", None)
    if len(names) + 1 <= FEW:
        assert heads == {"Options": {*names, "--help"}}
    else:
        assert {option: group for group, found in heads.items() for option in found} == {
            option: group_of(option) for option in (*names, "--help")
        }


def test_groups_name_options_that_exist() -> None:
    """Each is in one group, and of some command."""
    every = [option for options in GROUPS.values() for option in options]
    assert len(every) == len(set(every))
    known = {option for command in COMMANDS.values() for option in options(command)}
    assert set(every) == {*known, "--help", "--version"}


def test_pack_has_the_seven_groups_and_three_examples() -> None:
    """In that order, with where more is told at the end."""
    text = shown("pack")
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == [
        group for group in GROUPS if group not in ("Images", "Deployment", "Run")
    ]
    assert len(re.findall(r"^  minpack \./myapp", text, re.MULTILINE)) == 3
    assert "docs/" in text.splitlines()[-1]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_no_word_is_broken(command: str, width: int) -> None:
    """No line is longer than the terminal is wide, and all words of the texts are there."""
    text = shown(command, width)
    assert width < 80 or max(map(len, text.splitlines())) <= width
    words = set(text.split())
    for parameter in COMMANDS[command].params if command else app.params:
        if isinstance(parameter, click.Option):
            assert set((parameter.help or "").split()) <= words
