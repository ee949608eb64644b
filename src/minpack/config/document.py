"""Reading `minpack.toml` as TOML: its values, and where they are."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

from minpack.config.places import Place, find_places
from minpack.errors import ConfigError, reason_of
from minpack.lock.file import parse_toml
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.config.places import Path, Places

#: Far more bytes than a file of thousands of images has.
MAX_CONFIG = 16 << 20
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_WRITE = "minpack init writes one; -f FILE names another"


class TomlDocument(NamedTuple):
    """A TOML file: its tables as Python has them, and the place of each key and value."""

    path: str
    values: dict[str, Any]
    places: Places

    def place(self, path: Path) -> Place:
        """Where the value at `path` is; of a table its key."""
        return self.places.values.get(path, Place(1, 1))

    def error(self, path: Path, reason: str, hint: str | None = None, *, value: str = "") -> ConfigError:
        """The error that the value at `path` cannot be used."""
        return ConfigError(self.path, *self.place(path), key_of(path), value, reason, hint)

    def error_at(self, place: Place, key: str, reason: str, hint: str | None = None, *, value: str = "") -> ConfigError:
        """The error that what is at `place` cannot be used."""
        return ConfigError(self.path, *place, key, value, reason, hint)

    def key_error(self, path: Path, reason: str, hint: str | None = None) -> ConfigError:
        """The error that there cannot be such a key."""
        return ConfigError(self.path, *self.places.keys.get(path, Place(1, 1)), key_of(path), "", reason, hint)


def key_of(path: Path) -> str:
    """The last key of a path, by which messages call the value."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def read_document(path: str) -> TomlDocument:
    """The TOML in the file `path`.

    :raises ConfigError: it cannot be read, or is none.
    """
    text = read_text(path).removeprefix("\ufeff")
    try:
        values = parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise _not_toml(path, text, error) from error
    return TomlDocument(path, values, find_places(text))


def read_text(path: str) -> str:
    """The text of the file `path`, with its line ends, and with the mark of its encoding if it has one.

    :raises ConfigError: it cannot be read.
    """
    data = _data(path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, line, 0, "", "", "it is not UTF-8 text", None) from error


def _data(path: str) -> bytes:
    try:
        with open(path, "rb", opener=_opener) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_CONFIG + 1) if regular else b""
    except OSError as error:
        raise ConfigError(path, 0, 0, "", "", reason_of(error), _WRITE) from error
    except ValueError as error:
        raise ConfigError(path, 0, 0, "", "", "no file has such a name", _WRITE) from error
    if not regular:
        raise ConfigError(path, 0, 0, "", "", "it is not a regular file", _WRITE)
    if len(data) > MAX_CONFIG:
        raise ConfigError(path, 0, 0, "", "", f"it has more than {MAX_CONFIG} bytes", _WRITE)
    return data


def _opener(path: str, flags: int) -> int:
    # Should it be a named pipe, opening it must not wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK)


def _not_toml(path: str, text: str, error: Exception) -> ConfigError:
    """What is wrong with a text that is not TOML, and where."""
    if isinstance(error, RecursionError):
        return ConfigError(path, 0, 0, "", "", "it is nested too deeply", None)
    found = _AT.search(str(error))
    if found is None:
        return ConfigError(path, 0, 0, "", "", "a number or date in it is out of range", None)
    line = int(found[1]) if found[1] else text.count("\n") + 1
    column = int(found[2]) if found[2] else len(text) - text.rfind("\n")
    reason = str(error)[: found.start()]
    return ConfigError(path, line, column, "", "", f"it is not TOML: {reason[:1].lower()}{reason[1:]}", None)
