"""Notes that are told once: what is so on this machine is so in every run, and was read the first time."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.embedded.base import LastingNote
from minpack.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEMA = "minpack.told/1"


def untold(notes: Iterable[str], store: str | None) -> tuple[str, ...]:
    """The notes without those that the store remembers as told; from now on it remembers the rest of such notes too.

    :param store: the store's directory; without one all are told.
    """
    return tuple(note for note in notes if not isinstance(note, LastingNote) or not _is_told(note, store))


def _is_told(note: LastingNote, directory: str | None) -> bool:
    from minpack.store.store import open_store  # noqa: PLC0415 - where there is such a note

    name = f"told-{hashlib.sha256(f'{note} {note.about}'.encode()).hexdigest()}"
    with suppress(StoreError), open_store(directory) as store:
        if store.record(name, _SCHEMA) is not None:
            return True
        store.keep_record(name, _SCHEMA, {"note": note})
    return False
