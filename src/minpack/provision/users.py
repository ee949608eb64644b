"""The system users that a program looks up by name, as the base has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.provision.values import SystemUsers
from minpack.rootfs.etc_files import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from minpack.base.walk import Walker

#: Larger files are no lists of system users.
MAX_LIST = 1 << 20
#: System users are below (Debian Policy, section 9.2.2; LSB, "User ID Ranges").
FIRST_USER = 1000


def system_users(names: Sequence[str], base: Walker) -> SystemUsers:
    """Those of `names` that are users of the base, with their groups.

    :raises InputError: the base's /etc/passwd or /etc/group cannot be read.
    """
    users = {name: ids for name, ids in listed_ids(base, "/etc/passwd", 2) if name in names and _is_system(ids)}
    groups = {name: ids[0] for name, ids in listed_ids(base, "/etc/group", 1)}
    used = {ids[1] for ids in users.values()}
    lines = [f"{name}:x:{uid}:{gid}:{name}:/nonexistent:/sbin/nologin\n" for name, (uid, gid) in users.items()]
    named = [f"{name}:x:{gid}:\n" for name, gid in groups.items() if gid in used]
    missing = tuple(name for name in names if name not in users)
    return SystemUsers("".join(sorted(lines)).encode(), "".join(sorted(named)).encode(), missing)


def _is_system(ids: Collection[int]) -> bool:
    return all(0 < number < FIRST_USER for number in ids)


def listed_ids(base: Walker, path: str, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and numbers of each line of passwd(5) or group(5) that is as it should be, of a name the first."""
    entry = base.find_file(path)
    if entry is None or entry.content is None or entry.size > MAX_LIST:
        return
    seen = set()
    for line in read_all(entry.content, MAX_LIST).decode("utf-8", "replace").splitlines():
        name, _, *rest = (*line.split(":"), "", "")
        if name not in seen and all(_is_number(text) for text in rest[:count]):
            seen.add(name)
            yield name, tuple(int(number) for number in rest[:count])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
