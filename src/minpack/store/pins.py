"""What lock files name is kept: of each lock file that is known a record in the store lists the sums that it names.

A record counts as long as its lock file is there; one whose file is gone is removed.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from minpack.store.blob import BLOB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.store.directory import StoredFile
    from minpack.store.store import Store

_SCHEMA = "minpack.lock-kept/1"
_PREFIX = "lock-"
_ENDING = ".json"
#: No lock names so many downloads that its record is larger.
_MOST = 16 << 20


def pin(store: Store, lock: str, sums: Sequence[str]) -> None:
    """Keep the downloads with these SHA-256 sums as long as the host's file `lock`, an absolute path, is there.

    :raises StoreError: the disk is full or broken.
    """
    name = _PREFIX + hashlib.sha256(os.fsencode(lock)).hexdigest()
    values = {"path": lock, "sums": list(sums)}
    if {**(store.record(name, _SCHEMA, _MOST) or {}), "schema": ""} != {**values, "schema": ""}:
        store.keep_record(name, _SCHEMA, values, _MOST)


def pinned(store: Store, files: Iterable[StoredFile]) -> frozenset[str]:
    """The names of the files that are kept for locks, and of the records that say so."""
    found: set[str] = set()
    for file in files:
        if not file.name.startswith(_PREFIX) or not file.name.endswith(_ENDING):
            continue
        record = store.record(file.name.removesuffix(_ENDING), _SCHEMA, _MOST)
        path, sums = (record or {}).get("path"), (record or {}).get("sums")
        if isinstance(path, str) and isinstance(sums, list) and os.path.isfile(path):
            found |= {file.name, *(f"{sha256}.{BLOB}" for sha256 in sums)}
        else:
            store.remove(file.name)
    return frozenset(found)
