"""`lock`, `update` and `outdated` on all images of `minpack.toml`: one after the other, as they may share a lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.config import check_ready, pack_context, read_images, ready_images
from minpack.cli.effects import refuse_explicit
from minpack.cli.options import LOCK
from minpack.cli.terminal import print_error, print_json
from minpack.config.model import CONFIG
from minpack.errors import ConfigError, MinpackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minpack.cli.config import ReadyImage


def means_file(given: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether a command is about the images of a file: one is named, or there is one and nothing else is named.

    :raises UsageError: an option is about the file, and none is meant.
    """
    if given["file"] is not None or (not words and os.path.isfile(CONFIG)):
        return True
    refuse_explicit({"profiles": "--profile"}, "no configuration file is used", "name it with -f FILE, or leave it out")
    return False


def images_of(given: Mapping[str, Any], names: Sequence[str]) -> list[ReadyImage]:
    """The images that are meant, each with what pack is given for it.

    :raises ConfigError: they cannot be locked as they are.
    """
    outer = click.get_current_context()
    ready = ready_images(read_images(given, names), outer)
    for one in ready:
        check_ready(one)
    _refuse_same_name(ready)
    return ready


def locks_of(ready: Sequence[ReadyImage]) -> tuple[str, ...]:
    """The lock files of the images, each once."""
    return tuple(dict.fromkeys(one.given["lock"] or LOCK for one in ready))


def _refuse_same_name(ready: Sequence[ReadyImage]) -> None:
    """Raise `ConfigError` if a lock would have two images under one name: that of their program."""
    known: dict[tuple[str, str], str] = {}
    for one in ready:
        path, name = one.given["lock"] or LOCK, os.path.basename(one.image.programs[0])
        other = known.setdefault((os.path.realpath(path), name), one.name)
        if other != one.name:
            reason = f"{path} would have both it and {other} as {name!r}, the name of their program"
            hint = f'give it a lock of its own: lock = "{one.name}.lock"'
            raise ConfigError(one.image.path, *one.image.settings.place, f"image.{one.name}", "", reason, hint)


def for_each(
    ready: Sequence[ReadyImage],
    given: Mapping[str, Any],
    schema: str,
    work: Callable[[dict[str, Any]], tuple[dict[str, Any], Callable[[], None]]],
) -> int:
    """Do `work` on what each image is given, and print what it says of each; the exit code.

    What fails is printed, and the others are done all the same.

    :param work: gives the document about an image, and what prints it as text.
    """
    codes: set[int] = set()
    documents: list[dict[str, Any]] = []
    for one in ready:
        try:
            with pack_context(one) as options:
                document, tell = work({**options, **_of_run(given)})
        except MinpackError as error:
            codes.add(error.exit_code)
            print_error(f"{one.name}: {error.message}", error.hint)
            failure = {"kind": error.kind, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
            documents.append({"name": one.name, "error": failure})
            continue
        documents.append({"name": one.name, "error": None, **document})
        if not given["as_json"]:
            tell()
    if given["as_json"]:
        print_json({"schema": schema, "file": given["file"] or CONFIG, "images": documents})
    return codes.pop() if len(codes) == 1 else min(len(codes), 1)


def _of_run(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is about the run, and not about an image."""
    names = ("quiet", "verbose", "as_json", "dry_run", "username", "password_stdin")
    return {name: given[name] for name in names if name in given}
