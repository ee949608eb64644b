"""The group of all commands; each is imported when it is called."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import click

from minpack._version import __version__
from minpack.cli.groups import HelpfulGroup
from minpack.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Each command's module and its line in the help.
COMMANDS = {
    "pack": ("minpack.cli.pack", "Pack programs into an image (the default command)."),
    "build": ("minpack.cli.build", "Build the images in minpack.toml."),
    "show": ("minpack.cli.show", "Show the settings of the images in minpack.toml."),
    "init": ("minpack.cli.init", "Write a minpack.toml for this project."),
    "push": ("minpack.cli.push", "Push a finished image to registries."),
    "run": ("minpack.cli.run_image", "Run an image or a program without a container engine."),
    "trace": ("minpack.cli.trace", "Run a program once and list the files its image lacks."),
    "check": ("minpack.cli.check", "Check whether an image will start."),
    "why": ("minpack.cli.why", "Show why a file is in an image, or list unneeded files."),
    "shrink": ("minpack.cli.shrink", "Rewrite an image without the files that it does not need."),
    "deployment": ("minpack.cli.deployment", "Print a Kubernetes or Compose manifest for an image."),
    "diff": ("minpack.cli.diff", "Compare two images."),
    "report": ("minpack.cli.report", "Show what is in an image and why, as text or as a page."),
    "export": ("minpack.cli.export", "Extract the files of an image to a directory or a tar."),
    "debug": ("minpack.cli.debug", "Add a shell and tools to an image or running container."),
    "inspect": ("minpack.cli.inspect", "Show what a program is and what it needs."),
    "tree": ("minpack.cli.tree", "Show the files that the dynamic loader would open."),
    "sbom": ("minpack.cli.sbom", "Write an SBOM for an image or a program."),
    "sign": ("minpack.cli.sign", "Sign an image, or generate a signing key."),
    "verify": ("minpack.cli.verify", "Verify an image's signature and contents."),
    "vex": ("minpack.cli.vex", "List vulnerabilities that cannot affect an image (OpenVEX)."),
    "lock": ("minpack.cli.lock", "Record what an image is made of in a lock file."),
    "update": ("minpack.cli.update", "Update a lock file and show what changes."),
    "outdated": ("minpack.cli.outdated", "Show which files in images have changed upstream."),
    "base": ("minpack.cli.base", "List, fetch and inspect bases, or turn one into an image."),
    "cache": ("minpack.cli.cache", "Show, prune or empty the cache."),
    "completion": ("minpack.cli.completion", "Print a shell completion script."),
}
#: The commands in the help.
SECTIONS = {
    "Build images": ("pack", "build", "show", "init", "push", "shrink"),
    "Run and debug": ("run", "trace", "debug", "deployment"),
    "Examine images and programs": ("check", "inspect", "tree", "why", "diff", "report", "export"),
    "Sign and document images": ("sbom", "vex", "sign", "verify"),
    "Keep images up to date": ("lock", "update", "outdated"),
    "Other commands": ("base", "cache", "completion"),
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
#: The variable by which completion scripts ask.
COMPLETE = "_MINPACK_COMPLETE"
#: The commands that have commands.
_GROUPS = ("base", "cache")
#: Commands of other tools, for which `cli/habits.py` says what to type here.
HABITS = frozenset(("version", "list"))
#: What `minpack` answers itself, without a command.
_OWN = ("--help", "-h", "--version")


def with_command(arguments: list[str]) -> list[str]:
    """`minpack APP …` means `minpack pack APP …`, and `minpack help …` means `minpack … --help`.

    :raises UsageError: help is asked for of what is not a command.
    """
    if arguments[:1] == ["help"] and not _is_program(arguments[1:2]):
        return [*_known(arguments[1:]), "--help"]
    if len(arguments) > 1 and arguments[0] in _GROUPS and arguments[1] == "help":
        return [arguments[0], *arguments[2:], "--help"]
    if not arguments or arguments[0] in COMMANDS or arguments[0] in _OWN:
        return arguments
    return ["pack", *arguments]


def _is_program(words: list[str]) -> bool:
    """Whether the word behind `help` shows that `help` is a program's name: it is an option, or a file of its own."""
    return any(word not in COMMANDS and (word.startswith("-") or "/" in word or os.path.exists(word)) for word in words)


def _known(words: list[str]) -> list[str]:
    """The command whose help is asked for; nothing for minpack itself.

    :raises UsageError: there is none of that name.
    """
    if words[:1] in ([], ["help"]) or words[0] in COMMANDS:
        return [word for word in words if word != "help"]
    from difflib import get_close_matches  # noqa: PLC0415 - for refusals alone

    near = "".join(f"did you mean minpack help {name}? " for name in get_close_matches(words[0], COMMANDS, 1))
    raise UsageError("the help of", words[0], "no such command", f"{near}minpack help lists them", verb="show")


class LazyGroup(HelpfulGroup):
    """Imports a command's module when the command is looked up, and not for the list of commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, with the default command put in.

        :raises UsageError: the first word is another tool's command, and no file.
        """
        if args and args[0] in HABITS and not ctx.resilient_parsing and not os.path.exists(args[0]):
            from minpack.cli.habits import habit_error  # noqa: PLC0415 - for refusals alone

            raise habit_error(args[0])
        return super().parse_args(ctx, with_command(args))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command), f"internal error: {cmd_name} is not a command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, or what `pack` would complete: the first word may be its option or program."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415

        if incomplete.startswith("-"):
            pack = self.get_command(ctx, "pack")
            assert pack is not None, "internal error: no default command"
            return [*super().shell_complete(ctx, incomplete), *pack.shell_complete(ctx, incomplete)]
        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


@click.group(
    cls=LazyGroup,
    context_settings=CONTEXT,
    epilog="`minpack APP` means `minpack pack APP`. `minpack COMMAND --help` shows a command's options.",
)
@click.version_option(__version__, message="minpack %(version)s")
def app() -> None:
    """Pack a program into the smallest container image that works.

    minpack reads ELF programs, finds the files they need, takes just those from a base, and writes an image from
    scratch. It needs no daemon and no Dockerfile, and runs nothing unless you ask it to.
    """
