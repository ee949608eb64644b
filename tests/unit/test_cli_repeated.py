"""An option that takes one value and has two that differ is refused, in every command; so are two values of one key."""

from __future__ import annotations

import click
import pytest

from minpack.cli.repeated import takes_one
from minpack.cli.run import run
from minpack.errors import UsageError
from support.optionwalk import commands

COMMANDS = dict(commands())
#: Each option that takes one value, in each command that has it.
SINGLE = [
    (name, option)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if takes_one(parameter)
    for option in (*parameter.opts, *parameter.secondary_opts)
]


def parsed(name: str, words: list[str]) -> dict[str, object]:
    """What the parser of a command makes of words, before any value is looked at."""
    command = COMMANDS[name]
    parser = command.make_parser(click.Context(command, info_name=name))
    found: dict[str, object] = parser.parse_args(words)[0]
    return found


def test_there_are_such_options() -> None:
    """The walk below is about something."""
    assert len(SINGLE) > 200
    assert {"pack", "update", "run", "trace", "base image"} <= {name for name, _ in SINGLE}


@pytest.mark.parametrize(("name", "option"), SINGLE)
def test_two_values_are_refused(name: str, option: str) -> None:
    """The error names the option and the second value; the same value twice is one."""
    assert "one" in parsed(name, [option, "one", option, "one"]).values()
    with pytest.raises(UsageError) as caught:
        parsed(name, [option, "one", option, "two"])
    assert caught.value.value == "two"
    assert caught.value.reason == f"another {caught.value.option} is given"


def test_two_names_of_one_option() -> None:
    """They are the same option."""
    with pytest.raises(UsageError, match=r"cannot use --output 'b\.tar': another --output is given"):
        parsed("pack", ["-o", "a.tar", "--output=b.tar"])
    with pytest.raises(UsageError, match="another --output is given"):
        parsed("pack", ["-o=a.tar", "-ob.tar"])


def test_switches_may_be_repeated() -> None:
    """They say the same each time; and what may be given several times keeps all."""
    found = parsed("pack", ["-v", "-v", "-t", "a", "-t", "b"])
    assert found["verbose"] is True
    assert found["tags"] == ["a", "b"]


def test_help_is_shown_nevertheless(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help gets it."""
    assert run(["pack", "--user", "1", "--user", "2", "--help"]) == 0
    assert "Usage: minpack pack" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--env", "--label", "--annotation"])
def test_two_values_of_a_key_are_refused(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are not shown, as they may be secret; one value twice is one."""
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["pack", "./no-program", option, "KEY=s3cret", option, "KEY=0ther"]) == 2
    assert f"cannot use {option} 'KEY': it is given two values" in (err := capsys.readouterr().err)
    assert "s3cret" not in err
    assert "0ther" not in err
    assert run(["pack", "./no-program", option, "KEY=1", option, "KEY=1"]) == 1
    assert "no-program" in capsys.readouterr().err
