"""`CacheOptions`: which shared caches a run uses, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.registry.options import RegistryOptions
    from minpack.registry.repository import ImageRepository


class CacheOptions(NamedTuple):
    """Repositories that keep what minpack compressed and downloaded, and how their registries are reached.

    They are read in the order of `reads`. `writes` gets what it lacks when all else is done. `verify` compresses again
    what was taken, and compares.
    """

    registry: RegistryOptions
    reads: tuple[ImageRepository, ...] = ()
    writes: ImageRepository | None = None
    verify: bool = False
