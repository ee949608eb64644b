"""Owners of added files that are given by name: their numbers in the lists that the image will have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.base.users import ids_in, is_system, listed_ids
from minpack.content import BytesContent
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.program.additions import host_file
from minpack.rootfs.etc_files import User, group, passwd
from minpack.spec.owners import OwnerName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.content import Content
    from minpack.spec.image import ImageSpec
    from minpack.spec.values import AddedDirectory, Addition

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"
_HINT = "give its number, or add a list that has it: --add FILE:{}"


class _Accounts(NamedTuple):
    """The users of the image with their groups, and its groups."""

    users: dict[str, tuple[int, ...]]
    groups: dict[str, int]


def names_owners(spec: ImageSpec) -> bool:
    """Whether an owner is given by name."""
    return any(isinstance(owner, OwnerName) for owner in _owners(spec))


def owner_names(spec: ImageSpec) -> tuple[str, ...]:
    """The names of users and groups that files belong to."""
    named = (owner for owner in _owners(spec) if isinstance(owner, OwnerName))
    return tuple(dict.fromkeys(part for owner in named for part in owner if part and not part.isdigit()))


def with_owner_numbers(spec: ImageSpec, walker: Walker) -> ImageSpec:
    """The spec with the numbers of all owners.

    :param walker: over the base, and an image below.
    :raises UsageError: the image will have no such user or group.
    """
    accounts = _accounts(spec, walker)
    default = spec.owner
    return spec._replace(
        owner=_numbers(default, accounts, "--chown", str(default)) if isinstance(default, OwnerName) else default,
        additions=tuple(_resolved_addition(one, accounts) for one in spec.additions),
        directories=tuple(_resolved_directory(one, accounts) for one in spec.directories),
    )


def _owners(spec: ImageSpec) -> Iterator[User | OwnerName | None]:
    yield spec.owner
    for addition in spec.additions:
        yield addition.owner
    for wanted in spec.directories:
        yield wanted.owner


def _resolved_addition(one: Addition, accounts: _Accounts) -> Addition:
    if not isinstance(one.owner, OwnerName):
        return one
    return one._replace(owner=_numbers(one.owner, accounts, "--add", str(one)))


def _resolved_directory(one: AddedDirectory, accounts: _Accounts) -> AddedDirectory:
    if not isinstance(one.owner, OwnerName):
        return one
    return one._replace(owner=_numbers(one.owner, accounts, "--dir", str(one)))


def _numbers(owner: OwnerName, accounts: _Accounts, option: str, value: str) -> User:
    if owner.user.isdigit():
        uid, gid = int(owner.user), int(owner.user)
    elif owner.user in accounts.users:
        uid, gid = accounts.users[owner.user]
    else:
        raise UsageError(option, value, f"the image has no user {owner.user!r}", _HINT.format(_PASSWD))
    if not owner.group:
        return User(uid, gid)
    if not owner.group.isdigit() and owner.group not in accounts.groups:
        raise UsageError(option, value, f"the image has no group {owner.group!r}", _HINT.format(_GROUP))
    return User(uid, int(owner.group) if owner.group.isdigit() else accounts.groups[owner.group])


def _accounts(spec: ImageSpec, walker: Walker) -> _Accounts:
    user = spec.run.user
    users = _ids(spec, walker, _PASSWD, 2, passwd(user))
    groups = _ids(spec, walker, _GROUP, 1, group(user))
    return _Accounts(users, {name: ids[0] for name, ids in groups.items()})


def _ids(spec: ImageSpec, walker: Walker, path: str, count: int, own: bytes) -> dict[str, tuple[int, ...]]:
    """What the image's list at `path` has: the user's own list, or minpack's with the base's system users.

    Of an image that is kept below, its own list comes first.
    """
    added = _added_list(spec, path)
    if added is not None:
        return dict(ids_in(added, count))
    written, found = dict(ids_in(BytesContent(own), count)), dict(listed_ids(walker, path, count))
    if spec.on is not None:
        return written | found
    return {name: ids for name, ids in found.items() if is_system(ids)} | written


def _added_list(spec: ImageSpec, path: str) -> Content | None:
    """The file of this host that an addition puts at `path`."""
    for addition in spec.additions:
        if addition.destination == path and os.path.isfile(addition.source):
            return host_file(addition.source)
        inside = path.removeprefix(addition.destination.rstrip("/"))
        source = addition.source.rstrip("/") + inside
        if inside.startswith("/") and os.path.isdir(addition.source) and os.path.isfile(source):
            return host_file(source)
    return None
