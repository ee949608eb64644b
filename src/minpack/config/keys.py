"""`ConfigKey`: what may be set in `minpack.toml`, and in which forms; whoever has options says which there are."""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class KeyKind(StrEnum):
    """How many values a key has."""

    FLAG = "flag"
    ONE = "one"
    MANY = "many"


class ConfigKey(NamedTuple):
    """A key, and what it may be set to.

    `form` shows its value in words of capitals, as help does. Where `has_pairs`, a table stands for texts with an
    equals sign. `bare` is what ``true`` means for a key that has values too; None where it means nothing.
    """

    name: str
    kind: KeyKind
    form: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    has_pairs: bool = False
    bare: str | None = None


#: The keys that are no options.
PROGRAMS, VERSION = "programs", "version"
OWN_KEYS = (
    ConfigKey(
        PROGRAMS,
        KeyKind.MANY,
        "PATH",
        "The programs, the first being the entrypoint: paths, globs, and {platform} for a platform's name as Go, Rust,"
        " goreleaser and Docker write it.",
    ),
    ConfigKey(
        VERSION,
        KeyKind.ONE,
        "TEXT",
        'What {version} stands for: a string, or a table: {git = true}, {file = "VERSION"} or {env = "VERSION"}.'
        " Default: git describe.",
    ),
)
#: Where the version may come from.
SOURCES = ("git", "file", "env")


#: What other tools call a key.
_ELSEWHERE = {
    "app": PROGRAMS,
    "bin": PROGRAMS,
    "binary": PROGRAMS,
    "command": "cmd",
    "copy": "add",
    "environment": "env",
    "from": "base",
    "healthcheck": "health",
    "port": "expose",
}


def near(name: str, known: Iterable[str]) -> str:
    """The known name that `name` is most likely meant to be; empty if it is like none."""
    known = tuple(known)
    meant = _ELSEWHERE.get(name.removesuffix("s"))
    if meant in known:
        return meant
    if f"{name}s" in known or name.removesuffix("s") in known:
        return name.removesuffix("s") if name.removesuffix("s") in known else f"{name}s"
    return next(iter(get_close_matches(name.replace("_", "-"), known, 1)), "")
