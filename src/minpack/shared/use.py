"""`CacheUse`: what a run had from shared caches, and what it gave them."""

from __future__ import annotations

from minpack.namedtuple import NamedTuple


class CacheUse(NamedTuple):
    """What was taken from the caches that were `read`, and what was written to the one that may be.

    `layers` were taken whole; `files` are those whose compressed form went into layers that were made here. `received`
    and `sent` are bytes of blobs, `compressed` the bytes that this run compressed.
    """

    read: tuple[str, ...]
    written: str
    layers: int = 0
    files: int = 0
    downloads: int = 0
    received: int = 0
    compressed: int = 0
    sent: int = 0
    sent_layers: int = 0
    sent_downloads: int = 0
    verified: bool = False
    notes: tuple[str, ...] = ()
