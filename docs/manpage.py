"""The manual page, minpack.1: every command, from the same click commands as cli.md.

One page for all: whoever does not know which command an option is of searches one text. It is written in man(7), which
each system's man reads, in ASCII alone; https://man.openbsd.org/man.7 has the language.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

import click

from minpack import __version__
from minpack.cli.app import COMMANDS, app
from minpack.cli.help import GROUPS, group_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What `minpack.cli.help` puts all of into groups; shorter lists have none.
_FEW = 10
#: Who reads the source reads it in a terminal; mandoc's style asks for no more than 80.
_WIDTH = 78
_INTRODUCTION = """.SH DESCRIPTION
minpack reads ELF programs, works out which files they need, takes just those
from a base, and writes an image from scratch: no daemon, no Dockerfile, nothing
is run.
.PP
Results go to stdout, progress and messages to stderr.
.B \\-\\-json
prints one document on stdout and nothing else.
.B minpack APP
means
.BR "minpack pack APP" .
"""


def manual(date: str, variables: Iterable[tuple[str, str]], codes: Iterable[tuple[str, str]]) -> str:
    """The whole page.

    :param date: of the release; empty before the first.
    :param variables: the environment variables, each with its meaning, as Markdown.
    :param codes: the exit codes, each with its meaning, as Markdown.
    """
    lines = [
        f'.TH MINPACK 1 "{date}" "minpack {__version__}" "User commands"',
        # Neither hyphens nor wide spaces in lines of options.
        ".nh",
        ".ad l",
        ".SH NAME",
        "minpack \\- pack an ELF program into the smallest container image that works",
        ".SH SYNOPSIS",
        *_synopses(),
        *_INTRODUCTION.splitlines(),
        ".SH COMMANDS",
        *(line for words, command in all_commands() if words for line in _section(words, command)),
        ".SH ENVIRONMENT",
        *_rows(variables),
        ".SH EXIT STATUS",
        *_rows(codes),
        ".SH FILES",
        *_rows([("minpack.toml", "The images of a project."), ("minpack.lock", "What images are made of.")]),
        ".SH SEE ALSO",
        ".BR docker (1),",
        ".BR podman (1),",
        ".BR skopeo (1)",
    ]
    return "\n".join(lines) + "\n"


def all_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command and sub-command with its words, in the order shown; minpack itself first, with none."""
    context = click.Context(app)
    found: list[tuple[tuple[str, ...], click.Command]] = [((), app)]
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None, f"internal error: no command {name}"
        found.append(((name,), command))
        if isinstance(command, click.Group):
            found += [((name, sub), one) for sub, one in command.commands.items()]
    return found


def escaped(text: str) -> str:
    r"""The text as roff has it: `\` and `-` as themselves, all else that is not ASCII by its number."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"[^\n\x20-\x7e]", lambda one: f"\\[u{ord(one[0]):04X}]", plain)


def _filled(text: str) -> list[str]:
    """The text in lines, each sentence on lines of its own, as roff's own spacing wants it."""
    sentences = re.split(r"(?<=[a-z)\]][.:;]) +(?=[A-Z])", " ".join(text.split()))
    wrap = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_guarded(line) for sentence in sentences for line in wrap.wrap(escaped(sentence))]


def _guarded(line: str) -> str:
    """The line, which no dot or quote at its beginning makes a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _synopses() -> Iterator[str]:
    yield ".B minpack"
    yield "[OPTION]... APP..."
    yield ".br"
    yield ".B minpack"
    yield "COMMAND [OPTION]... [ARGUMENT]..."


def _section(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """What the page says of one command."""
    name = " ".join(("minpack", *words))
    pieces = command.collect_usage_pieces(click.Context(command, info_name=name))
    yield f".SS {name}"
    yield f".B {name}"
    yield from _filled(" ".join(pieces))
    yield from _text(inspect.cleandoc(command.help or ""))
    yield from _options(words, command)


def _text(text: str) -> Iterator[str]:
    """The paragraphs of a help text; those that click keeps as they are stay so."""
    for paragraph in text.replace("`", "").strip().split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from (".PP", ".nf", ".RS 4", *map(_guarded, escaped(paragraph[2:]).splitlines()), ".RE", ".fi")
        else:
            yield from (".PP", *_filled(paragraph))


def _options(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """The options of a command in their groups; those that `build` has of `pack` are said to be there."""
    context = click.Context(command, info_name=" ".join(words))
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and "--help" not in one.opts]
    if words == ("build",):
        shared = {one.name for one in _pack().params}
        options = [one for one in options if one.name not in shared]
        yield from (".PP", "All options of", ".B minpack pack", "and these:")
    if len(options) <= _FEW:
        yield from _rows(filter(None, (one.get_help_record(context) for one in options)), markdown=False)
        return
    for name in GROUPS:
        found = [one for one in options if group_of(max(one.opts, key=len)) == name]
        if found:
            yield from (".PP", f".I {name}")
            yield from _rows(filter(None, (one.get_help_record(context) for one in found)), markdown=False)


def _pack() -> click.Command:
    return next(command for words, command in all_commands() if words == ("pack",))


def _rows(rows: Iterable[tuple[str, str]], *, markdown: bool = True) -> Iterator[str]:
    """A tagged list."""
    for first, text in rows:
        yield ".TP"
        yield f".B {escaped(_plain(first) if markdown else first)}"
        yield from _filled(_plain(text) if markdown else text)


def _plain(text: str) -> str:
    """Markdown's text without its code marks and links."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text).replace("`", "")
