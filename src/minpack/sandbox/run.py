"""Running a program in a sandbox from outside: start it, pass signals and the terminal on, wait, stop it in time."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.sandbox.child import FAILED, NOT_EXECUTABLE, NOT_FOUND, Channels, run_outer
from minpack.sandbox.identity import identity_of, write_maps
from minpack.sandbox.recording import Recording
from minpack.sandbox.values import Ended, SandboxError

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeAlias

    from minpack.sandbox.identity import Identity
    from minpack.sandbox.terminal import Terminal
    from minpack.sandbox.values import ProcessSpec, Watch, WriteTree

    #: What takes the place of this process's own streams.
    _Streams: TypeAlias = Terminal | Recording | None

#: Signals that the program gets when they come here.
_PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)
#: Those of them that end a process which does nothing about them (signal(7)), and others that stop programs.
_ENDING = (
    frozenset(signal.valid_signals())
    - {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN}
    - {*(signal.SIGTTOU, signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH)}
)
_SIGNALLED = 128
#: Seconds between the signal that stops a program and SIGKILL.
GRACE = 2.0
_WAIT = 0.5


def run_program(
    spec: ProcessSpec,
    write: WriteTree,
    used: tuple[str, ...] = (),
    streams: _Streams = None,
    watch: Watch | None = None,
) -> Ended:
    """Run a program in a tree of its own, in namespaces of its own, and wait for it. Nothing of it is left then.

    :param write: writes the tree into an empty directory, with owners or, where a user may not give them, without.
    :param used: paths of this host that `write` reads.
    :param streams: what its input and output go through; None for this process's own.
    :param watch: is told which process becomes the program before it does.
    :raises SandboxError: it was not started; its `code` is the exit code that runtimes have for that.
    """
    identity = identity_of(os.geteuid())
    # Where it is ignored, as some supervisors have it, nobody learns how a process ended (wait(2)).
    with _default_child_signal():
        return _run(spec, write, used, streams, identity, watch)


@contextmanager
def _default_child_signal() -> Generator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def _run(
    spec: ProcessSpec,
    write: WriteTree,
    used: tuple[str, ...],
    streams: _Streams,
    identity: Identity,
    watch: Watch | None,
) -> Ended:
    report, report_in = os.pipe2(os.O_CLOEXEC)
    go_out, go = os.pipe2(os.O_CLOEXEC)
    own = streams.slave if streams is not None else -1
    outer = os.fork()
    if outer == 0:
        # What the parent keeps is not the child's to wait for.
        os.close(report)
        os.close(go)
        is_recorded = isinstance(streams, Recording)
        if isinstance(streams, Recording):
            streams.become_streams()
        run_outer(spec, write, used, identity, Channels(report_in, go_out, own, is_recorded, held=watch is not None))
    os.close(report_in)
    os.close(go_out)
    if streams is not None:
        streams.close_slave()
    try:
        return _attend(spec, identity, outer, _Reports(report, go, watch), streams)
    finally:
        os.close(report)
        os.close(go)
        _end(outer)


def exit_code(error: SandboxError) -> int:
    """The exit code that runtimes have for a program that was not started."""
    if error.step != "start":
        return FAILED
    return NOT_FOUND if error.number == errno.ENOENT else NOT_EXECUTABLE


class _Reports:
    """What the processes say of how they get on."""

    def __init__(self, report: int, go: int, watch: Watch | None = None) -> None:
        self.descriptor = report
        self._go = go
        self._watch = watch
        self._waits = False
        self._rest = b""
        self.program = 0
        self.open = True
        #: Whether the program itself runs, as far as that can be known before it does.
        self.started = False
        #: The signal that the program should have died of, and was killed for.
        self.killed_for = 0

    def signal(self, number: int) -> None:
        """Let the program have a signal.

        The first process of a namespace gets none that it has no handler for (pid_namespaces(7)); one that would have
        ended it elsewhere ends it here too.
        """
        if not self.program:
            return
        if number in _ENDING and not _heeds(self.program, number):
            self.killed_for, number = number, signal.SIGKILL
        with suppress(ProcessLookupError):
            os.kill(self.program, number)

    def read(self, spec: ProcessSpec, identity: Identity, outer: int) -> None:
        """Take what there is.

        :raises SandboxError: the program was not started.
        """
        data = os.read(self.descriptor, 1 << 16)
        self.open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line[:1] == b"u":
                _allow(outer, identity, spec)
                os.write(self._go, b"g")
            elif line[:1] == b"p":
                self.program = int(line[1:])
            elif line[:1] == b"w":
                self._waits = True
            elif line[:1] == b"s":
                self.started = True
            elif line[:1] == b"e":
                step, number, text = line[1:].decode(errors="surrogateescape").split("\0")
                raise SandboxError(step, int(number), text)
            # Two processes say this, in no order.
            if self._waits and self.program and self._watch is not None:
                self._waits = False
                self._watch(self.program)
                os.write(self._go, b"g")


def _allow(outer: int, identity: Identity, spec: ProcessSpec) -> None:
    try:
        write_maps(outer, identity, (os.geteuid(), os.getegid()), (spec.uid, spec.gid))
    except OSError as error:
        raise SandboxError("make a user namespace", error.errno or 0, str(error.strerror)) from error


def _attend(spec: ProcessSpec, identity: Identity, outer: int, reports: _Reports, streams: _Streams) -> Ended:
    """Wait for the end of the program, and do what it takes meanwhile."""
    ended = os.pidfd_open(outer)
    deadline = _Deadline(spec)
    try:
        with _passed_signals(reports, streams):
            while True:
                watched = [
                    ended,
                    *([reports.descriptor] if reports.open else []),
                    *(streams.watched if streams else ()),
                ]
                ready, _, _ = select.select(watched, [], [], deadline.wait())
                if reports.descriptor in ready:
                    reports.read(spec, identity, outer)
                asked = streams.relay(ready) if streams is not None else 0
                if asked and not _heeds(reports.program, asked):
                    reports.signal(asked)
                deadline.heed(reports)
                if ended in ready:
                    while reports.open:
                        reports.read(spec, identity, outer)
                    break
        if streams is not None:
            streams.drain()
    finally:
        os.close(ended)
    _, status = os.waitpid(outer, 0)
    code = os.waitstatus_to_exitcode(status)
    if not reports.started and not reports.killed_for:
        raise SandboxError("start the program", 0, "what was to start it was killed; is there enough memory?")
    if reports.killed_for and code == _SIGNALLED + signal.SIGKILL:
        code = _SIGNALLED + reports.killed_for
    return Ended(code if code >= 0 else _SIGNALLED - code, deadline.passed)


def _heeds(program: int, number: int) -> bool:
    """Whether a signal does something to a process, or is ignored by its own wish (proc_pid_status(5))."""
    with suppress(OSError, ValueError), open(f"/proc/{program}/status", "rb") as file:
        for line in file:
            key, _, value = line.partition(b":")
            if key in (b"SigCgt", b"SigIgn") and int(value, 16) >> (number - 1) & 1:
                return True
        return False
    return True


class _Deadline:
    """When a program must have ended; its time begins when it is started."""

    def __init__(self, spec: ProcessSpec) -> None:
        self._seconds = spec.seconds
        self._at: float | None = None
        self._signal = spec.stop_signal
        self.passed = False

    def wait(self) -> float | None:
        """The seconds to wait at most."""
        return None if self._at is None else max(0.0, min(self._at - time.monotonic(), _WAIT))

    def heed(self, reports: _Reports) -> None:
        """Stop the program if it is time: with its own signal first, then with one that nobody can ignore."""
        if self._at is None and self._seconds and reports.started:
            self._at = time.monotonic() + self._seconds
        if self._at is None or time.monotonic() < self._at:
            return
        reports.signal(signal.SIGKILL if self.passed else self._signal)
        self.passed = True
        self._at = time.monotonic() + GRACE


@contextmanager
def _passed_signals(reports: _Reports, streams: _Streams) -> Generator[None]:
    """Let the program have the signals that come in the block; before it is there, they end this process as ever.

    Those that whoever started this process wants ignored are (nohup(1)).
    """

    def pass_on(number: int, _frame: object) -> None:
        if reports.program:
            reports.signal(number)
            return
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, None)

    def resize(_number: int, _frame: object) -> None:
        if streams is not None:
            streams.resize()

    heeded = [number for number in _PASSED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in heeded}
    before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(outer: int) -> None:
    """Let nothing of the sandbox be left, whatever happened."""
    with suppress(ProcessLookupError, ChildProcessError):
        if os.waitpid(outer, os.WNOHANG) == (0, 0):
            os.kill(outer, signal.SIGUSR1)
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and os.waitpid(outer, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
            os.kill(outer, signal.SIGKILL)
            os.waitpid(outer, 0)
