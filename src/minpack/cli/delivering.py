"""From the output options to a `Delivery`, and which of them cannot be meant together."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from minpack.cli.settings import engine_environment, temporary_directory
from minpack.cli.terminal import binary_stdout, stdout_is_closed
from minpack.deliver import Delivery, Format
from minpack.errors import OutputError, UsageError

if TYPE_CHECKING:
    from minpack.oci.reference import Reference

_ENDINGS = {Format.ARCHIVE: ".tar", Format.OCI: "-oci", Format.ROOTFS: "-rootfs", Format.TAR: "-rootfs.tar"}


class OutputSettings(NamedTuple):
    """The options about the result, as they were given."""

    tags: tuple[Reference, ...]
    output: str | None
    format: Format
    load: bool
    force: bool
    as_json: bool


def delivery_of(settings: OutputSettings, name: str, default: Reference) -> Delivery:
    """Where the result goes.

    :param name: what the file is called after where no path was given.
    :raises UsageError: the options contradict each other.
    :raises OutputError: stdout is closed.
    """
    path, form = settings.output, settings.format
    if settings.load and form is not Format.ARCHIVE:
        raise UsageError("--load", "", f"an engine loads archives, and --format {form} makes none", "leave one out")
    if path == "-":
        _check_stdout(settings)
    if path is None and not settings.load:
        path = f"./{name}{_ENDINGS[form]}"
    return Delivery(
        form,
        path,
        tuple(dict.fromkeys(settings.tags)) or (default,),
        settings.force,
        engine_environment() if settings.load else None,
        binary_stdout() if path == "-" else None,
        temporary_directory(),
    )


def _check_stdout(settings: OutputSettings) -> None:
    if settings.format in (Format.OCI, Format.ROOTFS):
        raise UsageError("-o", "-", f"--format {settings.format} makes a directory", "name one with -o PATH")
    if settings.as_json:
        raise UsageError("-o", "-", "--json takes stdout", "name a file with -o PATH")
    if stdout_is_closed():
        raise OutputError("-", "stdout is closed", "name a file with -o PATH")
    if os.isatty(sys.stdout.fileno()):
        raise UsageError("-o", "-", "stdout is a terminal", "redirect it to a file or a program")
