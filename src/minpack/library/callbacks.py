"""Types of the functions that callers give."""

from __future__ import annotations

from collections.abc import Callable

#: Called often with what is going on, of which so many bytes are done, and the number of all or None; returns quickly.
Progress = Callable[[str, int, int | None], None]
