"""Layers that were compressed before, kept by what is in them: a second pack of the same compresses nothing.

Where every content has a key, which fixes its bytes, the layer has one too: the SHA-256 of all that its bytes depend
on. What is found by that is the layer. Any other is looked for by its mark, which costs little: what is known of the
entries, and a few bytes of the largest files. What is found counts only if the layer's tar has the diff ID that the
kept one was made of. Either way the kept bytes must have their digest. So what is kept never changes a result.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.content import key_of
from minpack.digest import Digest
from minpack.errors import StoreError
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import GZIP_LEVELS, OWN_MEMBERS, made_by
from minpack.oci.compression import Compression
from minpack.oci.documents import Descriptor
from minpack.oci.layer import Layer, Tarred, sums_of, tar_of, write_layer
from minpack.rootfs.entry import Kind
from minpack.store.blob import LAYER
from minpack.store.store import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from minpack.digest import Writable
    from minpack.layers.files import CompressedFiles
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.store.blob import StoredBlob
    from minpack.store.part import Part
    from minpack.store.store import Store

#: Another one when the same entries and setting give other bytes than before, in tar/write.py or oci/compress.py.
SCHEMA = "minpack.layer/3"
#: No layer that takes more of the store than this is kept: it would push out all others.
MOST_LAYER_BYTES = MOST_BYTES // 4
#: Of how many files bytes go into the mark, the largest first, and how many from the start, the middle and the end.
_MARKED_FILES = 32
_MARKED_BYTES = 4096
_PIECE = 1 << 20


class LayerOptions(NamedTuple):
    """How a layer is made."""

    mtime: int
    compression: Compression
    threads: int
    progress: Progress
    #: Whether the sum of each file is wanted.
    sums: bool = False


class StoredLayer(NamedTuple):
    """A layer and its verified bytes, which whoever gets it closes."""

    layer: Layer
    blob: StoredBlob

    def copy_to(self, out: Writable) -> None:
        """Write the layer to `out`."""
        with self.blob.open() as reader:
            for at in range(0, self.blob.size, _PIECE):
                out.write(reader.read_at(at, _PIECE))


class _Known(NamedTuple):
    """What a record says of a kept layer."""

    tarred: Tarred
    digest: Digest
    size: int


def write_kept_layer(
    entries: Sequence[Entry],
    out: Writable,
    store: Store,
    options: LayerOptions,
    comment: str,
    also: Callable[[], Writable] | None = None,
) -> Layer:
    """Write the layer of `entries` to `out`: as `store` has it, else as `write_layer` makes it, and then keep it.

    The bytes are the same either way.

    :param also: gives what a layer is written to as well, if it has to be made.
    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    if options.compression is Compression.NONE or not store.keeps:
        return _made(entries, _Tee(out, also()) if also is not None else out, options, comment)
    found, name = _sought(entries, store, options, comment)
    if found is None:
        out = _Tee(out, also()) if also is not None else out
        return _made_and_kept(entries, out, store, name, options, comment)
    with found.blob:
        found.copy_to(out)
    return found.layer


def kept_layers(
    layers: Sequence[tuple[str, Sequence[Entry]]], store: Store, options: LayerOptions
) -> tuple[StoredLayer, ...] | None:
    """The layers, each of a comment and entries, if all were compressed before; None if one was not.

    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    found: list[StoredLayer] = []
    # The last is the program's: it is the one that most often is new.
    for comment, entries in reversed(layers):
        stored = _sought(entries, store, options, comment)[0] if store.keeps else None
        if stored is None:
            for one in found:
                one.blob.close()
            return None
        found.append(stored)
    return tuple(reversed(found))


def stored_layer(
    entries: Sequence[Entry],
    store: Store,
    options: LayerOptions,
    comment: str,
    begun: Callable[[int], None] = lambda _: None,
) -> StoredLayer | None:
    """The layer of `entries` in the store, made if it is not there yet; None where the store does not take it.

    :param begun: is given the open file that a layer is being written to, from its start to its end.
    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    found, name = _sought(entries, store, options, comment)
    if found is not None:
        return found
    try:
        part = store.begin()
        if part is None:
            return None
        with part, _files(entries, store, options) as files:
            begun(part.descriptor)
            layer = _made(entries, _Part(part), options, comment, files)
            return StoredLayer(layer, _keep(layer, part, store, name, files))
    except StoreError:
        return None


def _made(
    entries: Sequence[Entry], out: Writable, options: LayerOptions, comment: str, files: CompressedFiles | None = None
) -> Layer:
    return write_layer(
        entries,
        out,
        mtime=options.mtime,
        compression=options.compression,
        threads=options.threads,
        progress=options.progress,
        comment=comment,
        files=files,
        sums=options.sums,
    )


@contextmanager
def _files(entries: Sequence[Entry], store: Store, options: LayerOptions) -> Generator[CompressedFiles | None]:
    """What is known of the files of the layer, where that is worth a look: a file alone is found as the layer."""
    large = sum(1 for entry in entries if entry.kind is Kind.FILE and entry.size >= OWN_MEMBERS)
    if options.compression not in GZIP_LEVELS or large <= 1:
        yield None
        return
    from minpack.layers.files import CompressedFiles  # noqa: PLC0415 - for layers of several large files

    with CompressedFiles(store, options.compression) as files:
        yield files


def _sought(
    entries: Sequence[Entry], store: Store, options: LayerOptions, comment: str
) -> tuple[StoredLayer | None, str]:
    """The kept layer, None if there is none that counts; and the name of the record to keep it by."""
    key = _key(entries, options)
    found = _named(entries, store, key, options, comment) if key else None
    if found is not None:
        return found, key
    mark = _mark(entries, options)
    found = _verified(entries, store, mark, options, comment)
    if found is not None and key:
        with suppress(StoreError):
            store.keep_record(key, SCHEMA, _values(found.layer, key))
    return found, key or mark


def _key(entries: Sequence[Entry], options: LayerOptions) -> str:
    """The name of the record of the one layer that can be made so; empty where only reading tells which that is."""
    keys = [key_of(entry.content) if entry.content is not None else None for entry in entries]
    return "" if "" in keys else f"layer-key-{hashlib.sha256(_described(entries, options, keys)).hexdigest()}"


def _described(entries: Sequence[Entry], options: LayerOptions, keys: Sequence[str | None]) -> bytes:
    """All that the layer's bytes depend on but for the contents, of which there are the `keys`: no two alike."""
    import json  # noqa: PLC0415 - where nothing is kept there is nothing to look for

    rows = [
        (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.link, entry.capability.hex(), key)
        for entry, key in zip(entries, keys, strict=True)
    ]
    values = (SCHEMA, __version__, made_by(options.compression), options.mtime, rows)
    # Half characters stand for bytes that are not UTF-8. As they are, two of them are not taken for one whole.
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _mark(entries: Sequence[Entry], options: LayerOptions) -> str:
    """The name of the record of layers that are most likely the same."""
    mark = hashlib.sha256(_described(entries, options, [None] * len(entries)))
    files = (entry.content for entry in entries if entry.kind is Kind.FILE and entry.content is not None)
    for content in sorted(files, key=lambda content: -content.size)[:_MARKED_FILES]:
        with content.open() as reader:
            for at in (0, content.size // 2, content.size - _MARKED_BYTES):
                mark.update(reader.read_at(max(at, 0), _MARKED_BYTES))
    return f"layer-mark-{mark.hexdigest()}"


def _known(store: Store, name: str) -> _Known | None:
    record = store.record(name, SCHEMA)
    try:
        # Nothing else ties what a record says to the layer that is looked for.
        if record is None or record["name"] != name:
            return None
        tarred = Tarred(Digest(str(record["diff_id"])), int(str(record["unpacked_size"])))
        return _Known(tarred, Digest(str(record["digest"])), int(str(record["size"])))
    except (KeyError, ValueError):
        return None


def _named(
    entries: Sequence[Entry], store: Store, name: str, options: LayerOptions, comment: str
) -> StoredLayer | None:
    """The layer of that record; None if there is none, or it is damaged."""
    known = _known(store, name)
    if known is None:
        return None
    found = _stored(known, _blob(store, known), options, comment)
    if found is None or not options.sums:
        return found
    # Nothing else reads the files.
    return found._replace(layer=found.layer._replace(sums=sums_of(entries)))


def _blob(store: Store, known: _Known) -> StoredBlob | None:
    """The verified bytes of a kept layer; None if there are none, or damaged ones."""
    with suppress(StoreError):
        return store.find(known.digest.hex, LAYER).blob
    return None


def _stored(known: _Known, blob: StoredBlob | None, options: LayerOptions, comment: str) -> StoredLayer | None:
    """The layer, if the verified `blob` is the one that is known."""
    if blob is None:
        return None
    if blob.size != known.size:
        blob.close()
        return None
    descriptor = Descriptor(options.compression.media_type, known.digest, known.size)
    return StoredLayer(Layer(descriptor, known.tarred.diff_id, known.tarred.size, comment, known.tarred.sums), blob)


def _verified(
    entries: Sequence[Entry], store: Store, name: str, options: LayerOptions, comment: str
) -> StoredLayer | None:
    """The kept layer; None if there is none, or it is damaged, or was made of something else."""
    known = _known(store, name)
    if known is None:
        return None
    finding = _Finding(store, known)
    try:
        tarred = tar_of(entries, mtime=options.mtime, progress=options.progress, comment=comment, sums=options.sums)
    finally:
        blob = finding.result()
    if blob is not None and tarred._replace(sums=()) != known.tarred:
        blob.close()
        return None
    return _stored(known._replace(tarred=tarred), blob, options, comment)


class _Finding:
    """Finds a kept layer on a thread of its own: it is hashed while the tar is."""

    def __init__(self, store: Store, known: _Known) -> None:
        self._store = store
        self._known = known
        self._blob: StoredBlob | None = None
        self._thread: Thread | None = Thread(target=self._find, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system gives no more threads.
            self._thread = None

    def _find(self) -> None:
        self._blob = _blob(self._store, self._known)

    def result(self) -> StoredBlob | None:
        """The kept layer, which the caller closes; None if there is none."""
        if self._thread is None:
            self._find()
        else:
            self._thread.join()
        return self._blob


def _made_and_kept(
    entries: Sequence[Entry], out: Writable, store: Store, name: str, options: LayerOptions, comment: str
) -> Layer:
    """The layer, made and written to `out`, and to the store as long as that takes it."""
    with _Both(out, store) as both, _files(entries, store, options) as files:
        layer = _made(entries, both, options, comment, files)
        if both.part is not None:
            with suppress(StoreError):
                _keep(layer, both.part, store, name, files).close()
    return layer


def _values(layer: Layer, name: str) -> dict[str, object]:
    """What the record of that name says of the layer."""
    return {
        "name": name,
        "diff_id": layer.diff_id.hex,
        "unpacked_size": layer.unpacked_size,
        "digest": layer.descriptor.digest.hex,
        "size": layer.descriptor.size,
    }


def _keep(layer: Layer, part: Part, store: Store, name: str, files: CompressedFiles | None) -> StoredBlob:
    """Give the written layer its name and its record, its files theirs, and make room for it."""
    blob = part.keep(layer.descriptor.digest.hex, LAYER)
    with suppress(StoreError):
        store.keep_record(name, SCHEMA, _values(layer, name))
        if files is not None:
            files.keep(layer.descriptor)
        from minpack.store.prune import prune  # noqa: PLC0415 - where something was kept

        prune(store)
    return blob


class _Part:
    """Writes into a new file of a store."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._at = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`.

        :raises StoreError: the disk is full or broken.
        """
        self._part.write(data, self._at)
        self._at += len(data)


class _Tee:
    """Writes to both."""

    def __init__(self, first: Writable, second: Writable) -> None:
        self._first = first
        self._second = second

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`."""
        self._first.write(data)
        self._second.write(data)


class _Both:
    """Writes to `out` and into a new file of a store; a store that is full or broken is left alone from then on."""

    def __init__(self, out: Writable, store: Store) -> None:
        self._out = out
        self._at = 0
        self.part: Part | None = None
        with suppress(StoreError):
            self.part = store.begin()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` to both."""
        self._out.write(data)
        if self.part is None:
            return
        try:
            self.part.write(data, self._at)
            self._at += len(data)
        except StoreError:
            self._give_up()
        if self._at > MOST_LAYER_BYTES:
            self._give_up()

    def _give_up(self) -> None:
        if self.part is not None:
            self.part.close()
            self.part = None

    def __enter__(self) -> _Both:
        return self

    def __exit__(self, *exc: object) -> None:
        self._give_up()
