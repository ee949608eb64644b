"""Which argument of a call is a path, where that begins, and what is done with it.

Source: the calls' man pages, and strace's class ``%file`` (strace 6.1, `syscallent.h`).
"""

from __future__ import annotations

import re

from minpack.namedtuple import NamedTuple
from minpack.strace.access import Connection, Use
from minpack.strace.text import parse_string


class PathArgument(NamedTuple):
    """Where a call has its path, and what it does with it.

    `directory` is the argument with the descriptor where a relative path begins, -1 for the working directory; `flags`
    the one with flags, -1 where there are none. `follows`: a link at the end is followed, unless flags say otherwise.
    """

    path: int
    use: Use = Use.EXAMINED
    directory: int = -1
    flags: int = -1
    follows: bool = True


_LINK = PathArgument(0, follows=False)
_FIRST, _AT = PathArgument(0), PathArgument(1, directory=0)
_MADE, _MADE_AT = PathArgument(0, Use.WRITTEN, follows=False), PathArgument(1, Use.WRITTEN, 0, follows=False)

PATH_ARGUMENTS: dict[str, tuple[PathArgument, ...]] = {
    "open": (PathArgument(0, Use.OPENED, flags=1),),
    "openat": (PathArgument(1, Use.OPENED, 0, 2),),
    "openat2": (PathArgument(1, Use.OPENED, 0, 2),),
    "creat": (PathArgument(0, Use.WRITTEN),),
    "execve": (PathArgument(0, Use.EXECUTED),),
    "execveat": (PathArgument(1, Use.EXECUTED, 0, 4),),
    "uselib": (PathArgument(0, Use.OPENED),),
    "newfstatat": (PathArgument(1, directory=0, flags=3),),
    "fstatat64": (PathArgument(1, directory=0, flags=3),),
    "statx": (PathArgument(1, directory=0, flags=2),),
    "faccessat2": (PathArgument(1, directory=0, flags=3),),
    "name_to_handle_at": (PathArgument(1, directory=0, flags=4, follows=False),),
    "readlinkat": (PathArgument(1, directory=0, follows=False),),
    "mkdirat": (_MADE_AT,),
    "mknodat": (_MADE_AT,),
    "link": (_LINK, PathArgument(1, Use.WRITTEN, follows=False)),
    "linkat": (PathArgument(1, directory=0, flags=4, follows=False), PathArgument(3, Use.WRITTEN, 2, follows=False)),
    "symlink": (PathArgument(1, Use.WRITTEN, follows=False),),
    "symlinkat": (PathArgument(2, Use.WRITTEN, 1, follows=False),),
    "rename": (PathArgument(1, Use.WRITTEN, follows=False),),
    "renameat": (PathArgument(3, Use.WRITTEN, 2, follows=False),),
    "renameat2": (PathArgument(3, Use.WRITTEN, 2, follows=False),),
    "inotify_add_watch": (PathArgument(1),),
    **dict.fromkeys(("faccessat", "futimesat"), (_AT,)),
    **dict.fromkeys(("readlink", "lstat", "lstat64", "lgetxattr", "llistxattr", "oldlstat"), (_LINK,)),
    **dict.fromkeys(("mkdir", "mknod"), (_MADE,)),
    **dict.fromkeys(("truncate", "truncate64"), (PathArgument(0, Use.WRITTEN),)),
    **dict.fromkeys(
        ("stat", "stat64", "oldstat", "access", "chdir", "chroot", "statfs", "statfs64", "getxattr", "listxattr"),
        (_FIRST,),
    ),
}
#: Calls that make a process, or a thread.
FORKS = frozenset(("fork", "vfork", "clone", "clone2", "clone3"))
#: Calls after which descriptors or the directory are others.
KEPT = frozenset(("chdir", "fchdir", "chroot", "getcwd", "dup", "dup2", "dup3", "fcntl", "fcntl64", "close"))
SOCKETS = frozenset(("connect", "bind"))

_WRITES = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC|TMPFILE)\b")
_NO_FOLLOW = re.compile(r"\b(?:O_NOFOLLOW|AT_SYMLINK_NOFOLLOW)\b")
_ENDS = re.compile(
    r"\{sa_family=AF_(UNIX|LOCAL|INET6?)\b"
    r'(?:.*?(?:sun_path=(@?)("(?:[^"\\]|\\.)*+")|'
    r'sin6?_port=htons\(([0-9]{1,5})\)(?:.*?(?:inet_addr\(|inet_pton\(AF_INET6, )("[^"]*"))?))?',
    re.DOTALL,
)


def use_of(argument: PathArgument, flags: str) -> Use:
    """What a call with these flags does."""
    if argument.use is Use.OPENED and _WRITES.search(flags):
        return Use.WRITTEN
    return argument.use


def follows(argument: PathArgument, flags: str) -> bool:
    """Whether a call with these flags follows a link at the end of its path."""
    if "AT_SYMLINK_FOLLOW" in flags:
        return True
    # Both together fail where there is a file, and a link's own path is what must not be there (open(2)).
    if "O_CREAT" in flags and "O_EXCL" in flags:
        return False
    return argument.follows and not _NO_FOLLOW.search(flags)


def connection_of(text: str, *, bound: bool, error: str) -> Connection | None:
    """The address that is an argument of connect(2) or bind(2); None if it is of none of the three families."""
    found = _ENDS.match(text)
    if found is None:
        return None
    family = "unix" if found[1] in ("UNIX", "LOCAL") else found[1].lower()
    if family == "unix":
        path = parse_string(found[3]) if found[3] else ""
        return Connection(family, f"{found[2] or ''}{path}", bound, error) if path else None
    address = (parse_string(found[5]) if found[5] else "") or "?"
    shown = f"[{address}]" if family == "inet6" else address
    return Connection(family, f"{shown}:{found[4] or '?'}", bound, error)
