"""Whose numbers of users and groups a sandbox has: this host's for root, else those that the kernel lets a user have.

Sources: user_namespaces(7), subuid(5), newuidmap(1).
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

from minpack.namedtuple import NamedTuple

#: As many numbers as images use.
_COUNT = 65536


class Identity(NamedTuple):
    """The numbers in the sandbox: `mapped` says whether they are not this host's, so that it needs a user namespace.

    `uids` and `gids` are the first of the user's further numbers, if a helper may give them; without, the user in the
    sandbox is the only one there, and owns all.
    """

    mapped: bool
    uids: int = 0
    gids: int = 0

    @property
    def has_owners(self) -> bool:
        """Whether files can have different owners."""
        return not self.mapped or self.uids > 0


def identity_of(uid: int, files: tuple[str, str] = ("/etc/subuid", "/etc/subgid")) -> Identity:
    """What the user of this host may have.

    :param files: where further numbers are given to users.
    """
    if uid == 0:
        # In a user namespace root may have no others.
        return Identity(mapped=_known_users() < _COUNT)
    first = [_granted(path, uid) for path in files]
    if all(first) and shutil.which("newuidmap") and shutil.which("newgidmap"):
        return Identity(mapped=True, uids=first[0], gids=first[1])
    return Identity(mapped=True)


def _known_users() -> int:
    """How many users there are here (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", "rb") as file:
            return sum(int(line.split()[2]) for line in file)
    except (OSError, ValueError, IndexError):
        return _COUNT


def _granted(path: str, uid: int) -> int:
    """The first of the numbers that the file gives to the user; 0 if it gives none, or not enough."""
    import pwd  # noqa: PLC0415 - for ordinary users alone

    names = {str(uid)}
    with suppress(KeyError):
        names.add(pwd.getpwuid(uid).pw_name)
    with suppress(OSError, ValueError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            name, _, rest = line.strip().partition(":")
            first, _, count = rest.partition(":")
            if name in names and int(count) >= _COUNT - 1:
                return int(first)
    return 0


def write_maps(pid: int, identity: Identity, host: tuple[int, int], inside: tuple[int, int]) -> None:
    """Give the user namespace of process `pid` its numbers.

    :param host: the user and group who run this.
    :param inside: the user and group that the program has; they stand for `host` where there are no other numbers.
    :raises OSError: the kernel, or the helper, refuses it.
    """
    if identity.has_owners:
        for tool, first, own in (("newuidmap", identity.uids, host[0]), ("newgidmap", identity.gids, host[1])):
            ranges = ["0", str(own), "1", "1", str(first), str(_COUNT - 1)]
            done = subprocess.run([tool, str(pid), *ranges], capture_output=True, check=False)
            if done.returncode:
                raise PermissionError(1, done.stderr.decode(errors="replace").strip()[:200] or f"{tool} failed")
        return
    _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", f"{inside[0]} {host[0]} 1\n")
    _write(f"/proc/{pid}/gid_map", f"{inside[1]} {host[1]} 1\n")


def _write(path: str, text: str) -> None:
    with open(path, "wb") as file:
        file.write(text.encode())
