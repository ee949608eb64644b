"""The shared caches of a run: open while it makes something, and written to when that is done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.errors import StoreError
from minpack.namedtuple import NamedTuple
from minpack.shared.cache import SharedCache
from minpack.shared.publish import write_cache
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.progress import Progress
    from minpack.shared.use import CacheUse


class OpenCaches(NamedTuple):
    """The caches of a run, and the options by which it asks them before servers."""

    options: BaseOptions
    shared: SharedCache

    def finish(self, progress: Progress, *, write: bool) -> CacheUse:
        """What was taken; the cache that may be written to has what was used, if it is to `write`."""
        use = self.shared.use()
        if not write:
            return use
        try:
            with open_store(self.options.store) as store:
                return write_cache(self.shared, store, progress)
        except StoreError as error:
            return use._replace(notes=(*use.notes, f"the shared cache was not written: {error.message}"))


@contextmanager
def open_caches(options: BaseOptions) -> Generator[OpenCaches]:
    """The shared caches that `options` name, open until the block is left."""
    assert options.cache is not None, "internal error: no shared cache is named"
    with SharedCache(options.cache) as shared:
        network = options.network._replace(downloads=shared)
        yield OpenCaches(options._replace(network=network), shared)
