"""Images of several platforms: prepared side by side, given up together, told as one."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from minpack.build.several import PlatformSpec, in_order, merged_notes, side_by_side
from minpack.errors import MinpackError, WrongTargetError
from minpack.paths import RootPath
from minpack.program.read import Program, read_program
from minpack.progress import no_progress
from minpack.spec.image import ImageSpec
from minpack.target import Platform, best_platform, parse_platform
from support.elfmaker import static_program

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from minpack.progress import Progress

AMD, ARM = parse_platform("amd64"), parse_platform("arm64")
SPECS = [PlatformSpec(platform, ImageSpec(("app",)), ()) for platform in (AMD, ARM)]


class Task:
    """What is entered and left; says on which thread."""

    def __init__(self, *, after: float = 0, error: BaseException | None = None) -> None:
        self.after = after
        self.error = error
        self.state = "new"
        self.thread: threading.Thread | None = None

    @contextmanager
    def __call__(self, progress: Progress) -> Generator[Task]:
        """Take the time, reporting; then fail, or give itself."""
        self.thread, end = threading.current_thread(), time.monotonic() + self.after
        try:
            while time.monotonic() < end:
                progress("waiting", 1, 2)
                time.sleep(0.002)
            if self.error is not None:
                raise self.error
            self.state = "open"
            yield self
        finally:
            self.state = "closed"


def test_each_has_a_thread_and_all_stay_open() -> None:
    """The results come in the order of the tasks, whichever was done first."""
    tasks = [Task(after=0.05), Task()]
    with side_by_side(SPECS, tasks, no_progress) as found:
        assert list(found) == tasks
        assert [task.state for task in tasks] == ["open", "open"]
        assert len({task.thread for task in tasks} | {threading.current_thread()}) == 3
    assert [task.state for task in tasks] == ["closed", "closed"]


def test_of_several_errors_the_first_platforms_is_raised() -> None:
    """However late it comes; it says its platform, and nothing stays open."""
    tasks = [Task(after=0.1, error=MinpackError("cannot do it: late")), Task(error=MinpackError("cannot do it: soon"))]
    with pytest.raises(MinpackError) as raised, side_by_side(SPECS, tasks, no_progress):
        raise AssertionError
    assert raised.value.message == "cannot do it: late\n  platform: linux/amd64"
    assert raised.value.data == {"platform": "linux/amd64"}
    assert [task.state for task in tasks] == ["closed", "closed"]


def test_an_error_gives_up_the_others() -> None:
    """They notice when they next report."""
    tasks = [Task(error=MinpackError("cannot do it: no")), Task(after=60)]
    start = time.monotonic()
    with pytest.raises(MinpackError), side_by_side(SPECS, tasks, no_progress):
        raise AssertionError
    assert time.monotonic() - start < 30
    assert [task.state for task in tasks] == ["closed", "closed"]


def test_an_error_of_a_later_platform_is_not_kept_back() -> None:
    """Nothing of an image of which a platform is lacking is waited for, while what fails as soon is told first."""
    tasks = [Task(after=60), Task(after=0.2, error=MinpackError("cannot do it: 2")), Task(error=MinpackError("3"))]
    specs = [*SPECS, PlatformSpec(parse_platform("s390x"), ImageSpec(("app",)), ())]
    start = time.monotonic()
    with pytest.raises(MinpackError, match="cannot do it: 2"), side_by_side(specs, tasks, no_progress):
        raise AssertionError
    assert time.monotonic() - start < 30
    assert [task.state for task in tasks] == ["closed"] * 3


def test_what_interrupts_whoever_waits_gives_up_all() -> None:
    """A signal raises on that thread alone."""

    def interrupted(_task: str, _done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    tasks = [Task(after=60), Task(after=60)]
    with pytest.raises(KeyboardInterrupt), side_by_side(SPECS, tasks, interrupted):
        raise AssertionError
    assert [task.state for task in tasks] == ["closed", "closed"]


def test_progress_is_reported_where_it_is_asked_for() -> None:
    """A callback need not be safe for threads."""
    seen = set()

    def progress(task: str, _done: int, _total: int | None) -> None:
        seen.add((task, threading.current_thread()))

    with side_by_side(SPECS, [Task(after=0.3), Task(after=0.3)], progress):
        pass
    assert seen == {("waiting", threading.current_thread())}


def test_notes_of_all_platforms_come_once() -> None:
    """Those of some say of which."""
    notes = merged_notes([(AMD, ("same", "one")), (ARM, ("same", "other"))])
    assert notes == ("same", "linux/amd64: one", "linux/arm64: other")


def test_two_images_of_one_label_are_refused(tmp_path: Path) -> None:
    """As of a program for ARMv6 whose base is for ARMv7, beside one for that."""
    v6, v7 = parse_platform("arm/v6"), parse_platform("arm/v7")
    (tmp_path / "app").write_bytes(static_program(machine="armhf"))
    program: Program = read_program(str(tmp_path / "app"), RootPath("/app"))
    specs = [PlatformSpec(platform, ImageSpec(("app",)), (program,)) for platform in (v6, v7)]
    assert in_order(specs, [v7, v6], ["a", "b"]) == ["b", "a"]
    with pytest.raises(WrongTargetError, match=r"it is for linux/arm/v7, not linux/arm/v6"):
        in_order(specs, [v7, v7], ["a", "b"])


@pytest.mark.parametrize(
    ("machine", "platforms", "expected"),
    [
        ("amd64", "amd64 arm64", "linux/amd64"),
        ("amd64", "amd64/v3 amd64/v2 arm64", "linux/amd64/v2"),
        ("arm/v7", "arm/v5 arm/v6 arm/v8 arm64", "linux/arm/v6"),
        ("arm/v6", "arm/v7 arm64", "None"),
        ("arm64", "arm/v7 amd64", "None"),
    ],
)
def test_the_platform_that_suits_a_machine(machine: str, platforms: str, expected: str) -> None:
    """The one that asks most of it, if that is known, and no more than it has."""
    offered: list[Platform] = [parse_platform(one) for one in platforms.split()]
    assert str(best_platform(parse_platform(machine), offered)) == expected
