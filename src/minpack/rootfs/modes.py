"""Modes: those that files of a host have in an image, and those that some directories have in every image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.paths import normal
from minpack.rootfs.entry import Kind, directory

if TYPE_CHECKING:
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry
    from minpack.rootfs.etc_files import User

#: Set-user-ID, set-group-ID and sticky (inode(7)).
SPECIAL_BITS = 0o7000
SET_ID_BITS = 0o6000
#: Every user makes files there, and none removes those of others (FHS 3.0, 3.18 and 5.15; hier(7)).
TMP = normal("/tmp")  # noqa: S108 - the image's
VAR_TMP = normal("/var/tmp")  # noqa: S108
SHARED_MODE = 0o1777


def normal_mode(mode: int) -> int:
    """The mode of a file of which nothing is said: for all, and executable if its owner could execute it.

    So an image does not depend on the umask that the file was made under.
    """
    return 0o755 if mode & 0o100 else 0o644


def tree_mode(mode: int, *, enters: bool) -> int:
    """What `mode`, given for a whole tree, means for one thing in it.

    As with chmod(1)'s ``X``: who may read a directory, or a file that is executable, may enter or execute it, and
    other files are not executable.

    :param enters: it is a directory or executable.
    """
    return mode | (mode & 0o444) >> 2 if enters else mode & ~0o111


def is_meant(mode: int, umask: int, *, enters: bool = False) -> bool:
    """Whether a mode is more than what is left of the mode of all new files.

    That is so of a file that runs as its owner or group, of what not all may read, and of what others may write to
    although `umask` takes that from new files.

    :param enters: it is a directory, which all are to enter too.
    """
    closed = ~mode & (0o055 if enters else 0o044)
    return bool(closed or mode & umask & 0o022 or (mode & SET_ID_BITS and not enters))


def for_group(entry: Entry) -> Entry:
    """`entry` as group 0's, which may do with it what its owner may.

    Platforms that choose a user put it into that group (OpenShift, "Creating images", "Support arbitrary user ids").
    """
    mode = entry.mode if entry.kind is Kind.SYMLINK else entry.mode & ~0o070 | (entry.mode & 0o700) >> 3
    return entry._replace(mode=mode, gid=0)


def standard_directories(user: User, *, any_user: bool = False) -> dict[RootPath, Entry]:
    """The directories for temporary files, and the home of the image's user if it has one.

    :param any_user: whether the home is for group 0 too.
    """
    found = {path: directory(path, SHARED_MODE) for path in (TMP, VAR_TMP)}
    if user.has_home:
        home = normal(user.home)
        # Random uids, as some platforms assign, must be able to enter it.
        made = directory(home, 0o755, user.uid, user.gid)
        found[home] = for_group(made) if any_user else made
    return found


def is_shared(entry: Entry) -> bool:
    """Whether a directory is one like /tmp: all may write to it, and its sticky bit keeps their files apart."""
    return entry.mode & 0o1002 == 0o1002  # noqa: PLR2004 - sticky, and writable by others (inode(7))
