"""The callback that long work reports to; the command line draws it, a library caller may too.

One that has a method ``tell`` is also told, while it lasts, what is waited for; one that draws has a method ``pause``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Progress(Protocol):
        """Called often with what is going on; must return quickly."""

        def __call__(self, task: str, done: int, total: int | None, /) -> None:
            """`done` of `total` bytes of `task` are through; `total` is None when unknown."""


def no_progress(task: str, done: int, total: int | None) -> None:
    """Report to nobody."""


def tell(progress: Progress, text: str) -> None:
    """Let `progress` say `text` at once, a sentence without a full stop; one that cannot is left alone."""
    say: Callable[[str], None] | None = getattr(progress, "tell", None)
    if say is not None:
        say(text)


def pause(progress: Progress) -> None:
    """Let `progress` take away what it draws, until there is more to report: no thread of it is left then."""
    close: Callable[[], None] | None = getattr(progress, "pause", None)
    if close is not None:
        close()


class Named:
    """Reports all work as that of one task, by the name that people know it by."""

    def __init__(self, progress: Progress, task: str) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, task: str, done: int, total: int | None) -> None:  # noqa: ARG002 - the name is given
        """Report how far the task is."""
        self._progress(self._task, done, total)

    def tell(self, text: str) -> None:
        """As `tell`."""
        tell(self._progress, text)

    def pause(self) -> None:
        """As `pause`."""
        pause(self._progress)
