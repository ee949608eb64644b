"""The JSON Schema of `minpack.toml`, from the same keys that read it: for editors, and whoever writes the file.

Draft 7 is what taplo and its editors read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.config.keys import OWN_KEYS, PROGRAMS, SOURCES, VERSION, ConfigKey, KeyKind
from minpack.config.model import DEFAULTS, IMAGE, NAME, PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSET = {"const": False, "description": "Takes back what is set before."}


def schema_of(keys: Iterable[ConfigKey]) -> dict[str, Any]:
    """The schema of a file whose keys are these and minpack's own."""
    every = {key.name: _setting(key) for key in (*OWN_KEYS, *keys)}
    shared = {name: value for name, value in every.items() if name != PROGRAMS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "minpack.toml",
        "description": "The container images of a project, for minpack build.",
        "type": "object",
        "additionalProperties": False,
        "required": [IMAGE],
        "properties": {
            DEFAULTS: {"description": "Settings of all images.", **_table(shared)},
            IMAGE: {"minProperties": 1, **_named("The images, by their names.", every)},
            PROFILE: _named("Settings that --profile NAME puts over those of the images.", every),
        },
    }


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _named(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A table of tables with names."""
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": _table(properties),
    }


def _setting(key: ConfigKey) -> dict[str, Any]:
    described = {"description": key.help}
    if key.kind is KeyKind.FLAG:
        return {**described, "type": "boolean"}
    forms = [*_forms(key), *([{"const": True}] if key.bare is not None else [])]
    return {**described, "anyOf": forms if key.name == PROGRAMS else [*forms, _UNSET]}


def _forms(key: ConfigKey) -> list[dict[str, Any]]:
    """All that a key with values may be set to."""
    if key.name == VERSION:
        return [{"type": ["string", "integer"]}, _sources()]
    text: dict[str, Any] = {"enum": list(key.choices)} if key.choices else {"type": ["string", "integer"]}
    forms = [text]
    forms += [{"type": "array", "items": text}] if key.kind is KeyKind.MANY else []
    pair = {"type": ["string", "integer", "boolean"]}
    forms += [{"type": "object", "additionalProperties": pair}] if key.has_pairs else []
    return forms


def _sources() -> dict[str, Any]:
    properties = {source: {"const": True} if source == "git" else {"type": "string"} for source in SOURCES}
    return {**_table(properties), "minProperties": 1, "maxProperties": 1}
