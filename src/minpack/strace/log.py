"""Reading logs of strace."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from minpack.errors import InputError, reason_of
from minpack.strace.access import Access, Connection, TraceLog, Use
from minpack.strace.calls import FORKS, KEPT, PATH_ARGUMENTS, SOCKETS, connection_of, follows, use_of
from minpack.strace.lines import Begun, Exited, LineReader, TracedCall
from minpack.strace.processes import Processes, joined, made_by
from minpack.strace.sharing import Sharing, sharing_of
from minpack.strace.text import parse_descriptor, parse_pid, parse_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.strace.calls import PathArgument
    from minpack.strace.processes import Process

#: Longer lines tell nothing: the longest path has 4096 bytes, each written as four letters.
MAX_LINE = 1 << 17
#: Of all files of a log together, and how many paths are kept.
MAX_LOG, MAX_ACCESSES = 8 << 30, 500_000
MAX_PATH = 4096
#: The files of ``strace -ff -o strace.log``.
_OF_PROCESS = re.compile(r"\.([0-9]{1,10})$")
_MOST_FILES = 20_000
HINT = "make one with: strace -f -y -o strace.log PROGRAM"
_DUPLICATES = ("F_DUPFD", "F_DUPFD_CLOEXEC")


def read_log(path: str, directory: str = "/") -> TraceLog:
    """What the log at `path` tells, or those at ``path.PID``, as ``strace -ff`` names them.

    :param directory: the working directory that the first process began in, where the log does not say.
    :raises InputError: there is none, or it is no log of strace.
    """
    files = {pid: file for file, pid in _files(path)}
    sharing = sharing_of([(pid, _lines(file)) for pid, file in files.items()]) if len(files) > 1 else Sharing()
    reader = LogReader(directory, sharing)
    for pid in sharing.order or files:
        for line in _lines(files[pid]):
            reader.read(line, pid)
    log = reader.log()
    if not log.processes:
        raise InputError(path, "it is not an strace log", hint=HINT)
    return log


class LogReader:
    """Reads a log, line by line.

    :param sharing: what is not followed of its processes.
    """

    def __init__(self, directory: str = "/", sharing: Sharing | None = None) -> None:
        self._lines = LineReader()
        self._processes = Processes(directory, sharing or Sharing())
        self._accesses: set[Access] = set()
        self._connections: set[Connection] = set()
        self._unplaced = 0
        self._pids: set[int] = set()

    def log(self) -> TraceLog:
        """All that was read until now."""
        return TraceLog(
            tuple(sorted(self._accesses)),
            tuple(sorted(self._connections)),
            len(self._pids),
            self._unplaced,
            self._lines.unread,
        )

    def read(self, line: str, pid: int = 0) -> None:
        """Read a line, of the process `pid` if it does not say whose it is."""
        found = self._lines.read(line, pid)
        if isinstance(found, Exited):
            self._processes.end(found.pid)
        elif isinstance(found, Begun):
            self._seen(found.pid)
            if found.name in FORKS:
                self._processes.begin(found.pid)
        elif found is not None:
            self._seen(found.pid)
            self._take(found)

    def _seen(self, pid: int) -> None:
        if len(self._pids) < MAX_ACCESSES:
            self._pids.add(pid)

    def _take(self, call: TracedCall) -> None:
        process = self._processes.of(call.pid)
        if call.name in FORKS:
            self._processes.made(call.pid, parse_pid(call.returned), made_by(call))
            return
        for argument in PATH_ARGUMENTS.get(call.name, ()):
            self._take_path(process, call, argument)
        if call.name in SOCKETS and len(call.arguments) > 1:
            self._take_address(process, call)
        elif call.name in KEPT and not call.error:
            _keep(process, call)

    def _take_path(self, process: Process, call: TracedCall, argument: PathArgument) -> None:
        arguments = call.arguments
        if len(arguments) <= max(argument.path, argument.directory) or call.error.startswith(("ERESTART", "?")):
            return
        path, flags = parse_string(arguments[argument.path]), _argument(arguments, argument.flags)
        begins = _directory(process, _argument(arguments, argument.directory) or "AT_FDCWD")
        absolute = ""
        # An empty path is the descriptor itself, which was opened before, or fails.
        if path:
            absolute = process.absolute(path, begins)
            if not absolute:
                self._unplaced += 1
        elif path is None and "..." in arguments[argument.path]:
            self._unplaced += 1
        use = use_of(argument, flags)
        self._add(Access(plain(absolute), use, call.error, follows(argument, flags)) if absolute else None)
        if argument.use is Use.OPENED and not call.error:
            number, shown = parse_descriptor(call.returned)
            process.remember(-1 if number is None else number, shown or plain(absolute))

    def _take_address(self, process: Process, call: TracedCall) -> None:
        bound = call.name == "bind"
        found = connection_of(call.arguments[1], bound=bound, error=call.error)
        if found is None or len(self._connections) >= MAX_ACCESSES:
            return
        self._connections.add(found)
        if found.family == "unix" and not found.address.startswith("@"):
            absolute = process.absolute(found.address, process.place.directory)
            use = Use.WRITTEN if bound else Use.EXAMINED
            self._add(Access(plain(absolute), use, call.error) if absolute else None)

    def _add(self, access: Access | None) -> None:
        if access is not None and "\0" not in access.path and len(access.path) <= MAX_PATH:
            if len(self._accesses) < MAX_ACCESSES:
                self._accesses.add(access)
            else:
                self._unplaced += 1


def plain(path: str) -> str:
    """An absolute path without what leads nowhere: empty parts, and ``.``."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _argument(arguments: list[str], number: int) -> str:
    return arguments[number] if 0 <= number < len(arguments) else ""


def _directory(process: Process, text: str) -> str:
    """The directory that a descriptor is, or the process's own; empty if that is not known."""
    number, shown = parse_descriptor(text)
    if shown and number is None:
        # Also where another thread changed it, of whose calls nothing is known yet.
        process.place.move(shown)
    if shown:
        return shown
    return process.place.directory if number is None else process.descriptor(number)


def _keep(process: Process, call: TracedCall) -> None:
    """What a call changes of where its process is, and of what its descriptors are."""
    first = _argument(call.arguments, 0)
    if call.name in ("chdir", "chroot"):
        path = process.absolute(parse_string(first) or "", process.place.directory)
        if call.name == "chdir":
            process.place.move(plain(path) if path else "")
        elif path:
            process.place.change_root(plain(path))
    elif call.name == "getcwd":
        path = parse_string(first) or ""
        known = path.startswith("/") and process.place.root
        process.place.move(joined(process.place.root, path.lstrip("/")) if known else "")
    elif call.name == "fchdir":
        process.place.move(_directory(process, first))
    elif call.name == "close":
        process.remember(parse_descriptor(first)[0] or 0, "")
    elif call.name.startswith("dup") or _argument(call.arguments, 1).startswith(_DUPLICATES):
        number, shown = parse_descriptor(call.returned)
        process.remember(-1 if number is None else number, shown or _directory(process, first))


def _files(path: str) -> list[tuple[str, int]]:
    """The files of a log, and whose they are, in the order of their numbers, which is that of their processes."""
    if os.path.lexists(path):
        return [(path, 0)]
    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory or ".")
    except OSError:
        names = []
    found = [
        (int(number[1]), one) for one in names if (number := _OF_PROCESS.search(one)) and one[: number.start()] == name
    ]
    if not found or len(found) > _MOST_FILES:
        reason = f"there are more than {_MOST_FILES} files of it" if found else "there is no such file"
        raise InputError(path, reason, hint=HINT)
    return [(os.path.join(directory, one), number) for number, one in sorted(found)]


def _lines(path: str) -> Iterator[str]:
    """The lines of a file, without those that are too long.

    :raises InputError: it cannot be read, or is too large.
    """
    try:
        status = os.stat(path)
        # A FIFO would be waited for.
        if not stat.S_ISREG(status.st_mode):
            raise InputError(path, "it is not a regular file")
        if status.st_size > MAX_LOG:
            raise InputError(path, f"it is larger than {MAX_LOG >> 30} GiB")
        with open(path, "rb") as file:
            yield from lines_of(iter(lambda: file.readline(MAX_LINE), b""))
    except OSError as error:
        raise InputError(path, reason_of(error)) from error


def lines_of(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines that pieces of at most `MAX_LINE` bytes make; longer ones are left out."""
    is_rest = False
    for piece in pieces:
        ends = piece.endswith(b"\n")
        if not is_rest and (ends or len(piece) < MAX_LINE):
            yield piece.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        is_rest = not ends
