"""Following a path to where something is to be written, and noticing a link that somebody else planted there."""

from __future__ import annotations

import os
import stat

from minpack.namedtuple import NamedTuple

#: The kernel's limit of links in one lookup (path_resolution(7)).
MAX_LINKS = 40


class Followed(NamedTuple):
    """Where a path leads: absolute, without a link in it; what is not there yet is taken as text.

    `planted` is the first link on the way that another user made where all may, and is empty if there is none.
    """

    path: str
    planted: str = ""


def follow(path: str) -> Followed:
    """Where `path` leads.

    A link in a sticky directory that all may write to counts only if it belongs to this process's user or to the
    directory's owner: the rule of the kernel's `protected_symlinks` (proc_sys_fs(5)), which is not switched on
    everywhere.

    :raises OSError: there are more than 40 links, or the working directory is gone.
    """
    here = "/" if path.startswith("/") else os.path.realpath(".")
    todo = path.split("/")[::-1]
    links, planted = 0, ""
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = os.path.dirname(here)
            continue
        at = os.path.join(here, part)
        link = _link(at)
        if link is None:
            here = at
            continue
        links += 1
        if links > MAX_LINKS:
            from errno import ELOOP  # noqa: PLC0415 - for loops alone

            raise OSError(ELOOP, os.strerror(ELOOP))
        planted = planted or (at if is_planted(at) else "")
        todo += link.split("/")[::-1]
        here = "/" if link.startswith("/") else here
    return Followed(here, planted)


def is_planted(path: str) -> bool:
    """Whether what is at `path`, a link itself, belongs to another user and is where every user may make something."""
    try:
        directory, owner = os.stat(os.path.dirname(path)), os.lstat(path).st_uid
    except OSError:
        return False
    shared = stat.S_ISVTX | stat.S_IWOTH
    return directory.st_mode & shared == shared and owner not in (os.geteuid(), directory.st_uid)


def _link(path: str) -> str | None:
    """What the link at `path` says; None if it is none, or may not be looked at."""
    try:
        return os.readlink(path)
    except OSError:
        return None
