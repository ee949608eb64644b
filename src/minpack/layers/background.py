"""Layers that are made in the background, as soon as their entries are known.

The user's own files are known when they have their places, before it is known what their programs need; the others
when there is a plan, before that is proved. Meanwhile their layers are compressed, or found in the store and hashed, on
other cores. A layer counts only if it turns out to be one that was planned.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING

from minpack.content import release
from minpack.errors import StoreError
from minpack.layers.cache import MOST_LAYER_BYTES, LayerOptions, StoredLayer, stored_layer
from minpack.oci.compress import GZIP_LEVELS
from minpack.oci.compression import Compression
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.layers.early import EarlyFiles
    from minpack.oci.layer import Layer
    from minpack.rootfs.entry import Entry

#: Smaller layers are made in the time that starting a thread takes.
LEAST_BYTES = 1 << 20
#: Seconds between two reports of progress.
_PAUSE = 0.1
#: Seconds until what has been made meanwhile is copied on.
_COPY_PAUSE = 0.01
#: Bytes that are copied at once.
_PIECE = 1 << 18


class _GivenUpError(Exception):
    """Nobody wants the layer any more."""


class BackgroundLayers:
    """Layers that may be begun early, made one after the other. Leave its ``with`` block to give up what is not taken.

    :param directory: of the store they are made in; without one nothing is made ahead.
    :param turn: held while a layer is made, which takes all CPUs there are: shared by images that are made together.
    """

    def __init__(self, directory: str | None, turn: Lock | None = None) -> None:
        self._directory = directory
        self._is_shared = turn is not None
        self._turn = turn or Lock()
        self._begun: list[_BackgroundLayer] = []
        self._early: EarlyFiles | None = None

    def prepare(self, contents: Iterable[Content], options: LayerOptions) -> None:
        """Start to work on large files that most likely will be in the next layer, once what was begun is made."""
        # Images that are made together take all CPUs as it is; what a shared cache has is asked for by layers.
        if self._directory is None or self._is_shared or options.shared is not None:
            return
        if options.compression not in GZIP_LEVELS:
            return
        if self._early is None:
            from minpack.layers.early import EarlyFiles  # noqa: PLC0415 - for dynamic programs alone

            begun = self._begun[-1].wait if self._begun else lambda: None
            self._early = EarlyFiles(self._directory, options.compression, begun)
        self._early.add(contents)

    def begin(self, entries: Sequence[Entry], options: LayerOptions, comment: str) -> None:
        """Start to make the layer of `entries`, where that is worth a thread and the store may take it."""
        size = sum(entry.size for entry in entries)
        if self._directory is None or not LEAST_BYTES <= size <= MOST_LAYER_BYTES:
            return
        if options.compression is not Compression.NONE:
            before = self._begun[-1] if self._begun else None
            self._begun.append(_BackgroundLayer(self._directory, entries, options, before, self._turn, self._early))
            self._begun[-1].start(comment)

    def take(
        self,
        entries: Sequence[Entry],
        out: Writable,
        options: LayerOptions,
        also: Callable[[], Writable] | None = None,
    ) -> Layer | None:
        """Write the layer to `out` when it is ready; None, and nothing written, if it is none of `entries`.

        :param also: gives what a layer that is still being made is written to as well, as far as it is made; what it
            gave is worth nothing if there is no layer in the end.
        :raises ChangedInputError: a file is shorter than when it was planned.
        :raises InputError: a file cannot be read.
        """
        wanted = (tuple(entries), options)
        one = next((one for one in self._begun if (tuple(one.entries), one.options) == wanted), None)
        return one.take(out, also) if one is not None else None

    def __enter__(self) -> BackgroundLayers:
        return self

    def __exit__(self, *exc: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Give up what is not taken; no thread is left then."""
        if self._early is not None:
            self._early.give_up()
        for one in self._begun:
            one.unwanted = True
        for one in self._begun:
            one.close()
        self._begun = []
        if self._early is not None:
            self._early.close()
            self._early = None


class _BackgroundLayer:
    """One layer, begun when the one `before` it is made."""

    def __init__(
        self,
        directory: str,
        entries: Sequence[Entry],
        options: LayerOptions,
        before: _BackgroundLayer | None,
        turn: Lock,
        early: EarlyFiles | None,
    ) -> None:
        self.entries = entries
        self.options = options
        self.unwanted = False
        self._directory = directory
        self._before = before
        self._turn = turn
        self._early = early
        self._thread: Thread | None = None
        self._made: StoredLayer | None = None
        self._error: BaseException | None = None
        self._done = ("", 0, 0)
        #: The file that it is being written to, once it is; its end is where it was written last.
        self._growing = -1

    def start(self, comment: str) -> None:
        """Start to make it on a thread."""
        options = self.options._replace(progress=self._progress)
        self._thread = Thread(target=self._make, args=(options, comment), daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system gives no more: the layer is made in its turn.
            self._thread = None

    def take(self, out: Writable, also: Callable[[], Writable] | None) -> Layer | None:
        """Write the layer to `out` when it is ready; None, and nothing written, if it could not be begun or kept."""
        if self._thread is None:
            return None
        following: _Following | None = None
        while self._thread.is_alive():
            if also is not None and self._growing >= 0:
                following = following or _Following(self._growing, also())
                following.copy()
            self._thread.join(_PAUSE if also is None else _COPY_PAUSE)
            self.options.progress(*self._done)
        self._thread = None
        if self._error is not None:
            raise self._error
        made, self._made = self._made, None
        if made is None:
            return None
        if following is not None:
            following.copy()
        with made.blob:
            made.copy_to(out)
        return made.layer

    def _make(self, options: LayerOptions, comment: str) -> None:
        if self._before is not None:
            self._before.wait()
        try:
            with self._in_turn(), open_store(self._directory) as store:
                if store.keeps:
                    self._made = stored_layer(self.entries, store, options, comment, self._begun, self._early)
        except (_GivenUpError, StoreError):
            return
        except BaseException as error:  # noqa: BLE001 - raised again where the layer is wanted
            self._error = error

    @contextmanager
    def _in_turn(self) -> Generator[None]:
        """Hold the turn, which others may have for long.

        :raises _GivenUpError: nobody wants the layer any more.
        """
        while not self._turn.acquire(timeout=_PAUSE):
            self._check_wanted()
        try:
            self._check_wanted()
            yield
        finally:
            self._turn.release()

    def _check_wanted(self) -> None:
        if self.unwanted:
            raise _GivenUpError

    def _begun(self, descriptor: int) -> None:
        # The file is closed, and may be gone, when the layer is made.
        self._growing = os.dup(descriptor)

    def _progress(self, task: str, done: int, total: int | None) -> None:
        self._done = (task, done, total or 0)
        self._check_wanted()

    def wait(self) -> None:
        """Until it is made, if it is begun."""
        thread = self._thread
        # A signal may have come before it was started.
        if thread is not None and thread.is_alive():
            thread.join()

    def close(self) -> None:
        """Let go of what nobody has taken."""
        self.wait()
        if self._made is not None:
            self._made.blob.close()
        if self._growing >= 0:
            release(self._growing)


class _Following:
    """Copies what has been written to a file that grows."""

    def __init__(self, descriptor: int, out: Writable) -> None:
        self._descriptor = descriptor
        self._out = out
        self._at = 0

    def copy(self) -> None:
        """Write on what is new."""
        while piece := self._piece():
            self._out.write(piece)
            self._at += len(piece)

    def _piece(self) -> bytes:
        try:
            return os.pread(self._descriptor, _PIECE, self._at)
        except OSError:
            # Whoever needs the bytes reads them again, and says what is wrong.
            return b""
