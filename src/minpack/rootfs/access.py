"""Who may do what to an entry: the kernel's rule for modes and owners (path_resolution(7), "Permissions")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.rootfs.entry import Entry
    from minpack.rootfs.etc_files import User

READ, WRITE, EXECUTE = 4, 2, 1


def may(entry: Entry, user: User, access: int) -> bool:
    """Whether the mode allows `user` the `access`; root may do all, but run only what somebody may."""
    if user.uid == 0:
        return access != EXECUTE or entry.kind is Kind.DIRECTORY or bool(entry.mode & 0o111)
    shift = 6 if entry.uid == user.uid else 3 if entry.gid == user.gid else 0
    return bool(entry.mode >> shift & access)
