"""Programs of several platforms: an image for each, prepared side by side and written as one."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from minpack.errors import LibcMismatchError, MinpackError, UsageError, WrongTargetError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.program.groups import group_programs
from minpack.progress import tell
from minpack.target import best_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from minpack.base.options import BaseOptions
    from minpack.output.target import OutputSpec
    from minpack.program.read import Program
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform

T = TypeVar("T")
#: Seconds between two reports of progress.
_PAUSE = 0.1
#: Seconds that work is waited for which nobody wants any more: what waits for a server may take longer.
_PATIENCE = 2.0


class PlatformSpec(NamedTuple):
    """What is asked for of one platform."""

    platform: Platform
    spec: ImageSpec
    programs: tuple[Program, ...]


def specs_by_platform(spec: ImageSpec, programs: Sequence[Program]) -> tuple[tuple[PlatformSpec, ...], tuple[str, ...]]:
    """The spec for each platform, with its programs and its base, in the order of their names; and notes.

    :raises UsageError: a base is for a platform that there is none of.
    :raises MinpackError: as `group_programs`.
    """
    groups, notes = group_programs(spec, programs)
    bases = dict(spec.bases)
    found = []
    for platform, own, wanted in groups:
        base = _taken(bases, platform) if spec.bases else None
        paths = tuple(program.path for program in own)
        one = spec._replace(programs=paths, base=base or spec.base, platform=wanted, platforms=(), bases=())
        found.append(PlatformSpec(wanted or platform, one, own))
    if bases:
        has = listed(str(one.platform) for one in found)
        raise UsageError(
            "--base", f"{next(iter(bases))}=…", "there is no program for that platform", f"the programs are for {has}"
        )
    return tuple(found), notes


def _taken(bases: dict[Platform, BaseRef], platform: Platform) -> BaseRef | None:
    """The base that was named for `platform`, else for the architecture; it is no longer among `bases`."""
    same = [one for one in bases if one.architecture == platform.architecture]
    best = platform if platform in bases else same[0] if len(same) == 1 else None
    return bases.pop(best) if best is not None else None


def check_several(platforms: Sequence[Platform], options: BaseOptions, output: OutputSpec | None) -> None:
    """Raise `UsageError` if an option is for one platform, and there are several."""
    names = listed(map(str, platforms))
    if options.sha512:
        raise UsageError(
            "--base-sha512", "", "it is the checksum of one tarball, but there are several platforms", "leave it out"
        )
    if output is None:
        return
    choose = f"choose one with --platform {platforms[0]}"
    if not output.format.has_layers:
        reason = f"it is one tree of files, but there are several platforms: {names}"
        raise UsageError("--format", str(output.format), reason, f"{choose}, or make an image: --format archive or oci")
    if output.engine is not None and (output.machine is None or best_platform(output.machine, platforms) is None):
        machine = f" ({output.machine})" if output.machine is not None else ""
        reason = f"it loads the image for this machine{machine}, but there are only {names}"
        raise UsageError("--load", "", reason, f"{choose}, or write a file with -o")


def new_turn() -> Lock:
    """What is held while a layer is made in the background, so that those of several images are made in turn."""
    return Lock()


def in_order(specs: Sequence[PlatformSpec], labels: Sequence[Platform], images: Sequence[T]) -> list[T]:
    """The images in the order of the platforms that they are labelled with.

    :raises WrongTargetError: two have one label.
    """
    for one, label in zip(specs, labels, strict=True):
        if labels.count(label) > 1:
            other = next(two for two, named in zip(specs, labels, strict=True) if two is not one and named == label)
            hint = f"the image for {other.platform} would be one for {label} too: pack one of them"
            raise WrongTargetError(one.programs[0].path, str(one.platform), str(label), hint)
    return [image for _, image in sorted(zip(map(str, labels), images, strict=True), key=lambda pair: pair[0])]


def merged_notes(notes: Sequence[tuple[Platform, Sequence[str]]]) -> tuple[str, ...]:
    """The notes of all platforms; what is not of all of them says of which it is."""
    common = {note for note in notes[0][1] if all(note in own for _, own in notes)}
    found = (note if note in common else type(note)(f"{platform}: {note}") for platform, own in notes for note in own)
    return tuple(dict.fromkeys(found))


@contextmanager
def of_platform(spec: PlatformSpec) -> Generator[None]:
    """Let errors say which platform they are of, and how each platform gets a base of its own."""
    try:
        yield
    except MinpackError as error:
        error.for_platform(str(spec.platform))
        base = spec.spec.base
        if base is not None and base.is_local and isinstance(error, (WrongTargetError, LibcMismatchError)):
            error.hint = f"give each platform a base that fits: --base {spec.platform}=PATH; or use a named base"
        raise


class _GivenUpError(Exception):
    """Nobody wants the result any more."""


@contextmanager
def side_by_side(
    specs: Sequence[PlatformSpec], tasks: Sequence[Callable[[Progress], AbstractContextManager[T]]], progress: Progress
) -> Generator[tuple[T, ...]]:
    """What each of `tasks` gives, each entered on a thread of its own, all of them open until the block is left.

    `progress` is called on the thread that asks, which signals interrupt; then, and if one fails, the others are given
    up. Of several errors the one of the first task is raised, whichever came first; one that takes seconds longer to
    come than another is not waited for.

    :raises MinpackError: as the tasks.
    """
    workers = tuple(_Worker(*one) for one in zip(specs, tasks, strict=True))
    try:
        for worker in workers:
            worker.start()
        _wait(workers, progress)
        yield tuple(worker.result for worker in workers)
    finally:
        for worker in workers:
            worker.unwanted.set()
        patience = _PATIENCE
        for worker in reversed(workers):
            # All were told at once: who has not noticed in the time of one has had it too.
            patience = patience if worker.close(patience) else 0


def _wait(workers: Sequence[_Worker[T]], progress: Progress) -> None:
    """Wait until all are done; until then the progress of all is reported.

    :raises MinpackError: one has failed.
    """
    patience = _PATIENCE
    while running := [one for one in workers if one.is_running]:
        running[0].join(_PAUSE)
        for worker in workers:
            worker.report(progress)
        failed = next((one for one in workers if one.error is not None), None)
        if failed is not None:
            # Those that come first may fail just as soon: their error is the one to tell.
            number = workers.index(failed)
            for worker in workers[number:]:
                worker.unwanted.set()
            patience -= _PAUSE
            if patience <= 0 or not any(one.is_running for one in workers[:number]):
                break
    error = next((one.error for one in workers if one.error is not None), None)
    if error is not None:
        raise error


class _Worker(Generic[T]):
    """One task on its thread."""

    def __init__(self, spec: PlatformSpec, task: Callable[[Progress], AbstractContextManager[T]]) -> None:
        self.unwanted = Event()
        self._spec = spec
        self._task = task
        self._thread = Thread(target=self._run, daemon=True)
        self._stack = ExitStack()
        self._lock = Lock()
        #: Whether the thread is done, and whether nobody waits for it any more.
        self._ended = self._left = False
        self._results: list[T] = []
        #: What it failed of, once it has.
        self.error: BaseException | None = None
        self._texts: list[str] = []
        self._done: dict[str, tuple[int, int | None]] = {}

    def start(self) -> None:
        """Start the thread; where the system gives no more, the task is done now."""
        try:
            self._thread.start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            with of_platform(self._spec):
                self._results.append(self._stack.enter_context(self._task(self)))
        except _GivenUpError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
            self.error = error
        with self._lock:
            self._ended = True
            left = self._left
        if left:
            self._stack.close()

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """Keep how far the work is, for whoever waits for it."""
        self._done[task] = (done, total)
        if self.unwanted.is_set():
            raise _GivenUpError

    def tell(self, text: str) -> None:
        """Keep what is to be told."""
        self._texts.append(text)

    @property
    def is_running(self) -> bool:
        """Whether the task is still at work."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for the task to end, but no longer than that."""
        self._thread.join(seconds)

    @property
    def result(self) -> T:
        """What the task gave, when it is done."""
        return self._results[0]

    def report(self, progress: Progress) -> None:
        """Let `progress` know what came up since it was last told."""
        while self._texts:
            tell(progress, self._texts.pop(0))
        while self._done:
            task, (done, total) = self._done.popitem()
            progress(task, done, total)

    def close(self, patience: float) -> bool:
        """Let go of the result, and whether there was one; what is still at work does so itself when it notices."""
        if self._thread.is_alive():
            self._thread.join(patience)
        with self._lock:
            self._left = not self._ended
        if not self._left:
            self._stack.close()
        return not self._left
