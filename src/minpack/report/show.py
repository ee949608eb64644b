"""What images of a file are set to, as text and as the document ``minpack.show/1``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.config.model import Setting
    from minpack.config.resolve import ResolvedSettings


class ShownImage(NamedTuple):
    """An image: its settings, the paths of its programs, and the command that packs it without the file."""

    settings: ResolvedSettings
    programs: tuple[str, ...]
    command: tuple[str, ...]


def show_document(path: str, profiles: Sequence[str], images: Sequence[ShownImage]) -> dict[str, Any]:
    """``minpack.show/1``: the settings of each image, and where each is from."""
    shown = [_image(one) for one in images]
    return {"schema": "minpack.show/1", "file": path, "profiles": list(profiles), "images": shown}


def _image(one: ShownImage) -> dict[str, Any]:
    settings = one.settings.settings
    return {
        "name": one.settings.name,
        "line": one.settings.place.line,
        "programs": list(one.programs),
        "options": {key: _value(setting) for key, setting in settings.items()},
        "origins": {key: _origin(setting) for key, setting in settings.items()},
        "command": list(one.command),
    }


def _value(setting: Setting) -> list[str] | bool:
    return setting.flag if setting.flag is not None else [text.text for text in setting.texts]


def _origin(setting: Setting) -> dict[str, Any]:
    """The table that a setting is in, and its place; of a variable of the environment its name."""
    place = setting.place
    return {"table": setting.origin, "line": place.line or None, "column": place.column or None}


def show_lines(path: str, images: Sequence[ShownImage]) -> list[str]:
    """Each image with a line for each setting, and where that is from."""
    return [line for one in images for line in (*_lines(path, one), "")][:-1]


def _lines(path: str, one: ShownImage) -> list[str]:
    rows = [("programs", " ".join(map(shlex.quote, one.programs)), "")]
    rows += [row for setting in one.settings.settings.values() for row in _rows(path, setting)]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    second = min(second, 40)
    lines = [f"  {key:<{first}}  {value:<{second}}  {origin}".rstrip() for key, value, origin in rows]
    return [one.settings.name, *lines, f"  {'command':<{first}}  {shlex.join(one.command)}"]


def _rows(path: str, setting: Setting) -> list[tuple[str, str, str]]:
    """A row for each text of a setting."""
    if setting.flag is not None:
        return [(setting.key, "true" if setting.flag else "false", _from(path, setting, str(setting.place)))]
    keys = (setting.key, *("" for _ in setting.texts[1:]))
    return [(key, one.text, _from(path, setting, str(one.place))) for key, one in zip(keys, setting.texts, strict=True)]


def _from(path: str, setting: Setting, place: str) -> str:
    return f"{path}:{place}  [{setting.origin}]" if setting.place.line else setting.origin
