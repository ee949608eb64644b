"""Signals that end the process: raised as an exception, so that everything half-written is removed on the way out."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

_NAMES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class Stopped(BaseException):
    """A signal came; `exit_code` is the one shells give it."""

    def __init__(self, number: int) -> None:
        super().__init__(_NAMES[signal.Signals(number)])
        self.exit_code = 128 + number


def heed_signals() -> None:
    """From now on the signals raise `Stopped`, but for those that whoever started the process wants ignored."""
    for number in _NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def leave_signals() -> None:
    """From now on the signals do what they do by themselves: there is nothing left to tidy up."""
    for number in _NAMES:
        if signal.getsignal(number) is stop:
            signal.signal(number, signal.SIG_DFL)


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """Raise `Stopped`, as what is called when a signal comes."""
    # A second one must not cut short the tidying up. Python complains of one that came already and is ignored now.
    for other in _NAMES:
        signal.signal(other, _pass_over)
    raise Stopped(number)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """Do nothing about a signal."""
