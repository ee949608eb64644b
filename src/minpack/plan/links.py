"""Links that options bring into an image and that lead nowhere in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.errors import DanglingLinkError
from minpack.excerpt import listed, shorten
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.paths import RootPath
    from minpack.plan.model import Plan, Taken
    from minpack.program.additions import Placed

#: More are counted.
MOST = 3
#: What container runtimes make: the kernel's trees, and the files of a container's own network.
_OF_RUNTIMES = ("/proc/", "/sys/", "/dev/", "/run/")
_FILES_OF_RUNTIMES = frozenset(("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"))


def dangling_notes(plan: Plan, placed: Sequence[Placed], taken: Sequence[Taken], *, strict: bool) -> tuple[str, ...]:
    """A note of the links in added directories, and among what was taken, that lead nowhere in the image.

    :raises DanglingLinkError: there are some, and that is to be an error.
    """
    walker = Walker(base_of("the packed tree", plan.all))
    found: dict[RootPath, str] = {}
    entries = (*(item.entry for item in placed if item.source), *(one.entry for one in taken))
    for entry in entries:
        is_link = entry.kind is Kind.SYMLINK and not comes_later(entry.link)
        if is_link and walker.walk(entry.path).entry is None:
            found[entry.path] = entry.link
    if not found:
        return ()
    links = tuple(f"{path} -> {target}" for path, target in found.items())
    if strict:
        raise DanglingLinkError(links)
    many = f"{len(links)} added links are broken" if len(links) > 1 else "1 added link is broken"
    return (f"{many}: {listed(map(shorten, links), MOST)}",)


def comes_later(target: str) -> bool:
    """Whether a runtime puts something there when the container starts."""
    return f"{target}/".startswith(_OF_RUNTIMES) or target in _FILES_OF_RUNTIMES
