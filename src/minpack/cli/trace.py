"""`minpack trace`."""

from __future__ import annotations

import shlex
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.config import NAMED_FILE, file_option, profile_option
from minpack.cli.effects import refuse_explicit, refuse_without_registry
from minpack.cli.options import (
    FILLED,
    Command,
    Parsed,
    base_option,
    completed,
    output_options,
    platform_option_of,
    registry_access_options,
    selected,
    store_options,
)
from minpack.cli.run_image import bind_option, network_option
from minpack.cli.spec import FileOptions, files_spec, packing_options, run_options
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.cli.tracing import traced
from minpack.config.model import CONFIG
from minpack.errors import BaseNeededError, InputError, UsageError
from minpack.excerpt import quoted
from minpack.progress import no_progress
from minpack.spec.acceptance import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from minpack.cli.trace_image import Written
    from minpack.spec.image import ImageSpec
    from minpack.tracing.trace import Traced

#: Where a command's own words are kept for the one that is printed.
_WORDS = "minpack.words"
#: The options that `minpack pack` does not have: their parameters.
_OWN = frozenset(("on_host", "log", "binds", "network", "seconds", "quiet", "verbose", "as_json"))
#: Options of a run, which no file of images has.
_OF_THE_RUN = ("on_host", "log", "binds", "network", "seconds", "quiet")


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
@click.argument("program", metavar="APP", type=click.Path(readable=False), shell_complete=completed("image or file"))
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
@click.option(
    "--write",
    is_flag=True,
    help=f"APP is an image of {CONFIG}: run its program with its settings, and add to them what packs the rest.",
)
@file_option
@profile_option
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
    minpack trace --write web --selftest                     add to minpack.toml

    The program runs as it would in its image, as the image's user, but can also read the whole base. What it writes is
    discarded; its output goes to stderr. The last line is the command that also packs the files it used.
    """  # noqa: D301 - click's mark for a block
    _refuse_idle(given, arguments)
    with _late_options(program, arguments):
        _trace(program, arguments, given)


@contextmanager
def _late_options(program: str, arguments: Sequence[str]) -> Generator[None]:
    """Let an error that an option behind APP would have spared say so: it went to the program."""
    try:
        yield
    except (BaseNeededError, InputError) as error:
        own = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        late = next((name for name in (word.partition("=")[0] for word in arguments) if name in own), None)
        if late is not None:
            error.hint = f"what follows APP goes to the program: put {late} before {quoted(program)}"
        raise


def _trace(program: str, arguments: tuple[str, ...], given: dict[str, Any]) -> None:
    """Trace a program that is named, or that of an image of the file."""
    if given["write"]:
        _trace_image({**given, "program": program}, arguments)
        return
    words = _kept_words(click.get_current_context(), 1 + len(arguments))
    if not any(base.is_pulled for _, base in given["base"]):
        refuse_without_registry(given)
    platforms = (given["platform"],) if given["platform"] is not None else None
    named = {**given, "programs": (program,), "platforms": platforms, "on": None}
    spec = files_spec(selected(FileOptions, named))
    found = _traced(spec, arguments, given)
    _tell(found, ("minpack", "pack", *words, *found.options.words, program), given)


def _trace_image(given: dict[str, Any], arguments: tuple[str, ...]) -> None:
    """Trace the program of an image of the file, and write what was found into it."""
    from minpack.cli.trace_image import read_traced_image, write_options  # noqa: PLC0415 - for --write alone

    ready, program, options = read_traced_image(given)
    spec = files_spec(selected(FileOptions, {**options, "programs": (program, *options["programs"][1:])}))
    found = _traced(spec, arguments, {**options, **{key: given[key] for key in _OF_THE_RUN}})
    written = write_options(ready, found.options)
    file = click.get_current_context().meta.get(NAMED_FILE)
    named = [*(("-f", file) if file else ()), *(word for one in given["profiles"] for word in ("--profile", one))]
    with reporting(f"{written.path!r} was written" if written.keys else ""):
        _tell(found, ("minpack", "build", *named, ready.name), given, written)


def _traced(spec: ImageSpec, arguments: tuple[str, ...], given: dict[str, Any]) -> Traced:
    # What draws must be gone before a process is made.
    with drawing(quiet=given["quiet"]) if given["log"] else nullcontext(no_progress) as progress:
        return traced(spec, (arguments,), given, progress)


def _tell(found: Traced, packing: Sequence[str], given: dict[str, Any], written: Written | None = None) -> None:
    """Print what was found, as the options say.

    :param packing: the command that packs it.
    """
    from minpack.report.trace import trace_document, trace_lines  # noqa: PLC0415 - after what may fail

    if given["as_json"]:
        place = {"file": written.path, "image": written.image, "keys": list(written.keys)} if written else None
        print_json({**trace_document(found, packing), "wrote": place})
        return
    print_notes(found.notes, quiet=given["quiet"])
    if not given["quiet"]:
        lines = trace_lines(found, packing if written is None else (), verbose=given["verbose"])
        if written is not None and written.keys:
            lines += [
                f"wrote {written.path}: {', '.join(written.keys)} of {written.image}",
                f"next: {shlex.join(packing)}",
            ]
        print_lines(lines)
    elif found.options.words:
        print_lines([shlex.join(found.options.words)])


def _refuse_idle(given: dict[str, Any], arguments: Sequence[str]) -> None:
    """Raise `UsageError` if an option is given that does nothing with another."""
    if not given["write"]:
        options = {"file": "--file", "profiles": "--profile"}
        refuse_explicit(options, "no configuration file is used", "add --write, or leave it out")
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
