"""Adding settings to an image of `minpack.toml`: whatever else is in the file stays as its author wrote it."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Comment, Table, Whitespace

from minpack.config.document import read_document, read_text
from minpack.config.model import DEFAULTS, IMAGE
from minpack.errors import ConfigError
from minpack.host.atomic import new_file
from minpack.lock.file import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A longer array has a line for each value.
_WIDTH = 100
_MARK = "\ufeff"


def add_settings(path: str, image: str, added: Mapping[str, Sequence[str] | str]) -> tuple[str, ...]:
    """Set these keys of the image `image` in the file `path`; the keys of which something was not there already.

    The file is replaced as a whole, and only if something changes. Values are added to those that a key has: by the
    image's table, or else by the defaults', whose place the image's take. A key with one text is set to it.

    :raises ConfigError: the file cannot be read, has no such image, or cannot be edited.
    :raises OutputError: it cannot be written; then it is as it was.
    """
    document = read_document(path)
    images = document.values.get(IMAGE, {})
    table = images.get(image) if isinstance(images, dict) else None
    if not isinstance(table, dict):
        raise document.error((IMAGE,), f"there is no [{IMAGE}.{image}] in it any more")
    wanted = _wanted(table, document.values.get(DEFAULTS, {}), added)
    if not wanted:
        return ()
    text = read_text(path)
    new = _edited(path, text, image, wanted)
    expected = {**document.values, IMAGE: {**images, image: {**table, **wanted}}}
    if parse_toml(new.removeprefix(_MARK)) != expected:
        raise _not_edited(path, image, wanted)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    with new_file(path, force=True) as out:
        out.write(new.encode())
        os.fchmod(out.fileno(), mode)
    return tuple(wanted)


def toml_lines(settings: Mapping[str, Sequence[str] | str]) -> list[str]:
    """The settings as lines of a table."""
    return [f"{key} = {_item(value).as_string()}" for key, value in settings.items()]


def _wanted(
    table: Mapping[str, Any], defaults: Mapping[str, Any], added: Mapping[str, Sequence[str] | str]
) -> dict[str, Sequence[str] | str]:
    """What the keys are to be set to that change."""
    found: dict[str, Sequence[str] | str] = {}
    for key, new in added.items():
        if isinstance(new, str):
            if table.get(key) != _literal(new):
                found[key] = _literal(new)
            continue
        # What an image sets takes the place of what the defaults have.
        there = _texts(table[key] if key in table else defaults.get(key))
        more = [text for text in map(_literal, new) if text not in there]
        if more:
            found[key] = [*there, *more]
    return found


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - as TOML has it
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [value]


def _literal(text: str) -> str:
    """The text with its words in braces as themselves, where the file has others for them."""
    return re.sub(r"\{(?:version|name)\}", r"{\g<0>}", text)


def _edited(path: str, text: str, image: str, wanted: Mapping[str, Sequence[str] | str]) -> str:
    mark = _MARK if text.startswith(_MARK) else ""
    try:
        document = tomlkit.parse(text.removeprefix(_MARK))
        table: Any = document[IMAGE][image]
        for key, value in wanted.items():
            _set(table, key, value)
        new = tomlkit.dumps(document)
    except (TOMLKitError, RecursionError) as error:
        raise _not_edited(path, image, wanted) from error
    # Lines that are added end as all others do.
    ends_in_crlf = "\r\n" in text and not re.search(r"(?<!\r)\n", text)
    return mark + (re.sub(r"(?<!\r)\n", "\r\n", new) if ends_in_crlf else new)


def _set(table: Any, key: str, value: Sequence[str] | str) -> None:  # noqa: ANN401 - any of tomlkit's tables
    if key in table:
        there = table[key]
        if isinstance(there, Array) and not isinstance(value, str):
            _extend(there, value[len(there) :])
        else:
            table[key] = _item(value)
        return
    # Below the table's last key, and not below what is written about the next table.
    body = table.value.body if isinstance(table, Table) else []
    rest = body[_end_of_keys(body) :]
    del body[len(body) - len(rest) :]
    table[key] = _item(value)
    body += rest


def _end_of_keys(body: Sequence[tuple[Any, Any]]) -> int:
    """Where the empty lines and comments at the end of a table begin that an empty line parts from its keys."""
    end = len(body)
    for number in range(len(body) - 1, -1, -1):
        key, item = body[number]
        if key is not None or not isinstance(item, (Whitespace, Comment)):
            break
        if isinstance(item, Whitespace):
            end = number
    return end


def _extend(array: Array, values: Sequence[str]) -> None:
    lines = re.search(r"\n([ \t]*)\S", array.as_string())
    for value in values:
        if lines is None:
            array.append(value)
        else:
            array.add_line(value, indent=lines[1])


def _item(value: Sequence[str] | str) -> Any:  # noqa: ANN401 - one of tomlkit's items
    if isinstance(value, str):
        return tomlkit.string(value)
    array = tomlkit.array()
    array.extend(value)
    return array.multiline(len(array.as_string()) > _WIDTH)


def _not_edited(path: str, image: str, wanted: Mapping[str, Sequence[str] | str]) -> ConfigError:
    lines = "; ".join(toml_lines(wanted))
    return ConfigError(path, 0, 0, "", "", "it cannot be edited", f"write it into [{IMAGE}.{image}] yourself: {lines}")
