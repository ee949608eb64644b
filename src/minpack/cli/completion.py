"""`minpack completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from minpack.cli.app import COMPLETE
from minpack.cli.complete import script
from minpack.cli.options import Choice, Command
from minpack.cli.terminal import print_lines


@click.command("completion", cls=Command, short_help="Print a shell completion script.")
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    minpack completion bash > ~/.local/share/bash-completion/completions/minpack
    minpack completion zsh > "${fpath[1]}/_minpack"
    minpack completion fish > ~/.config/fish/completions/minpack.fish
    """  # noqa: D301 - click's mark for a block
    kind = get_completion_class(shell)
    assert kind is not None, f"internal error: click has no completion for {shell}"
    root = context.find_root().command
    print_lines(script(kind(root, {}, "minpack", COMPLETE)).splitlines(), whole=True)
