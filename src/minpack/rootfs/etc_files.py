"""The /etc files that are always minpack's own: users, groups, and the name service's configuration."""

from __future__ import annotations

from minpack.errors import BadValueError
from minpack.namedtuple import NamedTuple

#: The uid that distroless, ko and apko use for "some user that is not root".
NONROOT = 65532
NOBODY = 65534
#: Docker takes no higher numbers ("uids and gids must be in range 0-2147483647").
MAX_ID = 2**31 - 1


class User(NamedTuple):
    """The user that the program runs as; `groups` are its supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"

    @property
    def name(self) -> str:
        """The name in /etc/passwd."""
        return {0: "root", NONROOT: "nonroot", NOBODY: "nobody"}.get(self.uid, "app")

    @property
    def home(self) -> str:
        """The home directory."""
        if self.uid == NOBODY:
            return "/nonexistent"
        return "/root" if self.uid == 0 else f"/home/{self.name}"

    @property
    def has_home(self) -> bool:
        """Whether the home directory is one that can be there."""
        return self.uid != NOBODY


DEFAULT_USER = User(NONROOT, NONROOT)
_NAMES = {"root": 0, "nonroot": NONROOT, "nobody": NOBODY}


def parse_user(text: str) -> User:
    """The user written ``UID``, ``UID:GID``, or ``root``, ``nonroot`` or ``nobody``.

    Images name users by number: Kubernetes cannot check another name for root (runAsNonRoot).

    :raises BadValueError: it is none of these.
    """
    user, colon, group = text.partition(":")
    uid = _parse_id(user, text)
    return User(uid, _parse_id(group, text) if colon else uid)


def _parse_id(part: str, text: str) -> int:
    if part in _NAMES:
        return _NAMES[part]
    hint = "give numbers, for example 1000:1000 (id -u NAME prints yours), or root, nonroot or nobody"
    if not part:
        raise BadValueError(text, "a part of it is empty", f"is a shell variable unset? {hint}")
    if not part.isascii() or not part.isdigit():
        raise BadValueError(text, f"{part!r} is not a number", hint)
    if len(part) > len(str(MAX_ID)) or int(part) > MAX_ID:
        raise BadValueError(text, f"{MAX_ID} is the highest number that engines accept", hint)
    return int(part)


def passwd(user: User) -> bytes:
    """/etc/passwd with root, nobody, nonroot and `user` (passwd(5))."""
    users = {known.uid: known for known in (User(0, 0), User(NOBODY, NOBODY), DEFAULT_USER, user)}
    lines = (f"{u.name}:x:{u.uid}:{u.gid}:{u.name}:{u.home}:/sbin/nologin\n" for u in _sorted(users))
    return "".join(lines).encode()


def group(user: User) -> bytes:
    """/etc/group with a group for each gid in /etc/passwd (group(5))."""
    groups = {0: "root", NOBODY: "nobody", NONROOT: "nonroot"}
    groups.setdefault(user.gid, "app")
    return "".join(f"{name}:x:{gid}:\n" for gid, name in sorted(groups.items())).encode()


def _sorted(users: dict[int, User]) -> list[User]:
    return [users[uid] for uid in sorted(users)]


#: Without it, glibc before 2.34 and programs that read it themselves ask DNS before /etc/hosts (nsswitch.conf(5)).
NSSWITCH = b"""passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
"""
