"""The group of all commands; each is imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from minpack._version import __version__

#: Each command's module and its line in the help.
COMMANDS = {
    "pack": ("minpack.cli.pack", "Pack programs into an image (the default command)."),
    "inspect": ("minpack.cli.inspect", "Show what a program is and needs."),
    "tree": ("minpack.cli.tree", "Show what the dynamic loader would open."),
    "base": ("minpack.cli.base", "List, fetch and show bases; make an image of a whole one."),
    "completion": ("minpack.cli.completion", "Print the completion script for a shell."),
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class LazyGroup(click.Group):
    """Imports a command's module when the command is looked up, and not for the list of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command), f"internal error: {cmd_name} is no command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings=CONTEXT,
    epilog="`minpack APP` means `minpack pack APP`. `minpack COMMAND --help` shows a command's options.",
)
@click.version_option(__version__, message="minpack %(version)s")
def app() -> None:
    """Pack a program into the smallest container image that works.

    minpack reads ELF programs, works out which files they need, takes just those out of a base, and writes an
    image from scratch: no daemon, no Dockerfile, nothing run.
    """
