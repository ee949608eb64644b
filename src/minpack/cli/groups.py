"""`HelpfulGroup`: a group of commands that shows its help when none is named."""

from __future__ import annotations

import click

from minpack.cli.options import Command, Helpful


class NothingAskedError(click.UsageError):
    """No command was named; the message is the help."""


class HelpfulGroup(Helpful, click.Group):
    """Raises `NothingAskedError` where click's versions differ in stream and exit code; keeps its commands' order."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order they were defined."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's.

        :raises NothingAskedError: there are no arguments.
        """
        if not args and not ctx.resilient_parsing:
            raise NothingAskedError(ctx.get_help(), ctx)
        return super().parse_args(ctx, args)
