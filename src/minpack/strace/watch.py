"""Starting strace: on a process that waits for it, or with a command of this host."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.errors import NotStartedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from typing import IO

#: What is written: all that has to do with paths and processes, with paths in hexadecimal, as some have any byte.
#: The calls with a question mark are not on every machine (strace(1), ``-e``).
CALLS = "trace=%file,%process,?connect,?bind,?fchdir,?inotify_add_watch"
OPTIONS = ("-f", "-y", "-xx", "-e", CALLS, "-e", "signal=none")
#: strace numbers the children of a process in another namespace as that does from this version on.
_NUMBERS = ("--pidns-translation", (5, 9))
HINT = "install strace (apt install strace, apk add strace), or give a log made elsewhere with --from strace.log"
#: Seconds that strace takes at most to begin, and to end after the last process.
_BEGINS, _ENDS = 20.0, 10.0
_STEP = 0.005


def find_strace() -> list[str]:
    """The command of strace with its options, but for what it watches.

    :raises NotStartedError: it is not installed.
    """
    path = shutil.which("strace")
    if path is None:
        raise NotStartedError("watch the program", "strace is not installed", HINT, 1)
    done = subprocess.run([path, "-V"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    version = re.search(r"version ([0-9]+)\.([0-9]+)", done.stdout)
    option, since = _NUMBERS
    known = version is not None and (int(version[1]), int(version[2])) >= since
    return [path, *OPTIONS, *((option,) if known else ())]


@contextmanager
def watching(log: str) -> Generator[Callable[[int], None]]:
    """A function that lets strace watch a process and all that it starts, and write to the file `log`.

    When the block is left strace has ended.

    :raises NotStartedError: strace is not installed; the function: it may not watch the process.
    """
    command = find_strace()
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as messages:

        def watch(pid: int) -> None:
            # In a session of its own: what the terminal's keys send is for the program.
            running.append(
                subprocess.Popen(
                    [*command, "-o", log, "-p", str(pid)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=messages,
                    start_new_session=True,
                )
            )
            _wait_until_attached(running[0], messages)

        try:
            yield watch
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_ENDS)
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def _wait_until_attached(process: subprocess.Popen[bytes], messages: IO[bytes]) -> None:
    for _ in range(int(_BEGINS / _STEP)):
        messages.seek(0)
        said = messages.read(1 << 16)
        if b" attached" in said:
            return
        if process.poll() is not None:
            reason = said.decode("utf-8", "replace").strip().removeprefix("strace: ")[:200] or "strace failed"
            hint = "allow processes to trace others (sysctl kernel.yama.ptrace_scope, seccomp, SELinux)"
            raise NotStartedError("watch the program", reason, hint, 1)
        time.sleep(_STEP)
    raise NotStartedError("watch the program", "strace does not begin", None, 1)


def run_watched(
    arguments: Sequence[str], environment: Mapping[str, str], log: str, seconds: float, grace: float = 2.0
) -> tuple[int, bool]:
    """Run a command of this host, watched by strace; its exit code, and whether it ran for too long.

    :param log: the file that strace writes.
    :param seconds: how long it may run; 0 for ever.
    :raises NotStartedError: strace is not installed.
    :raises OSError: it cannot be started.
    """
    process = subprocess.Popen([*find_strace(), "-o", log, "--", *arguments], env=dict(environment))
    timed_out = False
    try:
        process.wait(seconds or None)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        if process.poll() is None:
            _stop(process, log, grace)
    code = process.returncode
    return (code if code >= 0 else 128 - code), timed_out


def _stop(process: subprocess.Popen[bytes], log: str, grace: float) -> None:
    """End the command and all that it started, and strace, which heeds no signal while any of them runs."""
    with open(log, "rb") as file:
        first = re.match(rb"([0-9]{1,10}) ", file.readline(100))
    if first is not None:
        with suppress(ProcessLookupError):
            os.kill(int(first[1]), signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
        return
    for _ in range(int(grace / _STEP)):
        if process.poll() is not None:
            return
        # What is made meanwhile is watched too.
        for pid in _traced_by(process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_STEP)
    process.kill()
    process.wait()


def _traced_by(tracer: int) -> Iterator[int]:
    """The processes that another one watches (proc_pid_status(5))."""
    line = f"TracerPid:\t{tracer}\n".encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/status", "rb") as file:
                if line in file.read():
                    yield int(name)
