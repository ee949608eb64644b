"""Whether an image works as a user that the platform chooses: any UID, with group 0, and without a line in /etc/passwd.

Source: OpenShift, "Creating images", "Support arbitrary user ids"; a container without a HOME gets that of /etc/passwd,
or ``/`` (runc, libcontainer/init_linux.go).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.excerpt import few
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need, Verdict
from minpack.paths import ROOT
from minpack.plan.permissions import MOST, is_writable
from minpack.rootfs.access import READ, WRITE, may
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User
from minpack.rootfs.modes import TMP, VAR_TMP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.oci.documents import ImageConfig
    from minpack.plan.model import Plan
    from minpack.rootfs.entry import Entry

#: One of those that OpenShift gives its first projects.
ANY_USER = User(1_000_620_000, 0)
NO_LINE = "a UID that the platform chooses has no line in /etc/passwd (CRI-O and Podman add one, Docker does not)"
ROOT_NOTE = "the image's user is root: where the platform chooses no other, the program runs as root (see --user)"


class Obstacle(NamedTuple):
    """What such a user cannot do that the image's user can: `reason` is a clause about `path`."""

    code: str
    path: str
    reason: str


def is_any_user(user: User) -> bool:
    """Whether it stands for all that a platform may choose."""
    return user == ANY_USER


def obstacles(config: ImageConfig, tree: Walker, owner: User) -> Iterator[Obstacle]:
    """What keeps such a user from the home directory, from those for temporary files, and from what is `owner`'s.

    :param owner: the image's user.
    """
    home = dict(config.env).get("HOME", "")
    if not home:
        yield Obstacle("home", "HOME", "it is not set, so the home directory is /, where nothing can be written")
    elif not is_writable(tree, home, ANY_USER):
        yield Obstacle("home", home, f"it is the home directory, and {ANY_USER} cannot write to it")
    if not is_writable(tree, TMP, ANY_USER):
        yield Obstacle("tmp", TMP, f"{ANY_USER} cannot write to it")
    if owner.uid:
        yield from _closed(tree, owner, {home, TMP, VAR_TMP, *config.volumes})


def _closed(tree: Walker, owner: User, known: set[str]) -> Iterator[Obstacle]:
    """The files and directories that are the image's user's and may not be used by others."""
    for path, entry in sorted(tree_below(tree.base, ROOT), key=itemgetter(0)):
        if entry is not None and entry.kind in (Kind.FILE, Kind.DIRECTORY) and path not in known:
            what = _kept_from(entry, owner)
            if what:
                yield Obstacle("any-user", path, f"{owner} may {what} it, and {ANY_USER} may not")


def _kept_from(entry: Entry, owner: User) -> str:
    accesses = ((READ, "read"), (WRITE, "write to"))
    return next(
        (what for access, what in accesses if may(entry, owner, access) and not may(entry, ANY_USER, access)), ""
    )


def any_user_notes(plan: Plan, tree: Walker, owner: User) -> list[str]:
    """Notes of what a user that the platform chooses cannot do in the planned image.

    :param tree: of the whole image.
    """
    found = (f"{one.path!r}: {one.reason}" for one in obstacles(plan.config, tree, owner))
    notes = few(found, MOST, "{} more files and directories are not for every user")
    volumes = (path for path in plan.config.volumes if not is_writable(tree, path, ANY_USER))
    notes += [f"{path!r}: it is a volume, and {ANY_USER} cannot write to it" for path in volumes]
    users = next((one for one in plan.decisions if one.need is Need.PASSWD), None)
    if users is not None and users.verdict.rank > Verdict.OPTIONAL.rank:
        notes.append(f"the program {users.why}: {NO_LINE}")
    if owner.uid == 0:
        notes.append(ROOT_NOTE)
    return notes
