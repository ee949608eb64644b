"""Many images at once: each is a job for an executor, and what became of it is a value that a process can send."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    from minpack.build.pack import Packed
    from minpack.shared.use import CacheUse

J = TypeVar("J")
#: So many jobs for each worker are handed out at once: few are left to run once one has failed.
_AHEAD = 2
#: Seconds.
_TICK = 1.0


class State(StrEnum):
    """What became of an image."""

    BUILT = "built"
    #: Its files are as they were, and so is what was written of them.
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    FAILED = "failed"
    #: Another one failed before it was begun.
    SKIPPED = "skipped"


class ImageOutput(NamedTuple):
    """Where an image is: at `path`, or as `reference` in an engine or a registry."""

    format: str
    path: str | None
    reference: str | None
    digest: str | None


class ImageFailure(NamedTuple):
    """Why an image could not be built, as an error has it."""

    kind: str
    message: str
    hint: str | None
    exit_code: int


class ImageResult(NamedTuple):
    """What became of the image that the file calls `name`; `size` is what was written."""

    name: str
    state: State
    platforms: tuple[str, ...] = ()
    digest: str | None = None
    size: int = 0
    #: The full names that it has, there or wherever it is loaded.
    references: tuple[str, ...] = ()
    outputs: tuple[ImageOutput, ...] = ()
    notes: tuple[str, ...] = ()
    failure: ImageFailure | None = None
    #: What it had from shared caches; None where none is named, and of an image that was not built.
    cache: CacheUse | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is there, or would be."""
        return self.state not in (State.FAILED, State.SKIPPED)


def result_of(name: str, packed: Packed) -> ImageResult:
    """What packing gave, as a result."""
    platforms = tuple(str(one.plan.config.platform) for one in packed.images)
    written = packed.written
    if written is None:
        return ImageResult(name, State.PLANNED, platforms, notes=packed.notes, cache=packed.cache)
    outputs = tuple(
        ImageOutput(str(one.format), one.path, one.reference, str(one.digest) if one.digest is not None else None)
        for one in written.outputs
    )
    digest = str(packed.digest) if packed.digest is not None else None
    notes, names = tuple(map(str, packed.notes)), tuple(map(str, written.references))
    return ImageResult(name, State.BUILT, platforms, digest, written.size, names, outputs, notes, cache=packed.cache)


def run_jobs(
    executor: Executor,
    function: Callable[[J], ImageResult],
    jobs: Iterable[J],
    workers: int,
    *,
    keep_going: bool,
    waiting: Callable[[], object] = bool,
) -> Iterator[tuple[int, ImageResult | BaseException]]:
    """Run `function` on each job, and give the number of each and what came of it as soon as it is there.

    Once one has failed no other is begun, unless `keep_going`; those that were begun come to their end. What a worker
    raises, or its end, is given as the exception.

    :param waiting: called every second in which none comes to its end.
    """
    from concurrent.futures import FIRST_COMPLETED, CancelledError, wait  # noqa: PLC0415 - for many images alone

    rest = iter(enumerate(jobs))
    running: dict[Future[ImageResult], int] = {}
    going = True
    while True:
        while going and len(running) < workers * _AHEAD and (job := next(rest, None)) is not None:
            running[_begun(executor, function, job[1])] = job[0]
        if not running:
            return
        done = wait(running, _TICK, FIRST_COMPLETED).done
        if not done:
            waiting()
        for future in done:
            error = future.exception() if not future.cancelled() else CancelledError("it was given up")
            result: Any = error if error is not None else future.result()
            going = going and (keep_going or (error is None and result.is_whole))
            yield running.pop(future), result


def _begun(executor: Executor, function: Callable[[J], ImageResult], job: J) -> Future[ImageResult]:
    """The job with the executor; of one that takes no more jobs, what it says of that."""
    from concurrent.futures import Future  # noqa: PLC0415 - for many images alone

    try:
        return executor.submit(function, job)
    except Exception as error:  # noqa: BLE001 - an executor is of another package
        future: Future[ImageResult] = Future()
        future.set_exception(error)
        return future
