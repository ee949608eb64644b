"""What a log tells: the paths that were used, and how; what was connected to."""

from __future__ import annotations

from enum import StrEnum

from minpack.namedtuple import NamedTuple


class Use(StrEnum):
    """What was done with a path; a closed list, used in JSON."""

    EXECUTED = "executed"
    OPENED = "opened"
    #: Asked about: stat(2), access(2), readlink(2), and what is like them.
    EXAMINED = "examined"
    #: Opened to be written, or made, or the new name of something.
    WRITTEN = "written"


class Access(NamedTuple):
    """A path that was used, absolute, and with ``..`` as the process wrote it; links may be anywhere in it.

    `error` is errno's name, empty where it worked. `follows` is whether a link at its end is followed.
    """

    path: str
    use: Use
    error: str = ""
    follows: bool = True


class Connection(NamedTuple):
    """A socket's other end, or its own where it was bound (`bound`).

    `family` is ``unix``, ``inet`` or ``inet6``; `address` is a path, an abstract name
    after ``@``, or an address and a port.
    """

    family: str
    address: str
    bound: bool = False
    error: str = ""


class TraceLog(NamedTuple):
    """All that a log tells, each fact once and sorted.

    `processes` is how many there were; `unplaced` counts paths that began nobody knows where, `unread` the lines that
    mean nothing.
    """

    accesses: tuple[Access, ...] = ()
    connections: tuple[Connection, ...] = ()
    processes: int = 0
    unplaced: int = 0
    unread: int = 0
