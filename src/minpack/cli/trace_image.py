"""Tracing the program of an image of `minpack.toml`, and writing into the file what was found: `trace --write`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from minpack.cli.config import check_ready, located, read_images, ready_images
from minpack.cli.effects import refuse_explicit
from minpack.cli.pack import command as pack_command
from minpack.cli.settings import host_platform
from minpack.config.edit import add_settings
from minpack.elf.read import read_elf
from minpack.errors import ConfigError, MinpackError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.program.additions import host_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.cli.config import ReadyImage
    from minpack.target import Platform
    from minpack.tracing.options import PackOptions

#: The options that a trace comes to: the parameters of each.
_FOUND = {"dest": "--dest", "wanted": "--need", "taken": "--take", "libraries": "--add-lib", "directories": "--dir"}


class Written(NamedTuple):
    """What was written: the keys of the image `image` in the file `path` of which something was not there."""

    path: str
    image: str
    keys: tuple[str, ...]


def read_traced_image(given: Mapping[str, Any]) -> tuple[ReadyImage, str, dict[str, Any]]:
    """The image whose name is in the place of the program, the program to run, and what pack is given for both.

    :raises ConfigError: the file has no such image, or it cannot be meant.
    :raises UsageError: no program of the image is for this machine, or an option takes the place of what the file sets.
    """
    reason = "it would take the place of what the file sets"
    refuse_explicit(_FOUND, reason, "leave it out, or write it into the file")
    (ready,) = ready_images(read_images(given, (given["program"],)), click.get_current_context())
    check_ready(ready)
    _refuse_overridden(ready)
    options = ready.given
    if options["on"] is not None:
        with located(ready.image):
            hint = "trace the program with minpack trace, and --base in place of --on"
            raise UsageError("--on", options["on"].text, "programs are not traced on top of an image", hint)
    programs, bases = options["programs"], options["base"]
    wanted = given["platform"] or host_platform()
    if len(programs) > 1 and wanted is not None:
        programs = tuple(path for path in programs if _is_for(path, wanted)) or programs
    if len(bases) > 1 or any(platform is not None for platform, _ in bases):
        bases = tuple((None, base) for platform, base in bases if platform in (None, wanted))[-1:]
    platforms = (given["platform"],) if given["platform"] is not None else None
    return ready, programs[0], {**options, "programs": programs, "base": bases, "platforms": platforms}


def write_options(ready: ReadyImage, found: PackOptions) -> Written:
    """Add the options to the image's table.

    :raises ConfigError: the file has changed meanwhile, so that there is no such image, or cannot be edited.
    :raises OutputError: it cannot be written.
    """
    settings: dict[str, Any] = {}
    for option, value in found.each:
        key = option.removeprefix("--")
        if key == "dest":
            settings[key] = value
        else:
            settings.setdefault(key, []).append(value)
    path = ready.image.path
    return Written(path, ready.name, add_settings(path, ready.name, settings))


def _refuse_overridden(ready: ReadyImage) -> None:
    """Raise `ConfigError` if a profile sets what would be written: there it would have no effect."""
    for option in pack_command.params:
        key = _FOUND.get(option.name or "", "").removeprefix("--")
        setting = ready.image.settings.settings.get(key)
        if setting is not None and setting.origin.startswith("profile."):
            reason = f"it takes the place of what is written into [image.{ready.name}]"
            raise ConfigError(ready.image.path, *setting.place, key, "", reason, "leave out --profile")


def _is_for(path: str, platform: Platform) -> bool:
    """Whether the program is for that architecture."""
    with suppress(MinpackError):
        found = read_elf(host_file(path)).target.platform
        return found is not None and found.architecture == platform.architecture
    return False
