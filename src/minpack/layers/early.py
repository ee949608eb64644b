"""Files that are compressed, or compared with what is kept of them, before it is known what layer they are of.

While libraries and needs are being found out, Python takes one core: on another, each library that the closure has is
worked on already. What comes of it never changes a byte: a member that is ready is used for the block that it was
made of, and for no other.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING

from minpack.errors import MinpackError
from minpack.layers.files import CompressedFiles
from minpack.oci.compress import OWN_MEMBERS, block_size_of, ready_member
from minpack.store.blob import LAYER
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minpack.content import Content
    from minpack.layers.files import KeptMembers
    from minpack.oci.compression import Compression
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

#: Members that are ready are held in memory, so many bytes of them at the most.
MOST_READY = 24 << 20


class EarlyFiles:
    """Works on large files as they become known. Close it.

    :param directory: of the store.
    :param before: returns when it may begin.
    """

    def __init__(self, directory: str, compression: Compression, before: Callable[[], None]) -> None:
        self._directory = directory
        self._compression = compression
        self._before = before
        self._store: Store | None = None
        self._todo: deque[Content] = deque()
        self._likely: deque[tuple[Content, KeptMembers]] = deque()
        self._seen: set[Content] = set()
        self._thread: Thread | None = None
        self._lock = Lock()
        self._room = MOST_READY
        self._has_new = False
        self._is_settling = False
        self._stopped = False
        self._layers: set[str] = set()
        self._blob: StoredBlob | None = None
        #: What is known of the files, once there is a store; to be used when `settle` has returned.
        self.files: CompressedFiles | None = None

    def add(self, contents: Iterable[Content]) -> None:
        """Work on those that have members of their own, if it is not too late; each once."""
        new = [one for one in dict.fromkeys(contents) if one.size >= OWN_MEMBERS and one not in self._seen]
        self._seen.update(new)
        self._todo.extend(new)
        if new and not self._stopped and (self._thread is None or not self._thread.is_alive()):
            self._thread = Thread(target=self._run, daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # The system gives no more: each file waits for its turn.
                self._thread = None

    def settle(self, contents: Iterable[Content]) -> bool:
        """Work on nothing new from now on, and return when the rest is known: whether all files are kept and the same.

        As soon as one is new, the rest is left for its turn.

        :param contents: what the layer has, added now that this is known.
        """
        self._is_settling = True
        if not self._has_new:
            self.add(contents)
            if self.files is not None:
                self._work(self.files)
        if self._has_new:
            self._stopped = True
        self._join()
        self._stopped = True
        return self.files is not None and not self._has_new and not self._todo and not self._likely

    def take_blob(self, sha256: str) -> StoredBlob | None:
        """The verified bytes of the kept layer with that sum, if it was the one that has all files; had once."""
        blob, self._blob = self._blob, None
        if blob is not None and blob.sha256 != sha256:
            blob.close()
            return None
        return blob

    def give_up(self) -> None:
        """Nobody wants anything more: no other file is begun, nor another block."""
        self._stopped = True

    def close(self) -> None:
        """Let go of all: what is under way is given up."""
        self.give_up()
        self._join()
        if self._blob is not None:
            self._blob.close()
        if self.files is not None:
            self.files.close()
        if self._store is not None:
            self._store.close()

    def _join(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._before()
        with suppress(MinpackError):
            if self.files is None and not self._stopped:
                self._store = open_store(self._directory)
                self.files = CompressedFiles(self._store, self._compression) if self._store.keeps else None
            if self.files is not None:
                self._work(self.files)
                self._find_layer()

    def _find_layer(self) -> None:
        """Verify the layer that has all files, if it is one: most likely it is what all this is for."""
        if self._stopped or self._has_new or self._blob is not None:
            return
        if self._store is not None and len(self._layers) == 1:
            (layer,) = self._layers
            self._blob = self._store.find(layer, LAYER).blob

    def _work(self, files: CompressedFiles) -> None:
        """Look for all, compress what is new, then compare the others; two threads may do so."""
        with suppress(IndexError):
            while not self._is_over():
                content = self._todo.popleft()
                with suppress(MinpackError):
                    self._take(content, files)
        with suppress(IndexError):
            while not self._is_over():
                self._compare(*self._likely.popleft(), files)

    def _is_over(self) -> bool:
        return self._stopped or (self._is_settling and self._has_new)

    def _take(self, content: Content, files: CompressedFiles) -> None:
        with self._lock:
            kept = files.find(content)
        if kept is not None:
            self._layers.add(kept.layer)
            self._likely.append((content, kept))
            return
        self._has_new = True
        self._compress(content, files)

    def _compare(self, content: Content, kept: KeptMembers, files: CompressedFiles) -> None:
        is_same = False
        with suppress(MinpackError):
            is_same = kept.is_made_of(content)
        if not is_same:
            self._has_new = True
            files.drop(content)

    def _compress(self, content: Content, files: CompressedFiles) -> None:
        """Compress one block after the other; the rest is left where there is no room or no time."""
        size = block_size_of(self._compression)
        buffer = memoryview(bytearray(min(size, content.size)))
        with content.open() as reader:
            for at in range(0, content.size, size):
                if self._is_over() or self._room <= 0:
                    return
                member = ready_member(buffer[: reader.readinto_at(buffer, at)], self._compression)
                self._room -= len(member.member)
                files.make_ready(content, member)
