"""Bases that stay open from one image to the next, with what was found out about them."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

T = TypeVar("T")
#: How many bases stay open besides those in use; each has files open, and its tables in memory.
MOST_OPEN = 4


class BaseMemory:
    """What was found out about a base that stays open, each once, for all images that are put on it.

    :param stack: is closed with the base.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self._found: dict[str, Any] = {}

    def once(self, what: str, find: Callable[[], T]) -> T:
        """What `find` gave when it was asked for `what` first."""
        if what not in self._found:
            self._found[what] = find()
        found: T = self._found[what]
        return found


class _Held(NamedTuple):
    """An open base: what it was asked for as, its file as it was, and what closes it."""

    key: object
    state: object
    base: Any
    stack: ExitStack


class OpenBases:
    """The bases that were used last, or what they are made of, open.

    Leave its ``with`` block, or `close` it, when no image follows.
    Whoever uses one has it alone: for a second one at the same time it is opened once more.

    :param most: how many stay open besides those in use.
    """

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._idle: list[_Held] = []
        self._lock = Lock()
        self._is_closed = False

    @contextmanager
    def use(self, key: object, path: str | None, opener: Callable[[], AbstractContextManager[T]]) -> Generator[T]:
        """What was opened for an equal `key`, if its file is as it was; else what `opener` opens.

        :param key: all that decides what is opened, besides the file.
        :param path: the file of this host that it is; None for what is no file.
        """
        state = _state(path)
        held = self._taken(key, state) or _opened(key, state, opener)
        # What goes wrong is told to whatever opened it, and closes it, as if it were for one image.
        with held.stack:
            yield held.base
            held = held._replace(stack=held.stack.pop_all())
        self._give_back(held)

    def close(self) -> None:
        """Close all that are not in use now, and those that are when they no longer are."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for held in idle:
            held.stack.close()

    def __enter__(self) -> OpenBases:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _taken(self, key: object, state: object) -> _Held | None:
        with self._lock:
            found = next((one for one in self._idle if one.key == key), None)
            if found is not None:
                self._idle.remove(found)
        if found is not None and found.state != state:
            found.stack.close()
            return None
        return found

    def _give_back(self, held: _Held) -> None:
        with self._lock:
            self._idle.append(held)
            count = len(self._idle) if self._is_closed else max(0, len(self._idle) - self._most)
            surplus, self._idle = self._idle[:count], self._idle[count:]
        for one in surplus:
            one.stack.close()


def _opened(key: object, state: object, opener: Callable[[], AbstractContextManager[Any]]) -> _Held:
    with ExitStack() as stack:
        base = stack.enter_context(opener())
        return _Held(key, state, base, stack.pop_all())


def _state(path: str | None) -> object:
    """What stat(2) says of the file, and of the index of a layout; whoever opens it says what is wrong with it."""
    return (_status(path), _status(os.path.join(path, "index.json"))) if path is not None else None


def _status(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
