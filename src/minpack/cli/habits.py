"""Commands and options of other tools, and what to type here instead. Imported for refusals alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import UsageError

if TYPE_CHECKING:
    import click

#: Commands of other tools, and what does here what they are for.
_HABITS = {
    "version": "did you mean minpack --version?",
    "list": "did you mean minpack base list?",
}
#: Options of other tools, the one that does the same here, and how it is written.
_HABIT_OPTIONS = {
    "--name": ("--tag", "-t NAME names the image"),
    "--arch": ("--platform", "the platform comes from the program; --platform OS/ARCH names it"),
    "--port": ("--expose", "--expose PORT declares a port"),
    "-p": ("--expose", "--expose PORT declares a port; docker run -p publishes it"),
    "--env-file": ("--env", "-e KEY=VALUE sets one variable; repeat it for each"),
    "--copy": ("--add", "--add SRC:DST adds a file of this host"),
    "--timezone": ("--tz", "--tz ZONE packs a time zone and sets TZ"),
    "--digestfile": ("--digest-file", "--digest-file FILE saves the image's digest"),
    "--include": ("--add", "--add SRC:DST adds a file of this host, --take PATH one of the base"),
}


def habit_error(word: str) -> UsageError:
    """That minpack has no command of this name, which other tools have, and what to type instead."""
    return UsageError(f"minpack {word}", "", "no such command", _HABITS[word], verb="run")


def habit_option(error: click.NoSuchOption) -> str:
    """What to write for another tool's option, if the command has one that does the same; else nothing."""
    option, text = _HABIT_OPTIONS.get(error.option_name, ("", ""))
    params = error.ctx.command.params if error.ctx is not None else []
    return text if any(option in parameter.opts for parameter in params) else ""
