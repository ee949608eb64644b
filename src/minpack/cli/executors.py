"""What builds images side by side: processes, as most of the work is Python's, of which one thread runs at a time.

Whatever is an `Executor` of concurrent.futures can take their place: jobs and results can be pickled.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from minpack.cli.signals import Stopped, stop
from minpack.errors import MinpackError, ResourceError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Executor
    from types import FrameType

    from minpack.build.fleet import ImageResult

J = TypeVar("J")
R = TypeVar("R")
#: Whether this process, a worker, is at a job.
_WORKING = Event()
#: Seconds that a worker has to tidy up.
_PATIENCE = 5.0


class Workers(NamedTuple):
    """What builds images: `executor` runs `function` on each of `jobs`, up to `most` at once.

    `lost` is what to say of the image of that name whose job raised, or did not come to its end.
    """

    executor: Executor
    function: Callable[[Any], ImageResult]
    jobs: Iterable[Any]
    most: int
    lost: Callable[[str, BaseException], MinpackError]


@contextmanager
def open_executor(workers: int) -> Generator[Executor]:
    """An executor of so many processes of this machine, which end with this one, however that ends."""
    # Imported where many images are built alone, as it takes long.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    # What was imported and read here is there at once; on macOS, system libraries do not bear it.
    method = "fork" if sys.platform == "linux" else "spawn"
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context(method), initializer=_begin)
    try:
        yield executor
    except BaseException:
        # The workers see this process end, and tidy up.
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


def interruptible(function: Callable[[J], R]) -> Callable[[J], R]:
    """`function` for a worker of `open_executor`: a signal ends it, with everything half-written removed."""
    return partial(_run, function)


def _run(function: Callable[[J], R], job: J) -> R:
    _WORKING.set()
    try:
        return function(job)
    except Stopped as stopped:
        os._exit(stopped.exit_code)
    finally:
        _WORKING.clear()


def lost(name: str, error: BaseException) -> MinpackError:
    """What to say of an image whose worker did not come to its end."""
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 - where one was killed alone

    if isinstance(error, BrokenProcessPool):
        hint = "give the machine more memory, or build fewer at once: --jobs 1; then run minpack build again"
        return ResourceError(name, "a process that builds images was killed", hint)
    if isinstance(error, MinpackError):
        return error
    from minpack.cli.failing import unexpected  # noqa: PLC0415 - for faults of minpack's

    return unexpected(error, ["build", name])


def _begin() -> None:
    """Make this process a worker, which does not outlive the one that started it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    Thread(target=_end_with_parent, daemon=True).start()


def _stop(number: int, frame: FrameType | None) -> None:
    """End at once where nothing is being written, else by way of all that removes it."""
    if not _WORKING.is_set():
        os._exit(128 + number)
    stop(number, frame)


def _end_with_parent() -> None:
    from multiprocessing import parent_process  # noqa: PLC0415 - there already

    parent = parent_process()
    assert parent is not None, "internal error: a worker has no parent"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    # What waits for a server, or holds the interpreter, may not heed it.
    time.sleep(_PATIENCE)
    os._exit(1)
