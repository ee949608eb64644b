"""What variables of the image's environment ask for: a time zone, a locale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZONEINFO = "/usr/share/zoneinfo/"
#: Values for which no file is read, or which mean the same without one (tzset(3)): UTC, and rules with an offset.
_UTC = frozenset(("", "UTC", "GMT", "UCT", "Zulu"))
_RULE = r"(?:[A-Za-z]{3,}|<[^>]+>)[+-]?\d.*"
#: The variables of a locale, the one that counts most first (locale(7)); the names that need no file.
LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG", "LC_MESSAGES", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY")
_BUILT_IN = frozenset(("", "C", "POSIX"))


def zone_of(env: Mapping[str, str]) -> str | None:
    """The time zone whose file is read as TZ says; None if none is."""
    value = env.get("TZ", "").removeprefix(":").removeprefix(_ZONEINFO)
    return None if value in _UTC or value.startswith("/") or re.fullmatch(_RULE, value) else value


def locale_of(env: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable that names a locale which is not part of glibc, and that locale; None if none does."""
    named = ((name, env[name]) for name in LOCALE_VARIABLES if env.get(name, "") not in _BUILT_IN)
    return next(((name, value) for name, value in named if "/" not in value and value not in (".", "..")), None)
