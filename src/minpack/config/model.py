"""`Config`: what `minpack.toml` sets, read and checked, for all images and for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from minpack.config.document import TomlDocument, read_document
from minpack.config.keys import OWN_KEYS, PROGRAMS, SOURCES, VERSION, ConfigKey, KeyKind, near
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from minpack.config.places import Path, Place

    #: The settings of a table, by their keys.
    Settings: TypeAlias = Mapping[str, "Setting"]

#: The file where none is named.
CONFIG = "minpack.toml"
DEFAULTS, IMAGE, PROFILE = "defaults", "image", "profile"
#: What images may be called: their files and repositories have these names (distribution-spec, "name").
NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_FORMS = {KeyKind.FLAG: "true or false", KeyKind.ONE: "a string", KeyKind.MANY: "a string, or an array of strings"}


class Text(NamedTuple):
    """A value as the command line would have it, and where it is written."""

    text: str
    place: Place


class Setting(NamedTuple):
    """What a key is set to: `texts` of a key with values, `flag` of one without.

    `origin` says in which table it is, and `is_table` that it is one of pairs, which others are added to.
    """

    key: str
    origin: str
    place: Place
    texts: tuple[Text, ...] = ()
    flag: bool | None = None
    is_table: bool = False
    #: Of `version`: the text, or where it comes from: ``git``, ``file`` or ``env``.
    source: str = ""

    @property
    def is_unset(self) -> bool:
        """Whether it takes back what was set before."""
        return not self.texts and self.flag is not True


class Config(NamedTuple):
    """A file: the settings of all images, of each, and those that a profile puts over them."""

    document: TomlDocument
    defaults: Settings
    images: Mapping[str, Settings]
    profiles: Mapping[str, Settings]

    @property
    def path(self) -> str:
        """The file's path."""
        return self.document.path


def read_config(path: str, keys: Iterable[ConfigKey]) -> Config:
    """The file `path`, each key and the form of each value checked.

    :param keys: the options that are keys.
    :raises ConfigError: it cannot be read, or sets what there is not.
    """
    document = read_document(path)
    return _Reading(document, {key.name: key for key in (*OWN_KEYS, *keys)}).config()


class _Reading:
    """Checks one document."""

    def __init__(self, document: TomlDocument, keys: Mapping[str, ConfigKey]) -> None:
        self._document = document
        self._keys = keys

    def config(self) -> Config:
        self._check_names((), self._document.values, (DEFAULTS, IMAGE, PROFILE))
        defaults = self._settings((DEFAULTS,), self._table((DEFAULTS,)), DEFAULTS)
        images = self._named(IMAGE)
        if not images:
            hint = 'for example [image.app], and below it programs = ["./app"]'
            raise self._document.key_error((), "it defines no image", hint)
        return Config(self._document, defaults, images, self._named(PROFILE))

    def _named(self, kind: str) -> dict[str, Settings]:
        """The tables of images, or of profiles, by their names."""
        found: dict[str, Settings] = {}
        for name in self._table((kind,)):
            path = (kind, name)
            if not re.fullmatch(NAME, name):
                hint = "use a-z and 0-9, with one of . _ - in between"
                raise self._document.key_error(path, f"{name!r} is no name for {_article(kind)}", hint)
            found[name] = self._settings(path, self._table(path), f"{kind}.{name}")
        return found

    def _table(self, path: Path) -> dict[str, Any]:
        """The table at `path`; an empty one if there is none.

        :raises ConfigError: something else is there.
        """
        value: Any = self._document.values
        for part in path:
            value = value.get(part, {})
        if not isinstance(value, dict):
            shown = ".".join(map(str, path if len(path) > 1 or path[0] == DEFAULTS else (*path, "NAME")))
            raise self._document.error(path, "it must be a table", f"write [{shown}] on a line of its own")
        return value

    def _check_names(self, path: Path, table: Iterable[str], known: Iterable[str]) -> None:
        for name in table:
            if name not in known:
                like = near(name, known)
                hint = f"did you mean {like}?" if like else self._hint(name, path)
                raise self._document.key_error((*path, name), "unknown key", hint)

    def _hint(self, name: str, path: Path) -> str:
        """What to do about a name that is like none."""
        if not path and name in self._keys:
            return f"{name} is a key of [{DEFAULTS}] or of an image: [{IMAGE}.NAME]"
        return (
            f"the tables are [{DEFAULTS}], [{IMAGE}.NAME], [{PROFILE}.NAME]" if not path else "docs/config.md has all"
        )

    def _settings(self, path: Path, table: dict[str, Any], origin: str) -> Settings:
        known = [name for name in self._keys if name != PROGRAMS or path[0] != DEFAULTS]
        if path[0] == DEFAULTS and PROGRAMS in table:
            raise self._document.key_error((*path, PROGRAMS), "each image has programs of its own")
        self._check_names(path, table, known)
        return {name: self._setting((*path, name), value, origin) for name, value in table.items()}

    def _setting(self, path: Path, value: Any, origin: str) -> Setting:  # noqa: ANN401 - as TOML has it
        key = self._keys[str(path[-1])]
        setting = Setting(key.name, origin, self._document.place(path))
        if value is False and key.name != PROGRAMS:
            return setting._replace(flag=False)
        if key.name == VERSION and isinstance(value, dict):
            return self._version(setting, path, value)
        if key.kind is KeyKind.FLAG:
            if not isinstance(value, bool):
                raise self._wrong(path, key)
            return setting._replace(flag=value)
        if value is True and key.bare is not None:
            return setting._replace(texts=(Text(key.bare, setting.place),))
        if isinstance(value, dict) and key.has_pairs:
            return setting._replace(texts=self._pairs(path, value, key), is_table=True)
        return setting._replace(texts=self._texts(path, value, key))

    def _texts(self, path: Path, value: Any, key: ConfigKey) -> tuple[Text, ...]:  # noqa: ANN401 - as TOML has it
        if isinstance(value, list) and key.kind is KeyKind.MANY:
            return tuple(self._text((*path, number), one, key) for number, one in enumerate(value))
        return (self._text(path, value, key),)

    def _pairs(self, path: Path, table: dict[str, Any], key: ConfigKey) -> tuple[Text, ...]:
        """A text with an equals sign for each pair of a table; true and false are texts there."""
        words = {True: "true", False: "false"}
        values = {name: words[value] if isinstance(value, bool) else value for name, value in table.items()}
        texts = ((name, self._text((*path, name), value, key)) for name, value in values.items())
        return tuple(text._replace(text=f"{name}={text.text}") for name, text in texts)

    def _text(self, path: Path, value: Any, key: ConfigKey) -> Text:  # noqa: ANN401 - as TOML has it
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wrong(path, key)
        if isinstance(value, str) and "\0" in value:
            raise self._document.error(path, "it has a null character")
        return Text(str(value), self._document.place(path))

    def _wrong(self, path: Path, key: ConfigKey) -> Exception:
        more = ", or a table" if key.has_pairs else ""
        return self._document.error(path, f"it must be {_FORMS[key.kind]}{more}", _example(key))

    def _version(self, setting: Setting, path: Path, table: dict[str, Any]) -> Setting:
        """Where the version comes from."""
        self._check_names(path, table, SOURCES)
        if len(table) != 1:
            raise self._document.error(path, "it must name one place", 'for example version = {file = "VERSION"}')
        ((source, value),) = table.items()
        if source == "git":
            if value is not True:
                raise self._document.error((*path, source), "it must be true")
            return setting._replace(source=source, texts=(Text("git", setting.place),))
        if not isinstance(value, str) or not value or "\0" in value:
            raise self._document.error((*path, source), "it must be a name")
        return setting._replace(source=source, texts=(Text(value, self._document.place((*path, source))),))


def _article(kind: str) -> str:
    return f"an {kind}" if kind == IMAGE else f"a {kind}"


def _example(key: ConfigKey) -> str:
    """The key as it may be written."""
    if key.kind is KeyKind.FLAG:
        return f"for example {key.name} = true"
    value = f'"{key.choices[0] if key.choices else key.form or "TEXT"}"'
    return f"for example {key.name} = {f'[{value}]' if key.kind is KeyKind.MANY else value}"
