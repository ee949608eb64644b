"""`Jobs`: a few things done at once, on threads; the first that fails ends all."""

from __future__ import annotations

from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two looks at how far the jobs are.
PAUSE = 0.1


class StoppedError(Exception):
    """Nobody wants the job done any more."""


class Jobs:
    """Does jobs in the order in which they come, up to `most` at once. Leave its ``with`` block to give up the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: list[Thread] = []
        self._open = 0
        self._changed = Condition()
        self._error: BaseException | None = None
        #: Whether what the jobs do is not wanted any more.
        self.stopped = False

    def add(self, job: Callable[[], None]) -> None:
        """Do `job` as soon as there is room.

        :raises BaseException: what one before it has raised.
        """
        with self._changed:
            self._check()
            self._waiting.append(job)
            self._open += 1
            self._changed.notify_all()
        if len(self._threads) < min(self._most, self._open):
            self._start()

    @property
    def threads(self) -> int:
        """How many jobs can be done at once, of those that were added so far."""
        return len(self._threads)

    def wait(self, meanwhile: Callable[[], None]) -> None:
        """Until all jobs are done; `meanwhile` is called now and then.

        :raises BaseException: what one of them has raised.
        """
        while True:
            with self._changed:
                self._check()
                if not self._open:
                    return
                alone = not self._threads
                if not alone:
                    self._changed.wait(PAUSE)
            if alone and self._waiting:
                # The system gives no threads.
                self._do(self._waiting.popleft())
            meanwhile()

    def check_wanted(self) -> None:
        """Raise `StoppedError` if what the jobs do is not wanted any more."""
        if self.stopped:
            raise StoppedError

    def close(self) -> None:
        """Give up what is not done; the threads end by themselves, each at its next piece."""
        with self._changed:
            self.stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        thread = Thread(target=self._work, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._do(job)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._waiting and not self.stopped:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None

    def _do(self, job: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            job()
        except StoppedError:
            pass
        except BaseException as raised:  # noqa: BLE001 - raised again where the jobs are waited for
            error = raised
        with self._changed:
            self._open -= 1
            if error is not None and self._error is None:
                self._error = error
                self.stopped = True
                self._waiting.clear()
            self._changed.notify_all()

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
