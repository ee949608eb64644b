"""`SharedCache`: the shared caches of one run: what is found there before it is made or fetched.

Nothing that comes from a cache is believed. A download has the sum by which it was known before; a layer unpacks to the
tar that is to be packed, which is read and hashed here; a file's members hold its bytes. What only who may write the
cache can vouch for is the compressed form: that it is the one that minpack makes.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from minpack.content import FileReader
from minpack.namedtuple import NamedTuple
from minpack.net.network import SharedDownloads
from minpack.progress import Named
from minpack.registry.client import RegistryClient
from minpack.shared.files import SharedFiles
from minpack.shared.members import MemberError, check_layer
from minpack.shared.names import download_tag, layer_tag
from minpack.shared.remote import RemoteCache, impatient
from minpack.shared.use import CacheUse
from minpack.store.blob import LAYER
from minpack.store.store import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.digest import Digest
    from minpack.net.network import Fillable
    from minpack.oci.layer import Layer
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.shared.files import LocalFiles
    from minpack.shared.names import LayerSetting
    from minpack.shared.options import CacheOptions
    from minpack.store.blob import StoredBlob
    from minpack.store.part import Part

#: No larger layer is shared, as no larger one is kept: it would push out all others.
MOST_LAYER_BYTES = MOST_BYTES // 4
#: No compressor makes more of a tar than a hundredth, and so many bytes.
_MOST_MORE = 1 << 20


class TakenLayer(NamedTuple):
    """A layer that a cache has: its verified bytes, which whoever gets it closes, and the cache's name."""

    blob: StoredBlob
    origin: str


class UsedLayer(NamedTuple):
    """A layer that is in an image of this run."""

    setting: LayerSetting
    diff_id: Digest
    digest: Digest
    comment: str


class SharedCache(SharedDownloads):
    """The caches that `options` name; several threads may use it. Its connections end with its ``with`` block."""

    def __init__(self, options: CacheOptions) -> None:
        self.options = options
        network = impatient(options.registry.network)
        self.client = RegistryClient(options.registry._replace(network=network))
        repositories = [*options.reads, *((options.writes,) if options.writes is not None else ())]
        #: Those that are read. Offline none is, and one may be written to all the same: nothing is downloaded.
        self.remotes = [
            RemoteCache(self.client, one, network)
            for one in dict.fromkeys(repositories)
            if not options.registry.network.offline
        ]
        #: What was used: downloads by their keys, and layers by their names.
        self.downloads: dict[str, str] = {}
        self.layers: dict[str, UsedLayer] = {}
        self._counts = {"layers": 0, "files": 0, "downloads": 0, "compressed": 0}
        self._brought: dict[str, RemoteCache] = {}
        self._lock = Lock()

    @property
    def verifies(self) -> bool:
        """Whether what is taken is compressed again, and compared."""
        return self.options.verify

    def bring(self, key: str, part: Fillable, limit: int, progress: Progress) -> bool:
        """See `minpack.net.network.SharedDownloads.bring`."""
        for remote in self.remotes:
            blob = remote.download(key)
            if blob is not None and blob.size > limit:
                remote.refuse(download_tag(key), "it is larger than it should be")
            if blob is None or remote.problem:
                continue
            if remote.fetch(blob, part, limit, progress):
                self._count(downloads=1)
                self._brought[key] = remote
                return True
            part.clear()
        return False

    def refuse(self, key: str, reason: str) -> None:
        """See `minpack.net.network.SharedDownloads.refuse`."""
        self._count(downloads=-1)
        self._brought[key].refuse(download_tag(key), reason)

    def note(self, key: str, sha256: str) -> None:
        """See `minpack.net.network.SharedDownloads.note`."""
        with self._lock:
            self.downloads[key] = sha256

    def find_layer(
        self, diff_id: Digest, size: int, setting: LayerSetting, draft: Callable[[], Part], progress: Progress
    ) -> TakenLayer | None:
        """The layer whose tar has that diff ID and `size` bytes; None if no cache has it.

        :param draft: gives an empty file to fill.
        :raises StoreError: the disk is full or broken.
        """
        tag, progress = layer_tag(setting, diff_id), Named(progress, "fetching a layer from the shared cache")
        for remote in self.remotes:
            artifact = remote.artifact(tag)
            if artifact is None:
                continue
            blob = artifact.blobs[0]
            most = min(size + size // 100 + _MOST_MORE, MOST_LAYER_BYTES)
            if blob.media_type != setting.compression.media_type or blob.size > most:
                remote.refuse(tag, "it is not a layer of that kind and size")
                continue
            with draft() as part:
                if not remote.fetch(blob, part, progress=progress):
                    continue
                try:
                    reader = FileReader(part.descriptor, 0, blob.size, owned=False)
                    check_layer(reader, blob.size, diff_id, size, setting)
                except MemberError as error:
                    remote.refuse(tag, str(error))
                    continue
                self._count(layers=1)
                return TakenLayer(part.keep(blob.digest.hex, LAYER), str(remote))
        return None

    def files(
        self, entries: Sequence[Entry], local: LocalFiles, setting: LayerSetting, draft: Callable[[], Part]
    ) -> SharedFiles:
        """What is known of the files of a layer that has to be made: by the store, else by a cache."""
        found = SharedFiles(local, setting, verify=self.verifies)
        found.fetch(entries, self.remotes, draft)
        return found

    def note_layer(self, setting: LayerSetting, layer: Layer) -> None:
        """The layer is in an image of this run, wherever it is from."""
        used = UsedLayer(setting, layer.diff_id, layer.descriptor.digest, layer.comment)
        with self._lock:
            self.layers[layer_tag(setting, layer.diff_id)] = used

    def note_made(self, size: int, known: int = 0, files: int = 0) -> None:
        """A layer of a tar of `size` bytes was compressed, but for what was `known`; so many `files` were taken."""
        self._count(compressed=size - known, files=files)

    def use(self) -> CacheUse:
        """What was taken so far."""
        received = sum(remote.received for remote in self.remotes)
        notes = tuple(f"the shared cache {one} is ignored: {one.problem}" for one in self.remotes if one.problem)
        if self.options.reads and not self.remotes:
            notes = ("no shared cache was read: --offline downloads nothing",)
        read, writes = tuple(str(one) for one in self.remotes), str(self.options.writes or "")
        return CacheUse(read, writes, received=received, verified=self.verifies, notes=notes, **self._counts)

    def _count(self, **counts: int) -> None:
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count

    def __enter__(self) -> SharedCache:
        self.client.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.__exit__(None, None, None)
