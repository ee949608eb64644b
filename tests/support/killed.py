"""Killing a process at each of its system calls, and seeing what it leaves (ptrace(2)); Linux alone.

As a program, ``python -m support.killed DIRECTORY FORM BEFORE HOW``, it delivers into DIRECTORY once for every system
call that delivering makes, is killed as that call begins, and prints as JSON what was there then and after the next
run.
BEFORE is what lies at the target: ``old``, ``empty`` or ``nothing``; HOW names are exchanged: ``exchange`` or ``swap``.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

from minpack.base.options import BaseOptions
from minpack.build.pack import pack
from minpack.host.partial import is_unfinished, remove_leftovers
from minpack.net.network import Network
from minpack.oci.reference import parse_reference
from minpack.output.target import Format, OutputSpec
from minpack.spec.image import ImageSpec
from support.elfmaker import static_program
from support.tarmaker import archive, member

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
#: Let stops at system calls be told from others, and kill the process should this one end.
_OPTIONS = 1 | 0x100000
_STOPPED_AT_CALL = signal.SIGTRAP | 0x80
#: More system calls than any delivery makes.
_MOST = 20_000
#: How often a call must not come before delivering is taken to have fewer.
_TRIES = 20


class Left(NamedTuple):
    """What was at the target, ``old``, ``new``, ``nothing`` or ``other``, and how many unfinished outputs beside it.

    `killed` is when the process was killed, `recovered` after what every run does first, `again` after a whole run.
    """

    killed: str
    recovered: str
    unfinished: int
    again: str
    unfinished_again: int


def killed_at(work: Callable[[], None], number: int) -> bool:
    """Whether `work`, in a process of its own, is killed as its system call of that number begins; or had ended before.

    :raises ChildProcessError: it failed, or it cannot be traced.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    library.ptrace.restype = ctypes.c_long
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if library.ptrace(_TRACEME, 0, None, None) == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
                work()
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSTOPPED(status):
        library.ptrace(_SETOPTIONS, child, None, _OPTIONS)
    # Each call stops twice, as it begins and as it ends.
    stops = 0
    while os.WIFSTOPPED(status):
        if os.WSTOPSIG(status) == _STOPPED_AT_CALL:
            stops += 1
            if stops == 2 * number - 1:
                os.kill(child, signal.SIGKILL)
        library.ptrace(_SYSCALL, child, None, None)
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise ChildProcessError(f"the process ended with {os.WEXITSTATUS(status)}")
    return False


def deliver(place: str, form: Format) -> None:
    """Pack the program there, to ``target``."""
    delivery = OutputSpec(form, f"{place}/target", (parse_reference("app"),), force=True, temporary=place)
    options = BaseOptions(None, Network(offline=True), "2026-01-31")
    pack(ImageSpec((f"{place}/app",), threads=1), options, delivery)


def seen(place: str) -> str:
    """What is at the target."""
    target = f"{place}/target"
    if not os.path.lexists(target):
        return "nothing"
    for name, expected in (("old", f"{place}/before"), ("new", f"{place}/whole")):
        if os.path.lexists(expected) and described(target) == described(expected):
            return name
    return "other"


def described(path: str) -> dict[str, bytes]:
    """Every file at or below `path`, with its bytes."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return {"": file.read()}
    found = {}
    for above, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(above, name), "rb") as file:
                found[os.path.relpath(os.path.join(above, name), path)] = file.read()
    return found


def beside(place: str) -> int:
    """How many unfinished outputs there are."""
    return sum(1 for name in os.listdir(place) if is_unfinished(name))


def _reset(place: str, before: str) -> None:
    """Put what is to be replaced at the target: something old, an empty directory, or nothing."""
    for name in os.listdir(place):
        if name == "target" or is_unfinished(name):
            (shutil.rmtree if os.path.isdir(f"{place}/{name}") else os.unlink)(f"{place}/{name}")
    if os.path.isdir(f"{place}/before"):
        shutil.copytree(f"{place}/before", f"{place}/target")
    elif before == "old":
        shutil.copy(f"{place}/before", f"{place}/target")


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def _prepare(place: str, form: Format, before: str) -> None:
    """A program, what was before, and what will be."""
    _write(f"{place}/app", static_program())
    if before == "empty":
        os.mkdir(f"{place}/before")
    for name in ("/file", "/deep/file", "/deep/er/file") if form.is_directory else ("",):
        if before == "old":
            _write(f"{place}/before{name}", archive(member("old", b"old")))
    deliver(place, form)
    os.rename(f"{place}/target", f"{place}/whole")


def _killed_at(place: str, form: Format, before: str, number: int) -> bool:
    _reset(place, before)
    return killed_at(lambda: deliver(place, form), number)


def main(place: str, form: Format, before: str, how: str) -> None:
    """Deliver and be killed at one call after the other, until delivering ends."""
    _prepare(place, form, before)
    found = []
    with mock.patch("minpack.host.exchange._call", return_value=None) if how == "swap" else nullcontext():
        # What is imported late is imported now, and not every time.
        _reset(place, before)
        deliver(place, form)
        for number in range(1, _MOST):
            # How often threads wait for each other differs from time to time: only what never comes to that call ends.
            if not any(_killed_at(place, form, before, number) for _ in range(_TRIES)):
                break
            killed = seen(place)
            remove_leftovers(place)
            recovered, unfinished = seen(place), beside(place)
            deliver(place, form)
            found.append(Left(killed, recovered, unfinished, seen(place), beside(place)))
    json.dump([one._asdict() for one in found], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Format(sys.argv[2]), sys.argv[3], sys.argv[4])
