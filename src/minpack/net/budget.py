"""`Budget`: what one download has left of its limits, in time, in bytes and in new beginnings."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minpack.net.network import Limits

#: Into so many pieces a window is cut: as many of its possible beginnings are kept at most.
_PIECES = 60
#: No wait is shorter, in seconds: none at all would mean not to wait for anything, ever again.
_SHORTEST = 0.001


class SpentError(Exception):
    """A limit of the download is reached; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Budget:
    """Counts what a download takes, and ends it at its limits. It begins when it is made.

    :param longest: the seconds that a single wait takes at most. Of what goes by between two calls no more is counted:
        where it was more, the process itself was stopped.
    """

    def __init__(self, limits: Limits, longest: float) -> None:
        self._limits = limits
        self._longest = longest
        self._last = time.monotonic()
        self._seconds = 0.0
        self._came = 0
        self._useful = 0
        self._restarts = 0
        #: When windows began that have not brought enough yet, and what had come until then; the oldest first.
        self._windows: deque[tuple[float, int]] = deque([(0.0, 0)])

    def patience(self, most: float) -> float:
        """For how many seconds something may be waited for now, at most `most`.

        :raises SpentError: see `spend`.
        """
        self.spend(0)
        return max(min(most, self._windows[0][0] + self._limits.window - self._seconds), _SHORTEST)

    def spend(self, came: int) -> None:
        """`came` more bytes have come, of whatever kind, in the time since the last call.

        :raises SpentError: it is too slow, or too much of it is not of the file.
        """
        now = time.monotonic()
        self._seconds += min(now - self._last, self._longest)
        self._last = now
        self._came += came
        if self._came > 2 * self._useful + self._limits.overhead:
            raise SpentError(f"the server sends over {self._limits.overhead} bytes of headers and framing")
        self._check_rate()

    def _check_rate(self) -> None:
        limits = self._limits
        enough = limits.rate * limits.window
        while self._windows and self._came - self._windows[0][1] >= enough:
            self._windows.popleft()
        if not self._windows or self._seconds - self._windows[-1][0] >= limits.window / _PIECES:
            self._windows.append((self._seconds, self._came))
        began, before = self._windows[0]
        if self._seconds - began >= limits.window:
            came = self._came - before
            raise SpentError(
                f"the server is too slow: {came} bytes in {limits.window:g} seconds, and"
                f" {limits.rate} a second are required"
            )

    def wait_for_answer(self, seconds: float) -> None:
        """For the next `seconds` nothing need come: who was sent much works on it."""
        self.rest()
        self._windows = deque([(self._seconds + seconds - self._limits.window, self._came)])

    def use(self, count: int) -> None:
        """`count` of the bytes that came are the file's."""
        self._useful += count

    def rest(self) -> None:
        """The time since the last call does not count: nothing was waited for."""
        self._last = time.monotonic()

    def restart(self) -> None:
        """What has come so far is thrown away.

        :raises SpentError: that was so too often.
        """
        self._restarts += 1
        if self._restarts > self._limits.restarts:
            raise SpentError(
                f"the download restarted {self._limits.restarts} times: the file on the server keeps changing,"
                " or the server does not resume downloads"
            )
