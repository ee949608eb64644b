"""Whom a container of an image runs as, by the image's own lists, as engines look users up.

Source: moby/sys `user/user.go`, `GetExecUser` (runc and containerd have the same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import InputError
from minpack.images.finding import Finding, Severity
from minpack.namedtuple import NamedTuple
from minpack.rootfs.etc_files import MAX_ID, User

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker

#: Larger files are no lists of users.
_MOST_LIST = 16 << 20
_PASSWD, _GROUP = "/etc/passwd", "/etc/group"


class ImageUser(NamedTuple):
    """The user of an image; `name` and `home` are empty where its list of users does not say."""

    user: User
    name: str = ""
    home: str = ""


class _Account(NamedTuple):
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str


def find_user(text: str, tree: Walker) -> ImageUser | Finding:
    """The user that the configuration names as ``USER[:GROUP]``, each by name or number; root if it names none."""
    wanted, _, wanted_group = text.partition(":")
    account = next((one for one in _accounts(tree) if _means(wanted or "0", one.name, one.uid)), None)
    if account is None:
        number = _number(wanted or "0")
        if number is None:
            return _unknown("user", wanted, _PASSWD)
        account = _Account("", number, 0, "/")
    gid, groups = account.gid, tuple[int, ...]()
    if wanted_group:
        found = next((number for name, number, _ in _groups(tree) if _means(wanted_group, name, number)), None)
        known = found if found is not None else _number(wanted_group)
        if known is None:
            return _unknown("group", wanted_group, _GROUP)
        gid = known
    elif account.name:
        groups = tuple(number for _, number, members in _groups(tree) if account.name in members)
    return ImageUser(User(account.uid, gid, groups), account.name, account.home)


def _means(wanted: str, name: str, number: int) -> bool:
    return wanted == name or (wanted.isdecimal() and int(wanted) == number)


def _number(text: str) -> int | None:
    """The number that `text` is, if engines take it."""
    fits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
    return int(text) if fits and int(text) <= MAX_ID else None


def _unknown(what: str, name: str, path: str) -> Finding:
    if name.isascii() and name.isdigit():
        reason = f"{MAX_ID} is the highest number that engines accept"
        return Finding(f"unknown-{what}", Severity.ERROR, name, reason, "choose a lower number")
    hint = f"name the {what} by its number, or put it into {path}"
    return Finding(f"unknown-{what}", Severity.ERROR, name, f"the {what} {name!r} is not in {path} of the image", hint)


def _accounts(tree: Walker) -> Iterator[_Account]:
    for fields in lines_of(tree, _PASSWD):
        name, _, uid, gid, _, home, *_ = (*fields, *[""] * 6)
        numbers = (_number(uid or "0"), _number(gid or "0"))
        if numbers[0] is not None and numbers[1] is not None and name:
            yield _Account(name, numbers[0], numbers[1], home)


def _groups(tree: Walker) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    for fields in lines_of(tree, _GROUP):
        name, _, gid, members, *_ = (*fields, *[""] * 4)
        number = _number(gid or "0")
        if number is not None and name:
            yield name, number, tuple(members.split(","))


def lines_of(tree: Walker, path: str) -> Iterator[list[str]]:
    """The fields of each line of a list such as passwd(5), group(5) or shadow(5); none of what cannot be read."""
    entry = tree.find_file(path)
    if entry is None or entry.content is None or entry.size > _MOST_LIST:
        return
    try:
        data = read_all(entry.content, _MOST_LIST)
    except InputError:
        return
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")
