"""The system users that a program looks up by name, as the base has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.users import is_system, listed_ids
from minpack.provision.values import SystemUsers

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from minpack.base.walk import Walker


def system_users(names: Sequence[str], base: Walker, owners: Collection[str] = ()) -> SystemUsers:
    """Those of `names` that are users of the base, with their groups; and those groups that are among `owners`.

    :param owners: users and groups that files belong to by name.
    :raises InputError: the base's /etc/passwd or /etc/group cannot be read.
    """
    wanted = {*names, *owners}
    users = {name: ids for name, ids in listed_ids(base, "/etc/passwd", 2) if name in wanted and is_system(ids)}
    groups = {name: ids[0] for name, ids in listed_ids(base, "/etc/group", 1)}
    used = {ids[1] for ids in users.values()} | {gid for name, gid in groups.items() if name in owners}
    lines = [f"{name}:x:{uid}:{gid}:{name}:/nonexistent:/sbin/nologin\n" for name, (uid, gid) in users.items()]
    named = [f"{name}:x:{gid}:\n" for name, gid in groups.items() if gid in used and is_system((gid,))]
    missing = tuple(name for name in names if name not in users)
    return SystemUsers("".join(sorted(lines)).encode(), "".join(sorted(named)).encode(), missing)
