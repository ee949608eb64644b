"""The processes of a log: where each is, and what its descriptors are.

Threads, and processes that share them (``CLONE_FS``, ``CLONE_FILES``; clone(2)), have one directory, and one table of
descriptors. Of a process that the log shows before the call that made it, the parent is the one that was just making
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.strace.lines import TracedCall
    from minpack.strace.sharing import Sharing

#: More than any machine runs (`PID_MAX_LIMIT` is four million, and a trace of so many is none).
MOST_PROCESSES = 100_000
#: Descriptors of one process that are remembered.
MOST_DESCRIPTORS = 4096


class ProcessPlace:
    """Where a process is: its directory and its root, each empty if that is not known."""

    def __init__(self, directory: str = "", root: str = "/") -> None:
        self.directory = directory
        self.root = root
        self._is_followed = True

    def move(self, directory: str) -> None:
        """Note that it is in another directory."""
        if self._is_followed:
            self.directory = directory

    def change_root(self, root: str) -> None:
        """Note that it has another root."""
        if self.root:
            self.root = root

    def lose(self, *, root: bool) -> None:
        """Note that from now on nobody knows its directory, nor its root if that is lost too."""
        self._is_followed, self.directory = False, ""
        self.root = "" if root else self.root


class Process:
    """What a process has that its paths are meant by.

    `touched` has the descriptors that it or another one changes, each with the one process that does.
    """

    def __init__(self, pid: int, place: ProcessPlace, descriptors: dict[int, str]) -> None:
        self.place = place
        self.descriptors = descriptors
        self.touched: Mapping[int, int] = {}
        self._pid = pid

    def descriptor(self, number: int) -> str:
        """What a descriptor is; empty if that is not known."""
        return self.descriptors.get(number, "") if self.touched.get(number, self._pid) == self._pid else ""

    def absolute(self, path: str, directory: str) -> str:
        """The path as it is in the traced root; empty if nobody knows where it begins.

        :param directory: where it begins if it is relative, in the process's own root, as ``-y`` shows it.
        """
        root = self.place.root
        if path.startswith("/"):
            return path if root == "/" else joined(root, path[1:]) if root else ""
        return joined(directory, path) if directory.startswith("/") else ""

    def remember(self, descriptor: int, path: str) -> None:
        """Note what a descriptor is."""
        if path and descriptor >= 0 and len(self.descriptors) < MOST_DESCRIPTORS:
            self.descriptors[descriptor] = path
        else:
            self.descriptors.pop(descriptor, None)


def joined(directory: str, path: str) -> str:
    """`path` below `directory`."""
    return f"{directory.rstrip('/')}/{path}"


class Processes:
    """All processes of a log, by number.

    :param sharing: what is not followed of which.
    """

    def __init__(self, directory: str, sharing: Sharing) -> None:
        self._start = directory
        self._sharing = sharing
        self._all: dict[int, Process] = {}
        self._forking: dict[int, str] = {}
        self.seen = 0

    def of(self, pid: int) -> Process:
        """The process of that number: its own state, or what its parent had."""
        found = self._all.get(pid)
        if found is None:
            parent = next(reversed(self._forking), None)
            # Lines before the first fork say of nobody whose they are, where strace wrote to a terminal.
            found = self._add(pid, self._all.get(0) if parent is None else self._all.get(parent), "")
        return found

    def begin(self, pid: int) -> None:
        """Note that a process is making another."""
        self.of(pid)
        self._forking[pid] = ""

    def made(self, pid: int, child: int, flags: str) -> None:
        """Note that a process has made another, of number `child`; 0 if it failed."""
        self._forking.pop(pid, None)
        parent = self.of(pid)
        known = self._all.get(child)
        if known is None and child:
            self._add(child, parent, flags)
        elif known is not None:
            # It was seen first: what it shares is known only now.
            self._share(child, known, parent, flags)

    def end(self, pid: int) -> None:
        """Forget a process: its number may be another's later."""
        self._all.pop(pid, None)
        self._forking.pop(pid, None)

    def _add(self, pid: int, parent: Process | None, flags: str) -> Process:
        if len(self._all) >= MOST_PROCESSES:
            self._all.clear()
        self.seen += 1
        place = ProcessPlace(self._start) if parent is None else ProcessPlace(parent.place.directory, parent.place.root)
        found = self._all[pid] = Process(pid, place, _descriptors(parent))
        if parent is not None:
            self._share(pid, found, parent, flags)
        return found

    def _share(self, pid: int, child: Process, parent: Process, flags: str) -> None:
        if "CLONE_FS" in flags:
            if pid in self._sharing.moving:
                parent.place.lose(root=pid in self._sharing.rooted)
            child.place = parent.place
        if "CLONE_FILES" in flags:
            child.descriptors = parent.descriptors
            child.touched = parent.touched = self._sharing.touched.get(pid, {})


def _descriptors(parent: Process | None) -> dict[int, str]:
    """What the descriptors of a process are that another one makes."""
    if parent is None:
        return {}
    return {number: path for number, path in parent.descriptors.items() if parent.descriptor(number)}


def made_by(call: TracedCall) -> str:
    """The flags of a call that makes a process; of vfork(2), which shares none of these, empty."""
    return " ".join(call.arguments) if call.name.startswith("clone") else ""
