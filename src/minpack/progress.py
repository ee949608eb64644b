"""The callback that long work reports to; the command line draws it, a library caller may too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Progress(Protocol):
        """Called often with what is going on; must return quickly."""

        def __call__(self, task: str, done: int, total: int | None) -> None:
            """`done` of `total` bytes of `task` are through; `total` is None when unknown."""


def no_progress(task: str, done: int, total: int | None) -> None:
    """Report to nobody."""
