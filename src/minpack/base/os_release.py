"""``os-release``, what a root says of its distribution (os-release(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.namedtuple import NamedTuple
from minpack.paths import normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.rootfs.entry import Entry

#: Where it is, the first that there is.
OS_RELEASE = (normal("/etc/os-release"), normal("/usr/lib/os-release"))
MAX_OS_RELEASE = 1 << 16
#: Within quotes these are written with a backslash before them.
_ESCAPED = re.compile(r'\\([\\"$`])')


class Distribution(NamedTuple):
    """What ``ID``, ``VERSION_ID`` and ``PRETTY_NAME`` say; each may be empty."""

    id: str = ""
    version: str = ""
    name: str = ""


def parse_os_release(data: bytes) -> Distribution:
    """What the file with those bytes says; lines that are none of its form are passed over."""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            fields[key] = _unquoted(value)
    return Distribution(fields.get("ID", ""), fields.get("VERSION_ID", ""), fields.get("PRETTY_NAME", ""))


def find_distribution(find_file: Callable[[str], Entry | None]) -> Distribution | None:
    """What the first file of `OS_RELEASE` that there is says; None without one.

    :param find_file: gives the file at a path, links followed.
    :raises InputError: it cannot be read.
    """
    for path in OS_RELEASE:
        entry = find_file(path)
        if entry is not None and entry.content is not None and entry.content.size <= MAX_OS_RELEASE:
            return parse_os_release(read_all(entry.content, MAX_OS_RELEASE))
    return None


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote not in ('"', "'") or len(value) < 2 or not value.endswith(quote):  # noqa: PLR2004 - both quotes
        return value
    inner = value[1:-1]
    return _ESCAPED.sub(r"\1", inner) if quote == '"' else inner
