"""Whether an image works as a user that the platform chooses: what `minpack check --any-user` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.images.finding import Finding, Severity
from minpack.plan.any_user import obstacles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.oci.documents import ImageConfig
    from minpack.rootfs.etc_files import User

_HINTS = {
    "home": "pack it with --any-user, or set HOME to a directory that group 0 may write to",
    "tmp": "add /tmp with mode 1777",
}
_GROUP = "pack it with --any-user, or give it to group 0 with the rights of its owner (chgrp -R 0, chmod -R g=u)"


def check_any_user(config: ImageConfig, tree: Walker, owner: User) -> Iterator[Finding]:
    """What such a user cannot do that the image's user, `owner`, can."""
    for one in obstacles(config, tree, owner):
        yield Finding(one.code, Severity.WARNING, one.path, one.reason, _HINTS.get(one.code, _GROUP))
    if not owner.uid:
        reason = (
            "the image's user is root, who may write anywhere: which directories the program writes to is not known"
        )
        yield Finding("any-user", Severity.NOTE, "", reason, "try it with a read-only root: minpack deployment")
