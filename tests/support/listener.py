"""A `Progress` that remembers what it hears."""

from __future__ import annotations


class Listener:
    """What was told (`told`), and how many bytes were through each time (`done`)."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.done: list[int] = []

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """See `minpack.progress.Progress`."""
        self.done.append(done)

    def tell(self, text: str) -> None:
        """See `minpack.progress.tell`."""
        self.told.append(text)
