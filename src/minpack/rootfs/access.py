"""Who may do what to an entry: the kernel's rules for modes, owners and file capabilities."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.rootfs.entry import Entry
    from minpack.rootfs.etc_files import User

READ, WRITE, EXECUTE = 4, 2, 1
#: The extended attribute of file capabilities (capabilities(7)).
CAPABILITY = "security.capability"
#: Extended attributes of the policy of the host that made a tree: another host gives its own.
POLICY_LABELS = ("security.selinux", "security.SMACK64", "security.apparmor", "security.ima", "security.evm")
#: By its revision: how many bytes it has (linux/capability.h, VFS_CAP_REVISION_1 to 3).
_SIZES = {1: 12, 2: 20, 3: 24}


def may(entry: Entry, user: User, access: int) -> bool:
    """Whether the mode allows `user` the `access`; root may do all, but run only what somebody may.

    See path_resolution(7), "Permissions".
    """
    if user.uid == 0:
        return access != EXECUTE or entry.kind is Kind.DIRECTORY or bool(entry.mode & 0o111)
    shift = 6 if entry.uid == user.uid else 3 if entry.gid == user.gid or entry.gid in user.groups else 0
    return bool(entry.mode >> shift & access)


def is_capability(data: bytes) -> bool:
    """Whether the kernel takes the bytes for file capabilities (security/commoncap.c, `get_vfs_caps_from_disk`)."""
    return len(data) > 3 and _SIZES.get(data[3]) == len(data)  # noqa: PLR2004 - the revision is the fourth byte


def is_executable(kind: Kind, mode: int) -> bool:
    """Whether somebody may run it: capabilities count for nothing else."""
    return kind is Kind.FILE and bool(mode & 0o111)


def read_capability(path: str | bytes) -> bytes:
    """The capabilities of a file of this host, links followed; none where it has none or the system knows none."""
    getxattr = getattr(os, "getxattr", None)
    if getxattr is None:
        return b""
    try:
        data: bytes = getxattr(path, CAPABILITY)
    except OSError:
        return b""
    return data if is_capability(data) else b""
