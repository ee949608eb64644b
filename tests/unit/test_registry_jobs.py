"""A few things at once, and what becomes of the rest when one fails."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from minpack.registry.jobs import Jobs, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable


def nothing() -> None:
    """What is done meanwhile."""


def test_all_jobs_are_done_a_few_at_once() -> None:
    """No more than were allowed at any time."""
    done, now, most = list[int](), set[int](), 0
    lock = threading.Lock()

    def job(number: int) -> Callable[[], None]:
        def work() -> None:
            nonlocal most
            with lock:
                now.add(number)
                most = max(most, len(now))
            time.sleep(0.01)
            with lock:
                now.remove(number)
                done.append(number)

        return work

    with Jobs(3) as jobs:
        for number in range(20):
            jobs.add(job(number))
        jobs.wait(nothing)
    assert sorted(done) == list(range(20))
    assert most == 3


def test_the_first_error_is_raised_and_ends_the_others() -> None:
    """Those that wait are dropped; those that run learn that nobody wants them."""
    stopped = threading.Event()
    done = list[str]()

    def fail() -> None:
        raise ValueError("no")

    def run() -> None:
        try:
            while True:
                jobs.check_wanted()
                time.sleep(0.005)
        except StoppedError:
            stopped.set()
            raise

    with Jobs(2) as jobs:
        jobs.add(run)
        jobs.add(fail)
        with pytest.raises(ValueError, match=r"^no$"):
            jobs.wait(nothing)
        assert stopped.wait(5)
        with pytest.raises(ValueError, match=r"^no$"):
            jobs.add(lambda: done.append("late"))
    assert done == []


def test_leaving_the_block_gives_up_the_rest() -> None:
    """As an interrupt does."""
    done = list[int]()
    begun = threading.Event()
    release = threading.Event()

    def first() -> None:
        begun.set()
        release.wait(5)

    with Jobs(1) as jobs:
        jobs.add(first)
        jobs.add(lambda: done.append(2))
        begun.wait(5)
    release.set()
    time.sleep(0.05)
    assert done == []


def test_without_threads_the_jobs_are_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may give no more."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = list[int]()
    with Jobs(4) as jobs:
        for number in range(3):
            jobs.add(lambda number=number: done.append(number))  # type: ignore[misc]
        jobs.wait(nothing)
    assert done == [0, 1, 2]


def test_what_is_done_meanwhile_is_done_meanwhile() -> None:
    """So that progress is told by one thread alone."""
    told = list[threading.Thread]()
    with Jobs(2) as jobs:
        jobs.add(lambda: time.sleep(0.3))
        jobs.wait(lambda: told.append(threading.current_thread()))
    assert told
    assert set(told) == {threading.main_thread()}
