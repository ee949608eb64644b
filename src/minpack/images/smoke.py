"""The smoke test of a finished image: run it once, and compare how it ended with what is expected."""

from __future__ import annotations

import errno
import re
import signal
from typing import TYPE_CHECKING

from minpack.errors import NotStartedError, SmokeTestError
from minpack.excerpt import quoted
from minpack.images.absent import find_absent
from minpack.images.process import RunOptions
from minpack.images.run import prepared_run, run_prepared
from minpack.namedtuple import NamedTuple
from minpack.sandbox.recording import Recording

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.images.run import PreparedRun
    from minpack.sandbox.values import Ended
    from minpack.spec.acceptance import SmokeSpec
    from minpack.target import Platform

#: The bytes of the output that are held, the last that were written, and how many lines of them are shown.
MOST_OUTPUT = 1 << 20
MOST_SHOWN = 10
_SIGNALLED = 128
_LOOK_HINT = "run it with minpack run, which takes the same options"
_STRACE_HINT = f"{_LOOK_HINT}; with strace installed, minpack lists what the program does not find"
_ABSENT_HINT = "pack those that it needs; minpack trace runs a program once and prints the options for that"
_FOREIGN_HINT = (
    "let the kernel run {} programs: install qemu-user-static (binfmt_misc), or run the test on such a machine"
)


class Smoked(NamedTuple):
    """How the smoke test of an image went; `problem` is what is not as expected, empty if it passed.

    `command` is what was run. `code` is its exit code, or 128 and the number of the signal that ended it. `output` is
    what it wrote, stdout and stderr together, at most the last MiB. `absent` are paths that it opened or executed and
    that are not in the image, of one that failed, as far as that is known.
    """

    platform: Platform
    command: tuple[str, ...]
    code: int
    output: bytes = b""
    problem: str = ""
    hint: str | None = None
    absent: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.problem

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of the output, as text."""
        lines = self.output.decode(errors="surrogateescape").rstrip().splitlines()
        return tuple(line.rstrip() for line in lines[-MOST_SHOWN:])

    def check(self, name: str) -> None:
        """Raise `SmokeTestError` if it did not pass.

        :param name: what to call the image.
        """
        if not self.passed:
            raise SmokeTestError(name, self.command, self.code, self.problem, self.last_lines, self.hint, self.absent)


def smoke(found: FoundImage, spec: SmokeSpec, options: BaseOptions) -> Smoked:
    """Run an image as `minpack run` does, and see whether it ends as expected; what it writes is not shown.

    No other thread may run meanwhile.

    :param found: an image of one platform.
    :raises NotStartedError: nothing can be run here, or no program of that platform; its exit code is 1.
    :raises EntrypointError: the image names no program, or no user that there is.
    :raises MinpackError: its layers cannot be read.
    """
    platform = found.built.images[0].platform
    run = RunOptions(arguments=spec.arguments, seconds=spec.seconds)
    with prepared_run(found, options, run) as prepared:
        smoked = _run(prepared, platform, spec)
        if smoked.hint is not _LOOK_HINT:
            return smoked
        absent = find_absent(prepared, options.temporary)
        if absent is None:
            return smoked._replace(hint=_STRACE_HINT)
        return smoked._replace(absent=absent, hint=_ABSENT_HINT) if absent else smoked


def _run(prepared: PreparedRun, platform: Platform, spec: SmokeSpec) -> Smoked:
    command = prepared.process.arguments
    with Recording(MOST_OUTPUT) as recording:
        try:
            ended = run_prepared(prepared, recording)
        except NotStartedError as error:
            _refuse_unable(error, platform)
            problem = f"it cannot be started: {error.reason}"
            return Smoked(platform, command, error.exit_code, recording.output, problem, error.hint)
    problem, hint = _problem(ended, recording.output, spec)
    return Smoked(platform, command, ended.code, recording.output, problem, hint)


def _refuse_unable(error: NotStartedError, platform: Platform) -> None:
    """Raise `error` as one of this host's if it says nothing about the image."""
    number = getattr(error.__cause__, "number", 0)
    step = getattr(error.__cause__, "step", "")
    if step == "start" and number != errno.ENOEXEC:
        return
    error.exit_code = 1
    if number == errno.ENOEXEC:
        error.hint = _FOREIGN_HINT.format(platform)
    raise error


def _problem(ended: Ended, output: bytes, spec: SmokeSpec) -> tuple[str, str | None]:
    """What is not as expected, and what to do about it; empty for nothing."""
    if ended.timed_out:
        hint = "give it arguments that let it end (--smoke '--version'), or more time: --smoke-time-limit 5m"
        return f"it was still running after {spec.seconds:g} seconds, and was stopped", hint
    if ended.code != spec.exit_code:
        return f"it ended with {_code_text(ended.code)}; expected {_code_text(spec.exit_code)}", _LOOK_HINT
    if spec.output and not _has_match(spec.output, output):
        return f"its output does not match {quoted(spec.output)}", _LOOK_HINT
    return "", None


def _code_text(code: int) -> str:
    """An exit code, with the signal that shells say by it."""
    try:
        name = signal.Signals(code - _SIGNALLED).name
    except ValueError:
        return f"exit code {code}"
    return f"exit code {code} ({name})"


def _has_match(pattern: str, output: bytes) -> bool:
    return re.search(pattern, output.decode(errors="surrogateescape"), re.MULTILINE) is not None
