"""The processes of a sandbox: one that makes the namespaces and waits, and one in them that becomes the program."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import struct
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from minpack.namedtuple import NamedTuple
from minpack.sandbox import syscalls
from minpack.sandbox.root import enter_tree, lay_out, leave_host, open_host_paths

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.sandbox.identity import Identity
    from minpack.sandbox.root import HostPaths
    from minpack.sandbox.values import ProcessSpec, WriteTree

HOST_NAME = "minpack"
_OWN = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
#: What a container's root may still do, as in Docker (`oci/caps/defaults.go`); numbers of <linux/capability.h>.
_CAPABILITIES = frozenset((0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
#: More than any kernel has.
_LAST_CAPABILITY = 63
#: <asm-generic/signal.h>, _NSIG
_LAST_SIGNAL = 64
#: How many scripts may be each other's interpreters (`exec_binprm`), and how much of their first lines is read.
_SCRIPTS, _LINE = 6, 256
#: <linux/sockios.h>, <linux/if.h>
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
#: Exit codes of what was not started: it is not there, cannot be executed, or could not be run at all.
NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 125


class Channels(NamedTuple):
    """Descriptors between the processes: `report` takes what goes wrong, `go` says that the numbers of users are there.

    `terminal` is the program's, -1 if it has none of its own. `is_recorded`: its output is a pipe made for it.
    If the program is `held`, `go` says too that it may start.
    """

    report: int
    go: int
    terminal: int
    is_recorded: bool = False
    held: bool = False


class _StepError(Exception):
    """A step failed, with this number of errno and what there is to say of it."""

    def __init__(self, step: str, number: int, text: str = "") -> None:
        super().__init__(step)
        self.step, self.number, self.text = step, number, text


def run_outer(
    spec: ProcessSpec, write: WriteTree, used: tuple[str, ...], identity: Identity, channels: Channels
) -> NoReturn:
    """Make the namespaces, let the program run in them, and end as it ends. Called in a process made for that."""
    code = FAILED
    try:
        with _steps(channels):
            code = _outer(spec, write, used, identity, channels)
    finally:
        os._exit(code)


def _outer(spec: ProcessSpec, write: WriteTree, used: tuple[str, ...], identity: Identity, channels: Channels) -> int:
    with _step("make namespaces"):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # The one that says that the parent is gone must come.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # Who became another user without a new program has no right to them, and may give no numbers.
        syscalls.own_proc()
        flags = _OWN | (0 if spec.network else syscalls.CLONE_NEWNET)
        syscalls.unshare(flags | (syscalls.CLONE_NEWUSER if identity.mapped else 0))
        # Not every kernel has them.
        with suppress(OSError):
            syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    if identity.mapped:
        os.write(channels.report, b"u\n")
        # Nothing comes where the parent is gone.
        if os.read(channels.go, 1) != b"g":
            return FAILED
        _become_root(identity)
    first = _first_process() if channels.held else 0
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            with _steps(channels):
                code = _inner(spec, write, used, identity, channels)
        finally:
            os._exit(code)
    # Asked for now: a new number of the user took it away. The program may have lost its own by becoming another user.
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(child, signal.SIGKILL))
    syscalls.die_with_parent(signal.SIGUSR1)
    os.write(channels.report, f"p{child}\n".encode())
    os.close(channels.report)
    _, status = os.waitpid(child, 0)
    if first:
        os.kill(first, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _first_process() -> int:
    """Make the first process of the namespace, which waits for those that nobody waits for; its number.

    The kernel ends no first process for its own faults while that is watched: it would make the same one for ever
    (`force_sig_info_to_task`).
    """
    first = os.fork()
    if first == 0:
        try:
            syscalls.die_with_parent(signal.SIGKILL)
            # The kernel waits for them then (wait(2)).
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            while True:
                signal.pause()
        finally:
            os._exit(FAILED)
    return first


def _become_root(identity: Identity) -> None:
    if identity.has_owners:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)


def _inner(spec: ProcessSpec, write: WriteTree, used: tuple[str, ...], identity: Identity, channels: Channels) -> int:
    """Become the program; the exit code if it cannot be started."""
    syscalls.die_with_parent(signal.SIGKILL)
    owners = identity.has_owners
    # What the terminal's keys send comes here too; that it ends this process is seen from outside (`_Reports.signal`).
    _default_signals()
    host = _opened(spec)
    with _step("write the image's files"):
        enter_tree(write, used, owners=owners, below=host.below, mapped=identity.mapped)
    with _step("lay out the image"):
        lay_out(host, owners=owners, own_network=not spec.network)
        syscalls.set_host_name(HOST_NAME)
        if not spec.network:
            _raise_loopback()
        leave_host(host)
        # A path of the image in /proc/self/fd must not lead out of it (CVE-2024-21626).
        _close_others(channels)
    with _step(f"enter {spec.directory!r}"):
        os.makedirs(spec.directory, 0o755, exist_ok=True)
        os.chdir(spec.directory)
    with _step("become the image's user"):
        if channels.is_recorded and owners:
            # Whoever opens /dev/stdout opens the pipe anew, which is its maker's (proc_pid_fd(5)).
            os.fchown(1, spec.uid, spec.gid)
        _become_user(spec, identity)
    _own_session(channels.terminal)
    return _start(spec, channels)


def _opened(spec: ProcessSpec) -> HostPaths:
    try:
        return open_host_paths(spec)
    except OSError as error:
        step = f"bind {error.filename!r}" if error.filename else "open what the sandbox has of this host"
        raise _StepError(step, error.errno or 0) from error


def _close_others(channels: Channels) -> None:
    """Close what the program is not to have, whoever opened it."""
    for number in map(int, os.listdir("/proc/self/fd")):
        kept = (channels.report, channels.terminal, *((channels.go,) if channels.held else ()))
        if number > 2 and number not in kept:  # noqa: PLR2004 - stderr
            # The directory itself is closed already.
            with suppress(OSError):
                os.close(number)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        fcntl.ioctl(opened, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _become_user(spec: ProcessSpec, identity: Identity) -> None:
    for number in range(_LAST_CAPABILITY + 1):
        if number not in _CAPABILITIES:
            try:
                syscalls.drop_capability(number)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
    if identity.has_owners:
        os.setgroups(list(spec.groups))
    os.setresgid(spec.gid, spec.gid, spec.gid)
    os.setresuid(spec.uid, spec.uid, spec.uid)
    # The new number took it away (prctl(2)).
    syscalls.die_with_parent(signal.SIGKILL)


def _own_session(terminal: int) -> None:
    os.setsid()
    if terminal >= 0:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(terminal, number)


def _default_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    for kept in set(range(1, _LAST_SIGNAL + 1)) - signal.valid_signals():
        syscalls.default_signal(kept)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _start(spec: ProcessSpec, channels: Channels) -> int:
    environment = {os.fsencode(key): os.fsencode(value) for key, value in spec.environment}
    os.umask(0o022)
    name = spec.arguments[0]
    path = _found(name, dict(spec.environment).get("PATH", ""))
    if not path:
        raise _StepError("start", errno.ENOENT, "it is in no directory of the image's PATH")
    _refuse_own(path)
    if channels.held:
        _wait_until_watched(channels)
    os.write(channels.report, b"s\n")
    try:
        os.execve(path, spec.arguments, environment)  # noqa: S606 - as it is
    except OSError as error:
        there = os.path.lexists(path)
        text = "its interpreter or loader is not in the image" if there and error.errno == errno.ENOENT else ""
        raise _StepError("start", error.errno or 0, text) from error


def _wait_until_watched(channels: Channels) -> None:
    """Wait until whoever is to see all that the program does is there."""
    # Whoever became another user may not be looked at by the one before (ptrace(2), "access mode checking").
    syscalls.own_proc()
    os.write(channels.report, b"w\n")
    if os.read(channels.go, 1) != b"g":
        raise _StepError("watch the program", 0, "nobody watches it")


def _refuse_own(path: str) -> None:
    """Raise `_StepError` if what would run is /proc/self/exe, which is this host's Python (CVE-2019-5736)."""
    own = os.stat("/proc/self/exe")
    for _ in range(_SCRIPTS):
        try:
            found = os.stat(path)
            if os.path.samestat(found, own):
                raise _StepError("start", errno.EPERM, "it is a program of this host")
            # A FIFO would be waited for.
            if not stat.S_ISREG(found.st_mode):
                return
            with open(path, "rb") as file:
                line = file.readline(_LINE)
        except OSError:
            # Why it cannot be started is the kernel's to say; who may not read it may not write this host's either.
            return
        words = line[2:].split() if line.startswith(b"#!") else []
        if not words:
            return
        path = os.fsdecode(words[0])


def _found(name: str, path: str) -> str:
    """The file that is started, as runtimes look for it (Go's `exec.LookPath`)."""
    if "/" in name:
        return name
    for directory in path.split(":"):
        found = os.path.join(directory or ".", name)
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return ""


@contextmanager
def _step(step: str) -> Generator[None]:
    """What is done in the block, for errors."""
    try:
        yield
    except OSError as error:
        number, text = error.errno or 0, error.strerror or ""
        raise _StepError(step, number, "" if error.filename or text == os.strerror(number) else text) from error


@contextmanager
def _steps(channels: Channels) -> Generator[None]:
    """Report what goes wrong in the block."""
    try:
        yield
    except _StepError as error:
        _report(channels, error.step, error.number, error.text)
    except BaseException as error:  # noqa: BLE001 - another process must hear of it
        _report(channels, "run", 0, f"{type(error).__name__}: {error}")


def _report(channels: Channels, step: str, number: int, text: str) -> None:
    line = "\0".join((step, str(number), text)).replace("\n", " ")
    with suppress(OSError):
        os.write(channels.report, f"e{line}\n".encode(errors="surrogateescape")[:4000])
