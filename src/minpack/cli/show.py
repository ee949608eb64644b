"""`minpack show`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.cli.config import (
    OF_A_RUN,
    ConfiguredImage,
    check_ready,
    configured_keys,
    file_option,
    key_name,
    profile_option,
    read_images,
    ready_images,
)
from minpack.cli.options import FILLED, Command, answer_options, completed
from minpack.cli.output import output_path
from minpack.cli.pack import command as pack_command
from minpack.cli.terminal import print_json, print_lines, print_notes
from minpack.config.model import CONFIG, Setting, Text
from minpack.config.places import Place
from minpack.output.target import Format
from minpack.report.show import ShownImage, show_document, show_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.cli.config import ReadyImage

_NOWHERE = Place(0, 0)


@click.command("show", cls=Command, short_help=f"Show what the images of {CONFIG} are set to.")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=FILLED, shell_complete=completed("image"))
@file_option
@profile_option
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of minpack.toml, which editors use to complete and check it."
)
@answer_options
def command(names: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Show the settings of each image in minpack.toml, where they come from, and the command that packs it.

    \b
    minpack show                       all images
    minpack show web --profile release
    minpack show --schema > minpack.schema.json
    """  # noqa: D301 - click's mark for a block
    if given["schema"]:
        from minpack.config.schema import schema_of  # noqa: PLC0415 - for this alone

        print_json(schema_of(configured_keys()))
        return
    outer, path = click.get_current_context(), given["file"] or CONFIG
    images = [_shown(one.image, one) for one in ready_images(read_images(given, names, built=False), outer)]
    print_notes(_unbuilt(images), quiet=given["quiet"])
    if given["as_json"]:
        print_json(show_document(path, given["profiles"], images))
    elif not given["quiet"]:
        print_lines(show_lines(path, images))


def _unbuilt(images: Iterable[ShownImage]) -> Iterator[str]:
    """A note of each program that is not there; whoever builds it finds the settings right before."""
    for one in images:
        for path in one.programs:
            if not os.path.exists(path):
                yield f"{one.settings.name}: {path} is not built yet"


def _shown(image: ConfiguredImage, ready: ReadyImage) -> ShownImage:
    """The image with what the environment sets in place of the file."""
    check_ready(ready)
    settings = {**image.settings.settings, **dict(_of_environment(ready))}
    found = image.settings._replace(settings=settings)
    return ShownImage(found, image.programs, tuple(_command(image._replace(settings=found), ready.given)))


def _of_environment(ready: ReadyImage) -> Iterator[tuple[str, Setting]]:
    """The settings that variables make."""
    for option in pack_command.params:
        if ready.sources.get(option.name or "") is not ParameterSource.ENVIRONMENT or option.name in OF_A_RUN:
            continue
        assert isinstance(option, click.Option), "internal error: arguments are in no variable"
        variable = str(option.envvar)
        texts = () if option.is_flag else (Text(os.environ[variable], _NOWHERE),)
        flag = bool(ready.given[option.name or ""]) if option.is_flag else None
        yield key_name(option), Setting(key_name(option), variable, _NOWHERE, texts, flag)


def _command(image: ConfiguredImage, given: dict[str, Any]) -> Iterator[str]:
    """The words that pack the image without the file.

    :param given: what pack is given for it.
    """
    yield from ("minpack", "pack", *image.programs)
    options = dict(image.options)
    # What is named after the image is named after the program there.
    path = output_path(given, image.name)
    if "--output" in options and path is not None:
        options["--output"] = (path,)
    for option, value in options.items():
        if isinstance(value, bool):
            yield from (option,) if value else ()
            continue
        for text in value:
            yield from (f"{option}={text}",) if text.startswith("-") else (option, text)
    if "--tag" not in options and Format(given["format_"]).has_layers:
        yield from ("--tag", image.name)
    if "--output" not in options and path is not None:
        yield from ("--output", path)
