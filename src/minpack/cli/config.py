"""`minpack.toml` as options: every option of pack is a key, and what the file sets is parsed as on the command line."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from minpack.cli.effects import refuse_contradictions
from minpack.cli.options import FILLED, completed
from minpack.cli.pack import check_given
from minpack.cli.pack import command as pack_command
from minpack.config.keys import ConfigKey, KeyKind
from minpack.config.model import CONFIG, IMAGE, read_config
from minpack.config.resolve import expand_programs, resolve_images
from minpack.errors import ConfigError, UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from minpack.config.model import Config, Setting, Text
    from minpack.config.resolve import ResolvedSettings
    from minpack.spec.shard import Shard

#: Options about one run, and not about an image: they stay on the command line.
OF_A_RUN = frozenset(("quiet", "verbose", "as_json", "dry_run", "summary", "against", "username", "password_stdin"))
PROGRAMS = "programs"
#: Where a context keeps the path of the file as it was given.
NAMED_FILE = "minpack.file"
#: What to write in braces.
_WORDS = "the words in braces that are replaced are {version} and {name}"
#: What hints about an empty value ask.
_SHELL = "is a shell variable unset?"


def _change_directory(context: click.Context, _parameter: click.Parameter, path: str | None) -> str | None:
    """Go to the directory of the file: paths in it are relative to that, and so are those of options that follow."""
    directory, name = os.path.split(path or "")
    context.meta[NAMED_FILE] = path
    if context.resilient_parsing or not directory:
        return path
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(directory)
    except OSError:
        # Whoever reads the file says why there is none.
        os.close(before)
        return path
    context.call_on_close(partial(_return_to, before))
    return name


def _return_to(directory: int) -> None:
    os.fchdir(directory)
    os.close(directory)


file_option = click.option(
    "-f",
    "--file",
    type=FILLED,
    metavar="FILE",
    is_eager=True,
    callback=_change_directory,
    shell_complete=completed("file"),
    help="Configuration file. Paths in it, and on this command line, are relative to its directory."
    f" Default: {CONFIG}.",
)
profile_option = click.option(
    "--profile",
    "profiles",
    envvar="MINPACK_PROFILE",
    multiple=True,
    type=FILLED,
    metavar="NAME",
    shell_complete=completed("profile"),
    help="Apply the settings in [profile.NAME]; repeatable, and the last one wins.",
)


class ConfiguredImage(NamedTuple):
    """An image of the file at `path`: what it sets, and the paths of its programs."""

    path: str
    settings: ResolvedSettings
    programs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The image's name in the file."""
        return self.settings.name

    @property
    def options(self) -> tuple[tuple[str, tuple[str, ...] | bool], ...]:
        """The options of pack that are set, each by its long name with its texts, or whether a switch is on."""
        found = self.settings.settings.items()
        return tuple((f"--{key}", one.flag if one.flag is not None else _texts(one)) for key, one in found)


def configured_keys() -> Iterator[ConfigKey]:
    """A key for each option of pack, in the order of its help."""
    for option in pack_command.params:
        if isinstance(option, click.Option) and option.name not in OF_A_RUN:
            yield _key(option)


def key_name(option: click.Option) -> str:
    """The key that an option is in the file: its long name."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")


def _key(option: click.Option) -> ConfigKey:
    kind = KeyKind.FLAG if option.is_flag else KeyKind.MANY if option.multiple else KeyKind.ONE
    choices = tuple(map(str, option.type.choices)) if isinstance(option.type, click.Choice) else ()
    bare = option.flag_value if not option.is_flag and isinstance(option.flag_value, str) else None
    form = option.metavar or option.type.name.upper()
    return ConfigKey(
        key_name(option), kind, form, option.help or "", choices, "=" in form and kind is KeyKind.MANY, bare
    )


def read_images(
    given: Mapping[str, Any], names: Sequence[str] = (), shard: Shard | None = None, *, built: bool = True
) -> tuple[ConfiguredImage, ...]:
    """The images of the file that the options name, or those of these names, with their programs.

    :param shard: outside it programs are as they are written: what others build need not be here.
    :param built: whether programs must be there.
    :raises ConfigError: the file cannot be used.
    :raises UsageError: there is no such image or profile.
    """
    config = read_config(given["file"] or CONFIG, configured_keys())
    images = resolve_images(config, names, given["profiles"], os.environ)
    return tuple(
        _configured(config, one, built=built) if shard is None or shard.has(one.name) else _unexpanded(config, one)
        for one in images
    )


def _unexpanded(config: Config, image: ResolvedSettings) -> ConfiguredImage:
    return ConfiguredImage(config.path, image, tuple(text for text, _ in image.programs))


def _configured(config: Config, image: ResolvedSettings, *, built: bool) -> ConfiguredImage:
    wanted = image.settings.get("platform")
    texts = [part for text in (wanted.texts if wanted is not None else ()) for part in text.text.split(",")]
    architectures = [text.strip().removeprefix("linux/").partition("/")[0] for text in texts]
    return ConfiguredImage(config.path, image, expand_programs(image, config, architectures, built=built))


def _texts(setting: Setting) -> tuple[str, ...]:
    return tuple(one.text for one in setting.texts)


class ReadyImage(NamedTuple):
    """An image with all that pack is given for it, each value parsed, and where each is from; it can be pickled."""

    image: ConfiguredImage
    given: dict[str, Any]
    sources: dict[str, ParameterSource]

    @property
    def name(self) -> str:
        """The image's name in the file."""
        return self.image.name


def ready_images(images: Iterable[ConfiguredImage], outer: click.Context) -> list[ReadyImage]:
    """What pack is given for each image: by the command line, the environment, the file, or by default, in this order.

    :raises ConfigError: a value cannot be meant, or contradicts another.
    """
    found: list[ReadyImage] = []
    start: click.Context | None = None
    overridden = _overridden(outer)
    for image in images:
        # What the environment sets, and what is set by default, is the same for all.
        start = start or pack_command.make_context("pack", ["--", *image.programs], parent=outer)
        found.append(_ready_image(image, outer, start, overridden))
    return found


def _ready_image(
    image: ConfiguredImage, outer: click.Context, start: click.Context, overridden: frozenset[str]
) -> ReadyImage:
    # With the parent's names of --help, which click keeps for each command.
    with _context(start.params, _sources(start), outer) as context, located(image):
        for parameter in pack_command.params:
            if isinstance(parameter, click.Option):
                _set(parameter, image, outer, context)
            elif parameter.name == PROGRAMS:
                context.params[PROGRAMS] = parameter.process_value(context, image.programs)
        refuse_contradictions(context)
        return ReadyImage(_without(image, overridden), context.params, _sources(context))


def _overridden(outer: click.Context) -> frozenset[str]:
    """The keys whose values are on the command line, and not in the file."""
    options = (one for one in pack_command.params if isinstance(one, click.Option))
    on_line = ParameterSource.COMMANDLINE
    return frozenset(key_name(one) for one in options if outer.get_parameter_source(one.name or "") is on_line)


def _without(image: ConfiguredImage, keys: frozenset[str]) -> ConfiguredImage:
    """The image without what it sets to no effect: an error about that is none of the file's."""
    if keys.isdisjoint(image.settings.settings):
        return image
    kept = {key: one for key, one in image.settings.settings.items() if key not in keys}
    return image._replace(settings=image.settings._replace(settings=kept))


def _sources(context: click.Context) -> dict[str, ParameterSource]:
    """Where each value of a context is from."""
    return {name: context.get_parameter_source(name) or ParameterSource.DEFAULT for name in context.params}


def _context(
    params: Mapping[str, Any], sources: Mapping[str, ParameterSource], parent: click.Context | None = None
) -> click.Context:
    """A context of pack's as its command line would make it of these values."""
    context = click.Context(pack_command, info_name="pack", parent=parent)
    context.params = dict(params)
    for name, source in sources.items():
        context.set_parameter_source(name, source)
    return context


@contextmanager
def pack_context(ready: ReadyImage) -> Generator[dict[str, Any]]:
    """A context of pack's as its command line would make it: what asks where an option is from finds that.

    :raises ConfigError: in place of an error about an option that the file sets.
    """
    context = _context(ready.given, ready.sources)
    with context.scope(), located(ready.image):
        yield context.params


def _set(option: click.Option, image: ConfiguredImage, outer: click.Context, context: click.Context) -> None:
    """Give the context the value that the command line has of an option, else, without the environment's, the file."""
    name = option.name
    assert name is not None, "internal error: an option without a name"
    setting = image.settings.settings.get(key_name(option)) if name not in OF_A_RUN else None
    if outer.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        context.params[name] = outer.params[name]
        context.set_parameter_source(name, ParameterSource.COMMANDLINE)
    elif setting is not None and context.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        context.set_parameter_source(name, ParameterSource.COMMANDLINE)
        context.params[name] = parsed(option, setting, image, context)


def parsed(option: click.Option, setting: Setting, image: ConfiguredImage, context: click.Context) -> Any:  # noqa: ANN401
    """What the option's own parser makes of the texts of a setting.

    :raises ConfigError: it cannot make anything of one.
    """
    if setting.flag is not None:
        value: Any = setting.flag
    else:
        values = tuple(_one(option, text, image, context) for text in setting.texts)
        value = values if option.multiple else values[0]
    if option.callback is None:
        return value
    with _at(image, key_name(option), setting.texts[0] if setting.texts else None):
        return option.callback(context, option, value)


def _one(option: click.Option, text: Text, image: ConfiguredImage, context: click.Context) -> Any:  # noqa: ANN401
    with _at(image, key_name(option), text):
        return option.type(text.text, option, context)


def check_ready(ready: ReadyImage) -> None:
    """Raise `ConfigError` or `UsageError` if what the image is set to contradicts itself."""
    with pack_context(ready) as given:
        if given["push"] and not given["tags"]:
            hint = f'for example tag = "ghcr.io/me/{ready.name}:1.0"'
            image = ready.image
            reason = "it has no tag to push it under"
            raise ConfigError(image.path, *image.settings.place, f"{IMAGE}.{ready.name}", "", reason, hint)
        check_given(given)


@contextmanager
def _at(image: ConfiguredImage, key: str, text: Text | None) -> Generator[None]:
    """Let errors about the value name its place."""
    place = text.place if text is not None else image.settings.settings[key].place
    try:
        yield
    except UsageError as error:
        hint = _WORDS if key == "tag" and "{" in error.value else _as_key(error.hint, key)
        raise ConfigError(image.path, *place, key, error.value, error.reason, hint) from error
    except click.BadParameter as error:
        reason = error.message[:1].lower() + error.message[1:].rstrip(".")
        value = text.text if text is not None else ""
        raise ConfigError(image.path, *place, key, value, reason, None) from error


@contextmanager
def located(image: ConfiguredImage) -> Generator[None]:
    """Let errors about an option that the file sets name the place in it.

    :raises ConfigError: in place of a `UsageError` of such an option.
    """
    try:
        yield
    except UsageError as error:
        key = next((key_name(one) for one in pack_command.params if error.option in one.opts), "")  # type: ignore[arg-type]
        setting = image.settings.settings.get(key)
        if setting is None or type(error) is not UsageError:
            raise
        hint = _as_key(error.hint, key)
        raise ConfigError(image.path, *setting.place, key, error.value, error.reason, hint) from error


def _as_key(hint: str | None, key: str) -> str | None:
    """A hint in which the option is shown as the key that it is here; None for one about a shell."""
    text = (hint or "").removeprefix(_SHELL).strip()
    if not text or "$" in text:
        return None
    return re.sub(
        rf"--{re.escape(key)} ('[^']*'|[^\s,]*[^\s,;:)])", lambda found: f"{key} = {_as_value(found[1])}", text
    )


def _as_value(word: str) -> str:
    """A word of a shell as TOML has it: what is between single quotes is the same in both."""
    return word if word.isdigit() or word.startswith(("'", '"')) else f'"{word}"'
