"""What a base says of itself: its distribution and its dynamic loaders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.ld.fit import BaseLoader, find_loaders
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.base.walk import Walker

MAX_OS_RELEASE = 1 << 16


class BaseFacts(NamedTuple):
    """`system` is os-release's PRETTY_NAME, empty without one."""

    name: str
    system: str
    loaders: tuple[BaseLoader, ...]


def read_facts(walker: Walker) -> BaseFacts:
    """What the base that `walker` looks at says of itself (os-release(5))."""
    entry = walker.find_file("/etc/os-release") or walker.find_file("/usr/lib/os-release")
    system = ""
    if entry is not None and entry.content is not None and entry.content.size <= MAX_OS_RELEASE:
        for line in read_all(entry.content, MAX_OS_RELEASE).decode("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                system = value.strip().strip("\"'")
    return BaseFacts(walker.base.name, system, find_loaders(walker))
