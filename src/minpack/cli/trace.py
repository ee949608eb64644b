"""`minpack trace`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.effects import refuse_without_registry
from minpack.cli.options import (
    FILLED,
    Command,
    Parsed,
    base_option,
    output_options,
    platform_option_of,
    registry_access_options,
    selected,
    store_options,
)
from minpack.cli.run_image import bind_option, network_option
from minpack.cli.spec import FileOptions, files_spec, packing_options, run_options
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes
from minpack.cli.tracing import traced
from minpack.errors import UsageError
from minpack.progress import no_progress
from minpack.spec.acceptance import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where a command's own words are kept for the one that is printed.
_WORDS = "minpack.words"
#: The options that `minpack pack` does not have: their parameters.
_OWN = frozenset(("on_host", "log", "binds", "network", "seconds", "quiet", "verbose", "as_json"))


class TraceCommand(Command):
    """A command that remembers its words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's."""
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)


@click.command(
    "trace",
    cls=TraceCommand,
    short_help="Run a program once and list the files its image lacks.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("program", metavar="APP", type=click.Path(readable=False))
@click.argument("arguments", metavar="[ARG...]", nargs=-1, type=click.UNPROCESSED)
@base_option
@platform_option_of("Variant of the program's platform (linux/arm/v6).")
@run_options
@click.option(
    "--host",
    "on_host",
    is_flag=True,
    help="Run the program directly on this host, as you, not in its image.",
)
@click.option(
    "--from",
    "log",
    type=FILLED,
    metavar="LOG",
    help="Run nothing; read this log of strace -f (or LOG.PID of strace -ff) instead. strace -y makes it exact.",
)
@bind_option
@network_option
@click.option(
    "--time-limit",
    "seconds",
    type=Parsed(parse_seconds),
    metavar="TIME",
    help="Stop the program after this time (30, 10m), and report what it did.",
)
@packing_options
@registry_access_options
@store_options
@output_options
def command(program: str, arguments: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 - the options above
    """Run APP once under strace, and list the files it uses that its image lacks.

    \b
    minpack trace --base / /usr/bin/git --version
    minpack trace --base debian:12 --time-limit 5 ./server   stop after 5 s
    minpack trace --base / --from strace.log ./myapp         read an existing log

    The program runs as it would in its image, as the image's user, but can also read the whole base. What it writes is
    discarded; its output goes to stderr. The last line is the command that also packs the files it used.
    """  # noqa: D301 - click's mark for a block
    words = _kept_words(click.get_current_context(), 1 + len(arguments))
    _refuse_idle(given, arguments)
    if not any(base.is_pulled for _, base in given["base"]):
        refuse_without_registry(given)
    platforms = (given["platform"],) if given["platform"] is not None else None
    named = {**given, "programs": (program,), "platforms": platforms, "on": None}
    spec = files_spec(selected(FileOptions, named))
    # What draws must be gone before a process is made.
    with drawing(quiet=given["quiet"]) if given["log"] else nullcontext(no_progress) as progress:
        found = traced(spec, (arguments,), given, progress)
    packing = ("minpack", "pack", *words, *found.options.words, program)
    from minpack.report.trace import trace_document, trace_lines  # noqa: PLC0415 - after what may fail

    if given["as_json"]:
        print_json(trace_document(found, packing))
        return
    print_notes(found.notes, quiet=given["quiet"])
    if not given["quiet"]:
        print_lines(trace_lines(found, packing, verbose=given["verbose"]))
    elif found.options.words:
        import shlex  # noqa: PLC0415 - with -q alone

        print_lines([shlex.join(found.options.words)])


def _refuse_idle(given: dict[str, Any], arguments: Sequence[str]) -> None:
    """Raise `UsageError` if an option is given that does nothing with another."""
    if given["log"] is not None:
        if arguments:
            raise UsageError("ARG", arguments[0], "--from runs nothing", "leave the arguments out")
        for key, option in (
            ("on_host", "--host"),
            ("binds", "--bind"),
            ("network", "--net"),
            ("seconds", "--time-limit"),
        ):
            if given[key]:
                raise UsageError(option, "", "--from runs nothing", "give only one of them")
    if given["on_host"]:
        for key, option in (("binds", "--bind"), ("network", "--net"), ("user", "--user"), ("workdir", "--workdir")):
            if given[key]:
                raise UsageError(option, "", "--host runs the program as it is here", "give only one of them")


def _kept_words(context: click.Context, arguments: int) -> list[str]:
    """The options as they were written that `minpack pack` has too.

    :param arguments: how many words behind the options are no options.
    """
    words = list(context.meta[_WORDS])
    words = words[: len(words) - arguments]
    parameters = {option: parameter for parameter in context.command.params for option in parameter.opts}
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            continue
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        parameter = parameters.get(name)
        taken = [word]
        alone = "=" in word if word.startswith("--") else len(word) > len("-x")
        if isinstance(parameter, click.Option) and not parameter.is_flag and not alone and words:
            taken.append(words.pop(0))
        if parameter is None or parameter.name not in _OWN:
            kept += taken
    return kept
