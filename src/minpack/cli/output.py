"""The options about the result, from them to a `OutputSpec`, and which of them cannot be meant together."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from minpack.cli.options import STDOUT, Choice, applied, filled, parsed
from minpack.cli.settings import engine_environment, never_replaced, temporary_directory
from minpack.cli.terminal import binary_stdout, print_lines, stdout_is_closed
from minpack.errors import OutputError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.oci.reference import Reference, parse_reference
from minpack.output.target import Format, OutputSpec

if TYPE_CHECKING:
    from minpack.output.target import WrittenOutput

_ENDINGS = {Format.ARCHIVE: ".tar", Format.OCI: "-oci", Format.ROOTFS: "-rootfs", Format.TAR: "-rootfs.tar"}


result_options = applied(
    click.option(
        "-t",
        "--tag",
        "tags",
        multiple=True,
        metavar="NAME",
        callback=parsed(parse_reference),
        help="Name of the image, like me/myapp:1.0; repeatable. Default: the program's name, with :latest.",
    ),
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        callback=filled,
        help="File or directory to write; - for stdout. In an existing directory, or after a final slash, the file is"
        " named after the program.",
    ),
    click.option(
        "--format",
        "format_",
        type=Choice([str(f) for f in Format]),
        default="archive",
        show_default=True,
        help="archive: loads into every engine; oci: a layout directory; rootfs: the tree as a directory; tar: the tree"
        " as a tar.",
    ),
    click.option(
        "--load",
        is_flag=True,
        help="Load the image into the container engine; without -o, write no file. With -q, print its name alone.",
    ),
    click.option(
        "--force", is_flag=True, help="Replace a directory that is not empty, or a file that is not a tar archive."
    ),
    click.option(
        "--created", metavar="SECONDS", help="Timestamp of the image and its files. Default: SOURCE_DATE_EPOCH, else 0."
    ),
    click.option(
        "--compress",
        type=Choice(["none", "balanced", "small"]),
        help="How hard to compress layers. Default: balanced; with --load alone none, unless they are cached.",
    ),
    click.option("--zstd", is_flag=True, help="Compress with zstd (Docker from 23.0, podman, containerd)."),
)


class OutputSettings(NamedTuple):
    """The options about the result, as they were given."""

    tags: tuple[Reference, ...]
    output: str | None
    format: Format
    load: bool
    force: bool
    as_json: bool
    #: Whether --compress or --zstd says how layers are compressed.
    compresses: bool


def output_spec(settings: OutputSettings, name: str, default: Reference, lock: str | None = None) -> OutputSpec:
    """Where the result goes.

    :param name: what the file is called after where no path was given, or a directory.
    :param lock: the lock file that is built from, if any is.
    :raises UsageError: the options contradict each other.
    :raises OutputError: stdout is closed.
    """
    path, form = "-" if settings.output in STDOUT else settings.output, settings.format
    if settings.load and form is not Format.ARCHIVE:
        raise UsageError(
            "--load", "", f"an engine loads archives, and --format {form} makes none", "give only one of them"
        )
    if path == "-":
        _check_stdout(settings)
    own = f"{name}{_ENDINGS[form]}"
    load_alone = path is None and settings.load
    if path is None and not settings.load:
        path = f"./{own}"
    below = path is not None and not form.is_directory and (path.endswith("/") or os.path.isdir(path))
    return OutputSpec(
        form,
        os.path.join(path, own) if below and path is not None else path,
        tuple(dict.fromkeys(settings.tags)) or (default,),
        settings.force,
        engine_environment() if settings.load else None,
        binary_stdout() if path == "-" else None,
        temporary_directory(),
        never_replaced(lock),
        below,
        load_alone and not settings.compresses,
    )


def done(written: WrittenOutput | None) -> str:
    """What was written, as a sentence; empty for nothing."""
    outputs = written.outputs if written is not None else ()
    parts = [f"{out.path!r} was written" if out.path is not None else f"{out.reference} was loaded" for out in outputs]
    return " and ".join(parts)


def print_loaded(written: WrittenOutput | None) -> None:
    """Print the name by which the engine knows the image, where it was loaded: what a quiet run is asked for.

    :raises OutputError: it cannot be written.
    """
    if written is not None and any(output.reference for output in written.outputs):
        print_lines((written.references[0].familiar,))


def refuse_two_results(*, quiet: bool, load: bool, output: str | None) -> None:
    """Raise `UsageError` if stdout is to have both the image and the name that a quiet run prints."""
    if quiet and load and (output == "-" or output in STDOUT):
        raise UsageError("-q", "", "--load prints the image's name, and -o - takes stdout", "leave -q out")


def _check_stdout(settings: OutputSettings) -> None:
    if settings.format.is_directory:
        raise UsageError("-o", "-", f"--format {settings.format} makes a directory", "name one with -o PATH")
    if settings.as_json:
        raise UsageError("-o", "-", "--json takes stdout", "name a file with -o PATH")
    if stdout_is_closed():
        raise OutputError("-", "stdout is closed", "name a file with -o PATH")
    if os.isatty(sys.stdout.fileno()):
        raise UsageError("-o", "-", "stdout is a terminal", "redirect it to a file or a program")


def compression_of(level: str | None, *, zstd: bool) -> Compression:
    """The compression that --compress and --zstd mean together.

    :raises UsageError: they contradict each other.
    """
    if zstd and level == "none":
        raise UsageError("--zstd", "", "--compress none compresses nothing", "give only one of them")
    if zstd:
        return Compression.ZSTD_SMALL if level == "small" else Compression.ZSTD
    return Compression(level or "balanced")
