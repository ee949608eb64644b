"""The values of what an image asks for: each path that is asked for, what asks for it, and how that is known."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.images.finding import Finding
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry


class AskedAs(StrEnum):
    """How a path comes to be asked for; a closed list, used in JSON."""

    #: The image starts it: its entrypoint, its command, its health check, or what these start in their turn.
    PROGRAM = "program"
    #: The configuration of the image names it: an argument, a variable, a volume, a directory, a user.
    CONFIGURATION = "configuration"
    LIBRARY = "library"
    LINK = "link"
    DIRECTORY = "directory"
    #: Data of a kind that programs need: certificates, time zones, lists of users.
    NEED = "need"
    #: A file has the path among its constants, or in its text.
    NAMED = "named"
    #: It lies in a directory that is asked for.
    INSIDE = "inside"
    #: It is what an interpreter may read: nobody can know.
    INTERPRETER = "interpreter"
    #: It names the packages that files are from.
    DATABASE = "database"
    #: An option says so.
    KEPT = "kept"


class Asked(NamedTuple):
    """Why the image asks for a path.

    `by` is the path of the file or directory that asks, empty for the image itself. `text` is a clause whose subject
    is that.
    """

    path: RootPath
    kind: AskedAs
    text: str
    by: RootPath


class Reach(NamedTuple):
    """All paths of an image that something in it asks for, in the order in which they were found.

    `users` has for each library, by its path, the files that need it. `interpreter` is the path of the program that
    reads files nobody can know, empty if the image starts none; then `left` are the paths that it is known not to read.
    `problems` say why a container of the image does not start.
    """

    entries: Mapping[RootPath, Entry]
    asked: Mapping[RootPath, Asked]
    users: Mapping[RootPath, tuple[RootPath, ...]] = {}
    interpreter: str = ""
    problems: tuple[Finding, ...] = ()

    def chain(self, path: RootPath) -> tuple[Asked, ...]:
        """From the image itself to `path`, what asks for what; empty if nothing asks for it."""
        found: list[Asked] = []
        while path in self.asked:
            found.append(self.asked[path])
            path = found[-1].by
        return tuple(reversed(found))
