"""What an image of `minpack.toml` is set to: the defaults, its table, and the profiles, one over the other."""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import TYPE_CHECKING

from minpack.config.keys import PROGRAMS, VERSION, near
from minpack.config.model import IMAGE, PROFILE
from minpack.config.programs import NoProgramError, find_programs
from minpack.config.version import describe_by_git, version_of
from minpack.errors import UsageError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from minpack.config.model import Config, Setting, Settings, Text
    from minpack.config.places import Place

#: The words in braces that stand for something, and, in two, for themselves.
_WORD = re.compile(r"\{\{(?:version|name)\}\}|\{(version|name)\}")


class ResolvedSettings(NamedTuple):
    """An image: its programs, and its settings, those that are unset left out, with all words in braces filled in."""

    name: str
    programs: tuple[Text, ...]
    settings: Settings
    place: Place


def resolve_images(
    config: Config, names: Sequence[str], profiles: Sequence[str], environment: Mapping[str, str]
) -> tuple[ResolvedSettings, ...]:
    """The images of these names, all if there is none, in the order of the file.

    :raises UsageError: there is no such image or profile.
    :raises ConfigError: a version that is wanted is not to be had.
    """
    _check_known("image", names, config.images)
    _check_known("--profile", profiles, config.profiles)
    git = cache(describe_by_git)
    return tuple(
        _Resolving(config, name, profiles, environment, git).image()
        for name in config.images
        if not names or name in names
    )


def expand_programs(
    image: ResolvedSettings, config: Config, architectures: Sequence[str], *, built: bool = True
) -> tuple[str, ...]:
    """The paths of the image's programs, each once.

    :param architectures: OCI's names of those that the image is for; none for all.
    :param built: whether the programs must be there; else a pattern that matches no file stands for itself.
    :raises ConfigError: there are none, or a pattern matches no file.
    """
    if not image.programs:
        hint = 'for example programs = ["./app"]'
        raise config.document.error_at(image.place, f"{IMAGE}.{image.name}", "it has no programs", hint)
    found: dict[str, None] = {}
    for text, place in image.programs:
        try:
            found.update(dict.fromkeys(find_programs(text, architectures)))
        except NoProgramError as error:
            if not built:
                found[text] = None
                continue
            raise config.document.error_at(place, PROGRAMS, error.reason, error.hint, value=text) from error
    return tuple(found)


def _check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UsageError` if one of `names` is not known."""
    known = tuple(known)
    for name in names:
        if name not in known:
            like = near(name, known)
            hint = f"did you mean {like}?" if like else f"it has {listed(known)}" if known else None
            reason = "the file has no such image" if what == IMAGE else f"the file has no [{PROFILE}.{name}]"
            raise UsageError(what, name, reason, hint, verb="find" if what == IMAGE else "use")


class _Resolving:
    """Puts together one image's settings."""

    def __init__(
        self,
        config: Config,
        name: str,
        profiles: Sequence[str],
        environment: Mapping[str, str],
        git: Callable[[], tuple[str, str]],
    ) -> None:
        self._config = config
        self._name = name
        self._environment = environment
        self._git = git
        self._merged: dict[str, Setting] = {}
        for settings in (config.defaults, config.images[name], *(config.profiles[one] for one in profiles)):
            for key, setting in settings.items():
                self._merged[key] = _over(self._merged.get(key), setting)
        self._used: Place | None = None

    def image(self) -> ResolvedSettings:
        filled = {
            key: setting._replace(texts=tuple(map(self._filled, setting.texts)))
            for key, setting in self._merged.items()
            if not setting.is_unset and key != VERSION
        }
        programs = filled.pop(PROGRAMS).texts if PROGRAMS in filled else ()
        place = self._config.document.place((IMAGE, self._name))
        return ResolvedSettings(self._name, programs, filled, place)

    def _filled(self, text: Text) -> Text:
        if "{" not in text.text:
            return text
        self._used = text.place
        return text._replace(text=_WORD.sub(self._word, text.text))

    def _word(self, found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][1:-1]
        return self._name if found[1] == "name" else self._version

    @cached_property
    def _version(self) -> str:
        assert self._used is not None, "internal error: nothing asked for the version"
        return version_of(self._merged.get(VERSION), self._config.document, self._environment, self._used, self._git)


def _over(below: Setting | None, above: Setting) -> Setting:
    """A setting with what was set before it: tables add to tables, all else takes the place."""
    if below is None or not (below.is_table and above.is_table):
        return above
    pairs = {text.text.partition("=")[0]: text for text in (*below.texts, *above.texts)}
    return above._replace(texts=tuple(pairs.values()))
