"""Which command is meant, and what click's errors become."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from minpack.cli.app import COMMANDS, HABITS, SECTIONS, app, with_command
from minpack.cli.usage import suggestion, usage_error
from minpack.errors import BaseError, InputError, MinpackError, UsageError
from support.elfmaker import static_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ""),
        ("./app", "pack ./app"),
        ("--base x ./app", "pack --base x ./app"),
        ("-o - ./app", "pack -o - ./app"),
        ("-- ./app", "pack -- ./app"),
        ("tree ./app", "tree ./app"),
        ("./tree", "pack ./tree"),
        ("--help", "--help"),
        ("-h", "-h"),
        ("--version", "--version"),
        ("help", "--help"),
        ("help tree", "tree --help"),
        ("help base info", "base info --help"),
        ("help ./app", "pack help ./app"),
        ("help -q", "pack help -q"),
        ("help help", "--help"),
        ("base help", "base --help"),
        ("cache help prune", "cache prune --help"),
        ("tree help", "tree help"),
        ("./help", "pack ./help"),
    ],
)
def test_which_command_is_meant(arguments: str, expected: str) -> None:
    """The first word decides, and what is not a command belongs to `pack`."""
    assert with_command(arguments.split()) == expected.split()


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("tre", "did you mean minpack help tree? minpack help lists them"),
        ("nosuch", "minpack help lists them"),
    ],
)
def test_help_of_what_is_no_command(word: str, hint: str) -> None:
    """It is told, and nothing is packed."""
    with pytest.raises(UsageError) as caught:
        with_command(["help", word])
    assert caught.value.message == f"cannot show the help of {word!r}: no such command"
    assert caught.value.hint == hint


def test_programs_that_are_called_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the word behind it is a file, `help` is one too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").touch()
    assert with_command(["help", "app"]) == ["pack", "help", "app"]


def test_every_command_is_in_one_section_of_the_help() -> None:
    """`minpack --help` lists all commands, each once."""
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)


def test_every_command_is_there() -> None:
    """Each can be imported, and is called as it is listed."""
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert app.get_command(context, "nonsense") is None


def error_of(*arguments: str) -> str:
    """The text that a usage error of these arguments becomes."""
    with pytest.raises(click.UsageError) as caught, app.make_context("minpack", list(arguments)) as context:
        app.invoke(context)
    return usage_error(caught.value, arguments[0]).message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pack", "--nonsense"), "cannot use --nonsense: no such option"),
        (("tree", "x", "-o", "y"), "cannot use -o: no such option"),
        (("pack", "x", "--tag"), "cannot use --tag: it needs a value"),
        (("pack", "x", "--force=1"), "cannot use --force: it takes no value"),
        (("inspect",), "cannot run minpack inspect: no program or image is named"),
        (("check",), "cannot run minpack check: no image is named"),
        (("completion",), "cannot run minpack completion: no shell is named"),
        (("base", "info", "a", "b"), "cannot run minpack base info: got unexpected extra argument (b)"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    """Each has the form of all errors, and names the option or the command."""
    assert error_of(*arguments) == message


LEAVES = [
    ("pack",),
    ("tree",),
    ("inspect",),
    ("lock",),
    ("update",),
    *(
        (group, name)
        for group, names in (("base", "list pull info image"), ("cache", "info prune clean"))
        for name in names.split()
    ),
]


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_takes_the_value_of_a_short_option_behind_an_equals_sign(command: tuple[str, ...]) -> None:
    """As that of a long one: the value has no such sign."""
    assert error_of(*command, "-q=1") == "cannot use -q: it takes no value"


def test_the_sign_is_no_part_of_the_value() -> None:
    """Whatever the command."""
    for command in ("pack", "tree"):
        made = app.get_command(click.Context(app), command)
        assert made is not None
        with made.make_context(command, ["-e=A=B=C", "app"]) as context:
            assert context.params["env"] == (("A", "B=C"),)


def test_suggestions() -> None:
    """A first word that is not a file, has no slash and is like a command gets that command in the hint."""
    missing = InputError("inspct", "no such file or directory", hint="check the path")
    assert suggestion(missing, ["inspct", "./app"]) == "check the path; did you mean minpack inspect?"
    assert suggestion(missing, ["./app", "inspct"]) == "check the path"
    assert suggestion(InputError("server", "no", hint="h"), ["server"]) == "h"
    assert suggestion(InputError("./tre", "no", hint="h"), ["./tre"]) == "h"
    assert suggestion(InputError("tre", "no"), ["tre"]) == "did you mean minpack tree?"
    assert suggestion(InputError("tree", "no"), ["-q", "tree", "./app"]) == "did you mean minpack tree?"
    assert suggestion(InputError("tree", "no", hint="h"), ["./app", "tree"]) == "h"
    assert suggestion(InputError("version", "no"), ["version"]) == "did you mean minpack --version?"
    assert suggestion(InputError("help", "no", hint="h"), ["tree", "help"]) == "minpack tree --help shows the help"
    assert suggestion(BaseError("tre", "no", "h"), ["tre"]) == "h"
    assert suggestion(missing, []) == "check the path"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("version", "did you mean minpack --version?"),
        ("list", "did you mean minpack base list?"),
    ],
)
def test_commands_of_other_tools_have_an_answer(
    word: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever follows them; a file of that name is a program."""
    monkeypatch.chdir(tmp_path)
    for rest in ([], ["./app"], ["--rm", "-it", "image"]):
        with pytest.raises(UsageError, match=f"^cannot run minpack {word}: no such command$") as caught:
            app.make_context("minpack", [word, *rest])
        assert hint in str(caught.value.hint)
    assert word in HABITS
    (tmp_path / word).touch()
    app.make_context("minpack", [word])


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--name", "-t NAME"),
        ("--arch", "--platform OS/ARCH"),
        ("--port", "--expose PORT"),
        ("-p", "--expose PORT"),
        ("--env-file", "-e KEY=VALUE"),
        ("--copy", "--add SRC:DST"),
        ("--timezone", "--tz ZONE"),
        ("--include", "--add SRC:DST"),
        ("--digestfile", "--digest-file FILE"),
    ],
)
def test_options_of_other_tools_have_an_answer(option: str, hint: str) -> None:
    """It names the option here, of commands that have it."""
    for command, known in (("pack", True), ("completion", False)):
        with (
            pytest.raises(click.UsageError) as caught,
            app.make_context("minpack", [command, "./app", option, "x"]) as c,
        ):
            app.invoke(c)
        error = usage_error(caught.value, command)
        assert error.message == f"cannot use {option}: no such option"
        assert (hint in str(error.hint)) == known


@pytest.mark.parametrize(("command", "option"), [("tree", "--on"), ("tree", "-o"), ("inspect", "--push")])
def test_an_option_of_pack_is_no_misspelled_one(command: str, option: str) -> None:
    """The hint says whose it is, in place of options that are written like it."""
    with pytest.raises(click.UsageError) as caught, app.make_context("minpack", [command, "x", option, "x"]) as context:
        app.invoke(context)
    hint = f"minpack pack has it; minpack {command} --help shows the usage"
    assert usage_error(caught.value, command).hint == hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("debian:12", "debian-12"),
        ("debian", "debian-13"),
        ("bookworm", "debian-12"),
        ("alpine:3.22", "alpine-3.22"),
        ("alpine", "alpine-3."),
    ],
)
def test_bases_by_the_names_of_images_have_an_answer(text: str, name: str, tmp_path: Path) -> None:
    """The name that the catalogue has for them."""
    (tmp_path / "app").write_bytes(static_program())
    with (
        pytest.raises(MinpackError) as caught,
        app.make_context("minpack", [str(tmp_path / "app"), "--base", text, "--offline"]) as c,
    ):
        app.invoke(c)
    asked = "for the base of the catalogue: --base" if ":" in text else "did you mean"
    assert f"{asked} {name}" in str(caught.value.hint)
