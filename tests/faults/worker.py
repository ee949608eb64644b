"""Runs one scenario with one fault after another; the library of faults is loaded into this process.

``LD_PRELOAD=fault.so python worker.py PLACE SCENARIO SKIP STEP``: of all cases those at SKIP, SKIP + STEP and so on.
Prints a JSON object a line: for a case what is wrong with it, and last how many calls of each kind there were.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import minpack.cli  # noqa: E402 - found through the line above, as those below
from faults.scenarios import SCENARIOS, Scenario  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the paths of calls have that may fail: the directory that the command runs in.
PART = "/place-of-faults"
#: Seconds that no command takes.
LONGEST = 60
_ERRORS = {"write": (errno.ENOSPC, errno.EIO), "flock": (errno.ENOLCK, errno.EIO), "open": (errno.EACCES, errno.ESTALE)}
_STICKY = ("read", "write", "open")
_LIBRARY = ctypes.CDLL(None)
_LIBRARY.fault_name.restype = ctypes.c_char_p
_LIBRARY.fault_count.restype = ctypes.c_long
KINDS: list[str] = []
while name := _LIBRARY.fault_name(len(KINDS)):
    KINDS.append(name.decode())


class Case(NamedTuple):
    """The `at`-th call of a kind fails with an error, and if `sticky`, all after it."""

    kind: str
    at: int
    error: int
    sticky: bool = False

    def __str__(self) -> str:
        every = " and all after it" if self.sticky else ""
        return f"{self.kind} {self.at}{every}: {errno.errorcode[self.error]}"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    err: str


def main() -> None:
    """What the command line asks for."""
    place, name, skip, step = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for module in pkgutil.walk_packages(minpack.__path__, "minpack."):
        if module.name != "minpack.__main__":
            importlib.import_module(module.name)
    for other in ["difflib", "encodings.idna", "fcntl", "lzma", "tempfile", "urllib3", "deflate", "zstandard"]:
        importlib.import_module(other)
    runner = Runner(Path(place), SCENARIOS[name])
    runs = 0
    for case in list(runner.cases())[skip::step]:
        runs += 1
        if wrong := runner.wrong_with(case):
            print(json.dumps({"scenario": name, "case": str(case), "wrong": wrong}), flush=True)
    print(json.dumps({"scenario": name, "runs": runs, "calls": runner.calls}), flush=True)


class Runner:
    """Runs the scenario's commands in new copies of a furnished place.

    :param furnished: the directory to copy.
    """

    def __init__(self, furnished: Path, scenario: Scenario) -> None:
        self._furnished = furnished
        self._place = Path(f"{furnished}-{os.getpid()}{PART}")
        self._scenario = scenario
        again = scenario.again or scenario.command
        self._again = Scenario(again, scenario.target or ("out.tar" if "out.tar" in again else ""))
        self.counted: dict[str, int] = {}
        self._renew()
        if scenario.before:
            self._prepare(scenario.before)
        self.old = _contents(self._place / scenario.target)
        ended = self._run(scenario.command, None)
        assert ended.code == 0, ended
        self.calls = self.counted
        self.new = _contents(self._place / scenario.target)
        ended = self._run(self._again.command, None)
        assert ended.code == 0, ended
        self.result = _contents(self._place / self._again.target)

    def _prepare(self, command: str) -> None:
        """Let every copy be one in which that command has run."""
        ended = self._run(command, None)
        assert ended.code == 0, ended
        self._furnished = Path(f"{self._furnished}-{os.getpid()}-prepared")
        shutil.copytree(self._place, self._furnished, symlinks=True)

    def cases(self) -> Iterator[Case]:
        """Every call of every kind, with every error."""
        for kind, count in self.calls.items():
            for error in _ERRORS.get(kind, (errno.EIO, errno.ESTALE)):
                yield from (Case(kind, at, error) for at in range(1, count + 1))
            if kind in _STICKY:
                yield from (Case(kind, at, errno.EIO, sticky=True) for at in range(1, count + 1))

    def wrong_with(self, case: Case) -> list[str]:
        """What is not as it should be after the command ran with that fault."""
        self._renew()
        ended = self._run(self._scenario.command, case)
        wrong = [] if ended.code in (0, 1, 3) else [f"exit code {ended.code}"]
        wrong += [word for word in ("Traceback", "internal error", "Exception ignored") if word in ended.err]
        if ended.code and not wrong and "minpack: cannot " not in ended.err:
            wrong.append("no message")
        now = _contents(self._place / self._scenario.target)
        if self._scenario.target and now not in ((self.new,) if ended.code == 0 else (self.old, self.new)):
            wrong.append("the target is neither the old one nor the new one")
        # What cannot be removed is there; of what is there once all is done it is told.
        left = [path.name for path in self._place.rglob(".minpack-*")]
        if left and left[0] not in ended.err and not (case.sticky and case.kind == "open"):
            wrong.append(f"left behind: {left}")
        if not wrong:
            after = self._run(self._again.command, None)
            if after.code != 0 or _contents(self._place / self._again.target) != self.result:
                wrong.append(f"the next run: {after}")
        return [*wrong, ended.err[-2000:]] if wrong else []

    def _renew(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._furnished, self._place, symlinks=True)

    def _run(self, command: str, case: Case | None) -> Ended:
        """Run the command in a child of this process, in which all is imported already."""
        output = self._place.parent / "output"
        child = os.fork()
        if child == 0:
            self._become(command, case, output)
        deadline = time.monotonic() + LONGEST
        while (waited := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.001)
        self.counted = {kind: _LIBRARY.fault_count(number) for number, kind in enumerate(KINDS)}
        _arm(None)
        return Ended(os.waitstatus_to_exitcode(waited[1]), output.read_text("utf-8", "replace"))

    def _become(self, command: str, case: Case | None, output: Path) -> None:
        os.chdir(self._place)
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ["TMPDIR"] = str(self._place / "tmp")
        arguments = command.split()
        if arguments[0] != "inspect" and "--no-cache" not in arguments:
            arguments += ["--cache-dir", str(self._place / "cache")]
        sys.argv = ["minpack", *arguments]
        _arm(case or Case(KINDS[0], 0, 0))
        minpack.cli.main()


def _arm(case: Case | None) -> None:
    """Let calls fail as the case says, or count at least; without one they do neither."""
    kind, at, error, sticky = case or Case(KINDS[0], 0, 0)
    part = PART.encode() if case else b""
    _LIBRARY.fault_arm(part, KINDS.index(kind), ctypes.c_long(at), error, int(sticky))


def _contents(path: Path) -> str:
    """The sum of all that is at `path`, a file or a directory; empty for the place itself, where nothing is written."""
    if f"/{path.name}" == PART:
        return ""
    result = hashlib.sha256()
    for one in [path, *sorted(path.rglob("*"))]:
        data = os.fsencode(os.readlink(one)) if one.is_symlink() else one.read_bytes() if one.is_file() else b""
        mode = one.lstat().st_mode if os.path.lexists(one) else 0
        result.update(f"{one.relative_to(path)} {mode:o} {len(data)}\n".encode() + data)
    return result.hexdigest()


if __name__ == "__main__":
    main()
