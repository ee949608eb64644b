"""Usage errors that click finds, in minpack's own form."""

from __future__ import annotations

import click

from minpack.cli.app import COMMANDS, HABITS
from minpack.cli.habits import habit_error, habit_option
from minpack.errors import InputError, MinpackError, UsageError

#: What is missing where an argument is, in words, and an example of one.
_MISSING = {
    "APP": ("program", "./myapp"),
    "[APP|NAME]": ("program", "./myapp"),
    "APP|IMAGE": ("program or image", "./myapp"),
    "BASE": ("base", "alpine-3.22"),
    "IMAGE": ("image", "./myapp.tar"),
    "SHELL": ("shell", "bash"),
}


def suggestion(error: MinpackError, arguments: list[str]) -> str | None:
    """The error's hint, with the command that a word that is not a file could be meant for: commands come first."""
    first = arguments[0] if arguments else ""
    word = error.path if isinstance(error, InputError) else ""
    if word == "help" and first in COMMANDS:
        return f"minpack {first} --help shows the help"
    if not word or "/" in word or (word != first and not (first.startswith("-") and word in (*COMMANDS, *HABITS))):
        return error.hint
    if word in HABITS:
        return habit_error(word).hint
    from difflib import get_close_matches  # noqa: PLC0415

    near = [f"did you mean minpack {name}?" for name in get_close_matches(word, [*COMMANDS, "--version"], 1)]
    return "; ".join([error.hint, *near] if error.hint else near) or None


def _near(error: click.NoSuchOption) -> str:
    """The command that has the option, if it is one of `pack`, else the options that are written like it."""
    root = error.ctx.find_root() if error.ctx is not None else None
    pack = (
        root.command.get_command(root, "pack") if root is not None and isinstance(root.command, click.Group) else None
    )
    if pack is not None and any(error.option_name in one.opts for one in pack.params):
        return "minpack pack has it; "
    return f"did you mean {' or '.join(sorted(error.possibilities))}? " if error.possibilities else ""


def usage_error(error: click.UsageError, word: str) -> UsageError:
    """The same error as ``cannot use OPTION: REASON`` or ``cannot run COMMAND: REASON``.

    :param word: the command, for errors that do not know it.
    """
    command = error.ctx.command_path if error.ctx is not None else f"minpack {word}"
    hint = f"{command} --help shows the usage"
    if isinstance(error, click.NoSuchOption):
        return UsageError(error.option_name, "", "no such option", habit_option(error) or _near(error) + hint)
    if isinstance(error, click.BadOptionUsage):
        reason = "it needs a value" if "requires" in error.message else "it takes no value"
        return UsageError(error.option_name, "", reason, hint)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = (error.param.metavar or error.param.human_readable_name).removesuffix("...")
        what, example = _MISSING.get(name, (name, ""))
        typed = command.removesuffix(" pack") if name == "APP" else command
        hint = f"name {'an' if what == 'image' else 'a'} {what}: {typed} {example}" if example else hint
        return UsageError(command, "", f"no {what} is named", hint, verb="run")
    text = error.message.rstrip(".")
    reason = text[:1].lower() + text[1:]
    if isinstance(error, click.BadParameter) and error.param is not None:
        return UsageError(error.param.opts[-1], "", reason, hint)
    return UsageError(command, "", reason, hint, verb="run")
