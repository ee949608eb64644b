"""The lines of a log of strace: whose a line is, and the call in it, put together where another process came between.

All ways to write one are understood: with processes (``-f``), times (``-t``, ``-r``, ``-T``), addresses (``-i``),
numbers of calls (``-n``) and what ``-y`` says of descriptors. Sources: strace(1), `printleader` and
`syscall_exiting_trace`.
"""

from __future__ import annotations

import re

from minpack.namedtuple import NamedTuple
from minpack.strace.text import split_call

#: What stands before a call: the process, the time, the number of the call, the address it came from.
_LEADER = re.compile(
    r"\s*(?:\[pid\s+([0-9]{1,10})(?:<[^>]*>)?\]\s*|([0-9]{1,10})(?:<[^>]*>)?\s+)?"
    r"(?:[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?\s+|[0-9]{1,12}\.[0-9]{1,9}\s+|\+\s+[0-9.]{1,20}\s+)*"
    r"(?:\[\s*[0-9a-fx?]{1,18}\]\s*)*"
)
_NAME = re.compile(r"([a-z_][a-z0-9_]{0,60})\(")
_RESUMED = re.compile(r"<\.\.\. ([a-z_][a-z0-9_]{0,60}) resumed>\s?")
_UNFINISHED = re.compile(r"\s*<unfinished \.\.\.>$")
_RESULT = re.compile(r"\s*=\s+(\?|0x[0-9a-f]+|-?[0-9][^\s/]*)(?:\s+([A-Z][A-Z0-9]+)\b)?(.*)", re.DOTALL)
#: How long the call took (``-T``).
_TIME = re.compile(r"\s*<[0-9]{1,9}\.[0-9]{1,9}>$")
_EXIT = re.compile(r"\+\+\+ (?:exited with ([0-9]{1,3})|killed by (SIG[A-Z0-9+]{1,12})).*\+\+\+$")
#: Signals, messages of strace itself, stacks (``-k``), and what separates processes.
_OTHER = re.compile(r"--- |strace: | ?> |\+\+\+ superseded|$")
#: Calls that have begun and not ended, of all processes together; and the longest of them that is kept.
MOST_UNFINISHED = 10_000


class TracedCall(NamedTuple):
    """A call that has returned: its arguments as they are written, and what it returned.

    `error` is errno's name, empty if there is none; `returned` is empty if that is not known.
    """

    pid: int
    name: str
    arguments: list[str]
    returned: str
    error: str


class Begun(NamedTuple):
    """A call that has not returned yet, or never."""

    pid: int
    name: str


class Exited(NamedTuple):
    """A process ended."""

    pid: int


class LineReader:
    """Makes calls of lines; `unread` is how many lines mean nothing."""

    def __init__(self) -> None:
        self.unread = 0
        self._unfinished: dict[int, tuple[str, str]] = {}

    def read(self, line: str, pid: int = 0) -> TracedCall | Begun | Exited | None:
        """What the line says; None if it is nothing about a call.

        :param pid: whose the line is if it does not say so.
        """
        found = _LEADER.match(line)
        assert found is not None, "internal error: a leader may be empty"
        body, pid = line[found.end() :], int(found[1] or found[2] or pid)
        resumed = _RESUMED.match(body)
        if resumed is not None:
            name, begun = self._unfinished.pop(pid, ("", ""))
            return self._call(pid, name, begun + body[resumed.end() :]) if name == resumed[1] else self._skip()
        called = _NAME.match(body)
        if called is None:
            return self._other(pid, body)
        rest = body[called.end() :]
        cut = _UNFINISHED.search(rest[-40:])
        if cut is None:
            return self._call(pid, called[1], rest)
        if len(self._unfinished) >= MOST_UNFINISHED:
            self._unfinished.clear()
        self._unfinished[pid] = (called[1], rest[: len(rest) - len(cut[0])])
        return Begun(pid, called[1])

    def _call(self, pid: int, name: str, text: str) -> TracedCall | None:
        split = split_call(text)
        if split is None:
            return self._skip()
        found = _RESULT.match(split[1])
        if found is None:
            return self._skip()
        returned, error, rest = found[1], found[2] or "", found[3]
        if returned == "?":
            return TracedCall(pid, name, split[0], "", error or "?")
        # What -y says of a descriptor may have spaces.
        return TracedCall(pid, name, split[0], returned if error else _TIME.sub("", returned + rest), error)

    def _other(self, pid: int, body: str) -> Exited | None:
        if _EXIT.match(body):
            self._unfinished.pop(pid, None)
            return Exited(pid)
        self.unread += not _OTHER.match(body)
        return None

    def _skip(self) -> TracedCall | None:
        self.unread += 1
        return None
