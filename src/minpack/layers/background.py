"""The layer of the user's own files, made while what their programs need is still being found out.

It is known as soon as those files have their places, and it is most of the work of packing a static program: so it is
compressed, or found in the store and hashed, on other cores meanwhile. It counts only if it turns out to be the layer
that was planned.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from minpack.errors import StoreError
from minpack.layers.cache import MOST_LAYER_BYTES, LayerOptions, StoredLayer, stored_layer
from minpack.oci.compression import Compression
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Writable
    from minpack.oci.layer import Layer
    from minpack.rootfs.entry import Entry

#: Smaller layers are made in the time that starting a thread takes.
LEAST_BYTES = 1 << 20
#: Seconds between two reports of progress.
_PAUSE = 0.1


class _GivenUpError(Exception):
    """Nobody wants the layer any more."""


class BackgroundLayer:
    """One layer that may be begun early. Leave its ``with`` block to give up what nobody has taken.

    :param directory: of the store it is made in; without one nothing is made ahead.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._entries: Sequence[Entry] = ()
        self._how: LayerOptions | None = None
        self._thread: Thread | None = None
        self._made: StoredLayer | None = None
        self._error: BaseException | None = None
        self._done = ("", 0, 0)
        self._unwanted = False

    def begin(self, entries: Sequence[Entry], how: LayerOptions, comment: str) -> None:
        """Start to make the layer of `entries`, where that is worth a thread and the store may take it."""
        size = sum(entry.size for entry in entries)
        if self._directory is None or not LEAST_BYTES <= size <= MOST_LAYER_BYTES:
            return
        if how.compression is Compression.NONE:
            return
        self._entries, self._how = entries, how
        self._thread = Thread(target=self._make, args=(how._replace(progress=self._progress), comment), daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system gives no more: the layer is made in its turn.
            self._thread = None

    def take(self, entries: Sequence[Entry], out: Writable, how: LayerOptions) -> Layer | None:
        """Write the layer to `out` when it is ready; None, and nothing written, if it is none of `entries`.

        :raises ChangedInputError: a file is shorter than when it was planned.
        :raises InputError: a file cannot be read.
        """
        if self._thread is None or tuple(entries) != tuple(self._entries) or how != self._how:
            return None
        while self._thread.is_alive():
            self._thread.join(_PAUSE)
            how.progress(*self._done)
        self._thread = None
        if self._error is not None:
            raise self._error
        made, self._made = self._made, None
        if made is None:
            return None
        with made.blob:
            made.copy_to(out)
        return made.layer

    def _make(self, how: LayerOptions, comment: str) -> None:
        try:
            with open_store(self._directory) as store:
                if store.keeps:
                    self._made = stored_layer(self._entries, store, how, comment)
        except (_GivenUpError, StoreError):
            return
        except BaseException as error:  # noqa: BLE001 - raised again where the layer is wanted
            self._error = error

    def _progress(self, task: str, done: int, total: int | None) -> None:
        self._done = (task, done, total or 0)
        if self._unwanted:
            raise _GivenUpError

    def __enter__(self) -> BackgroundLayer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._unwanted = True
        # A signal may have come before it was started.
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        if self._made is not None:
            self._made.blob.close()
