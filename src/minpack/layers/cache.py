"""Layers that were compressed before, kept by what is in them: a second pack of the same compresses nothing.

Where every content has a key, which fixes its bytes, the layer has one too: the SHA-256 of all that its bytes depend
on. What is found by that is the layer. Any other is looked for by its mark, which costs little: what is known of the
entries, and a few bytes of the largest files. What is found counts only if the layer's tar has the diff ID that the
kept one was made of. Either way the kept bytes must have their digest. So what is kept never changes a result.

What the store does not have may be in a shared cache, by the layer's diff ID: `minpack.shared.cache`.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import MinpackError, StoreError
from minpack.layers.keys import SCHEMA, contents_of, layer_key, layer_mark, summed_key
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import GZIP_LEVELS, OWN_MEMBERS
from minpack.oci.compression import Compression
from minpack.oci.documents import Descriptor
from minpack.oci.layer import Layer, Tarred, tar_of, write_layer
from minpack.rootfs.entry import Kind
from minpack.store.blob import LAYER
from minpack.store.store import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import TypeAlias

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.layers.early import EarlyFiles
    from minpack.layers.files import CompressedFiles
    from minpack.layers.sums import KeptSums
    from minpack.oci.compress import FileCache
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.shared.cache import SharedCache
    from minpack.shared.files import SharedFiles
    from minpack.shared.names import LayerSetting
    from minpack.store.blob import StoredBlob
    from minpack.store.part import Part
    from minpack.store.store import Store

    #: What is known of the files of a layer.
    _Files: TypeAlias = CompressedFiles | SharedFiles | None

#: No layer that takes more of the store than this is kept: it would push out all others.
MOST_LAYER_BYTES = MOST_BYTES // 4
_PIECE = 1 << 20


class LayerOptions(NamedTuple):
    """How a layer is made."""

    mtime: int
    compression: Compression
    threads: int
    progress: Progress
    #: Whether the SHA-256 of each file is wanted, and whether its SHA-1 is too.
    sums: bool = False
    sha1: bool = False
    #: What is asked for layers and files that the store does not have; None for nothing.
    shared: SharedCache | None = None


class StoredLayer(NamedTuple):
    """A layer and its verified bytes, which whoever gets it closes.

    `origin` is the shared cache that says how the layer, or a file in it, is compressed; empty for what was compressed
    here.
    """

    layer: Layer
    blob: StoredBlob
    origin: str = ""

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
    origin: str = ""


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
    if options.compression is Compression.NONE or not (store.keeps or options.shared is not None):
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
        looks = store.keeps or options.shared is not None
        stored = _sought(entries, store, options, comment)[0] if looks else None
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
    early: EarlyFiles | None = None,
) -> StoredLayer | None:
    """The layer of `entries` in the store, made if it is not there yet; None where the store does not take it.

    :param begun: is given the open file that a layer is being written to, from its start to its end.
    :param early: what was worked on already; it settles.
    :raises ChangedInputError: a file is shorter than when it was planned.
    :raises InputError: a file cannot be read.
    """
    found, name = _sought(entries, store, options, comment, early)
    if found is not None:
        return found
    try:
        part = store.begin()
        if part is None:
            return None
        with part, _files(entries, store, options, early) as files:
            begun(part.descriptor)
            layer = _made(entries, _Part(part), options, comment, files)
            return StoredLayer(layer, _keep(entries, layer, part, store, name, options, files), _origin(files))
    except StoreError:
        return None


def _made(entries: Sequence[Entry], out: Writable, options: LayerOptions, comment: str, files: _Files = None) -> Layer:
    layer = _compressed(entries, out, options, comment, files)
    if options.shared is not None and options.compression is not Compression.NONE:
        options.shared.note_made(layer.unpacked_size, getattr(files, "known", 0), getattr(files, "files", 0))
    return layer


def _compressed(
    entries: Sequence[Entry], out: Writable, options: LayerOptions, comment: str, files: FileCache | None
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
        sha1=options.sha1,
    )


@contextmanager
def _files(
    entries: Sequence[Entry], store: Store, options: LayerOptions, early: EarlyFiles | None = None
) -> Generator[_Files]:
    """What is known of the files of the layer, where that is worth a look: a file alone is found as the layer."""
    if early is not None and early.files is not None:
        yield early.files
        return
    large = sum(1 for entry in entries if entry.kind is Kind.FILE and entry.size >= OWN_MEMBERS)
    if options.compression not in GZIP_LEVELS or large <= 1:
        yield None
        return
    from minpack.layers.files import CompressedFiles  # noqa: PLC0415 - for layers of several large files

    with CompressedFiles(store, options.compression) as files:
        if options.shared is None:
            yield files
            return
        with options.shared.files(entries, files, setting_of(options.compression), store.draft) as shared:
            yield shared


def _origin(files: _Files) -> str:
    """The shared cache that files were taken from; empty if none was."""
    return getattr(files, "origin", "")


def setting_of(compression: Compression) -> LayerSetting:
    """All that decides what the tar of a layer is compressed to."""
    from minpack.shared.names import layer_setting  # noqa: PLC0415 - for shared caches alone

    return layer_setting(SCHEMA, compression)


def _sought(
    entries: Sequence[Entry], store: Store, options: LayerOptions, comment: str, early: EarlyFiles | None = None
) -> tuple[StoredLayer | None, str]:
    """The kept layer, None if there is none that counts; and the name of the record to keep it by."""
    key = layer_key(entries, options.compression, options.mtime)
    found = _named(entries, store, key, options, comment) if key else None
    if found is not None:
        return _checked(found, entries, store, key, options), key
    if early is not None and early.settle(contents_of(entries)) and early.files and not key:
        summed = summed_key(entries, options.compression, options.mtime, early.files.sums)
        found = _named(entries, store, summed, options, comment, early) if summed else None
        if found is not None:
            return found, summed
    mark = layer_mark(entries, options.compression, options.mtime)
    found = _verified(entries, store, mark, options, comment)
    taken = None
    if found is None and options.shared is not None:
        found = taken = _shared(entries, store, options, comment)
    name = key or mark
    if found is not None and (key or taken is not None):
        with suppress(StoreError):
            store.keep_record(name, SCHEMA, _values(found.layer, name, found.origin))
        if taken is not None:
            _keep_sums(entries, taken.layer, store, options)
    return _checked(found, entries, store, name, options) if found is not None else None, name


def _shared(entries: Sequence[Entry], store: Store, options: LayerOptions, comment: str) -> StoredLayer | None:
    """The layer from a shared cache, which the store keeps then; None if none has it."""
    shared = options.shared
    assert shared is not None, "internal error: there is no shared cache"
    wanted = {"sums": options.sums, "sha1": options.sha1}
    tarred = tar_of(entries, mtime=options.mtime, progress=options.progress, comment=comment, **wanted)
    setting = setting_of(options.compression)
    with suppress(StoreError):
        taken = shared.find_layer(tarred.diff_id, tarred.size, setting, store.draft, options.progress)
        if taken is not None:
            known = _Known(tarred, Digest(taken.blob.sha256), taken.blob.size, taken.origin)
            from minpack.store.prune import prune  # noqa: PLC0415 - where something was kept

            prune(store)
            return _stored(known, taken.blob, options, comment)
    return None


def _checked(
    found: StoredLayer, entries: Sequence[Entry], store: Store, name: str, options: LayerOptions
) -> StoredLayer:
    """The layer; what only a shared cache says of it is verified, if that is wanted.

    :raises SumMismatchError: minpack compresses it to something else.
    """
    if not found.origin or options.shared is None or not options.shared.verifies:
        return found
    from minpack.shared.verify import ComparedLayer  # noqa: PLC0415 - for this option alone

    try:
        paths = {id(entry.content): str(entry.path) for entry in entries if entry.content is not None}
        again = ComparedLayer(found.blob, setting_of(options.compression), paths)
        made = _compressed(entries, again, options, found.layer.comment, again)
        options.shared.note_made(made.unpacked_size)
        again.check(found.origin, found.layer.comment)
    except BaseException:
        found.blob.close()
        raise
    with suppress(StoreError):
        store.keep_record(name, SCHEMA, _values(found.layer, name))
    return found._replace(origin="")


def _known(store: Store, name: str) -> _Known | None:
    record = store.record(name, SCHEMA)
    try:
        # Nothing else ties what a record says to the layer that is looked for.
        if record is None or record["name"] != name:
            return None
        tarred = Tarred(Digest(str(record["diff_id"])), int(str(record["unpacked_size"])))
        return _Known(tarred, Digest(str(record["digest"])), int(str(record["size"])), str(record.get("origin", "")))
    except (KeyError, ValueError):
        return None


def _named(
    entries: Sequence[Entry],
    store: Store,
    name: str,
    options: LayerOptions,
    comment: str,
    early: EarlyFiles | None = None,
) -> StoredLayer | None:
    """The layer of that record; None if there is none, or it is damaged."""
    known = _known(store, name)
    if known is None:
        return None
    blob = early.take_blob(known.digest.hex) if early is not None else None
    found = _stored(known, blob or _blob(store, known), options, comment)
    if found is None or not options.sums:
        return found
    from minpack.layers.sums import file_sums  # noqa: PLC0415 - where sums are wanted

    sums = file_sums(store, found.layer.diff_id, entries, sha1=options.sha1)
    return found._replace(layer=found.layer._replace(sums=sums.sha256, sha1=sums.sha1))


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
    tarred = known.tarred
    layer = Layer(descriptor, tarred.diff_id, tarred.size, comment, tarred.sums, tarred.sha1)
    return StoredLayer(layer, blob, known.origin)


def _verified(
    entries: Sequence[Entry], store: Store, name: str, options: LayerOptions, comment: str
) -> StoredLayer | None:
    """The kept layer; None if there is none, or it is damaged, or was made of something else."""
    known = _known(store, name)
    if known is None:
        return None
    finding = _Finding(store, known)
    try:
        # They are what the files have only if the tar turns out to be the one that is known.
        sums = _kept_sums(entries, store, known, options)
        wanted = {"sums": options.sums and sums is None, "sha1": options.sha1 and sums is None}
        tarred = tar_of(entries, mtime=options.mtime, progress=options.progress, comment=comment, **wanted)
    finally:
        blob = finding.result()
    if blob is not None and tarred._replace(sums=(), sha1=()) != known.tarred:
        blob.close()
        return None
    if sums is not None:
        tarred = tarred._replace(sums=sums.sha256, sha1=sums.sha1)
    found = _stored(known._replace(tarred=tarred), blob, options, comment)
    if found is not None and sums is None:
        _keep_sums(entries, found.layer, store, options)
    return found


def _kept_sums(entries: Sequence[Entry], store: Store, known: _Known, options: LayerOptions) -> KeptSums | None:
    """The sums that are kept of the files of that layer; None if there are none, or none are wanted."""
    if not options.sums:
        return None
    from minpack.layers.sums import kept_sums  # noqa: PLC0415 - where sums are wanted

    return kept_sums(store, known.tarred.diff_id, entries, sha1=options.sha1)


def _keep_sums(entries: Sequence[Entry], layer: Layer, store: Store, options: LayerOptions) -> None:
    """Keep the sums of the layer's files, if they were wanted."""
    if options.sums:
        from minpack.layers.sums import KeptSums, keep_sums  # noqa: PLC0415 - where sums are wanted

        keep_sums(store, layer.diff_id, entries, KeptSums(layer.sums, layer.sha1), sha1=options.sha1)


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
                _keep(entries, layer, both.part, store, name, options, files).close()
    return layer


def _values(layer: Layer, name: str, origin: str = "") -> dict[str, object]:
    """What the record of that name says of the layer."""
    return {
        **({"origin": origin} if origin else {}),
        "name": name,
        "diff_id": layer.diff_id.hex,
        "unpacked_size": layer.unpacked_size,
        "digest": layer.descriptor.digest.hex,
        "size": layer.descriptor.size,
    }


def _keep(
    entries: Sequence[Entry],
    layer: Layer,
    part: Part,
    store: Store,
    name: str,
    options: LayerOptions,
    files: _Files,
) -> StoredBlob:
    """Give the written layer its name and its records, its files theirs, and make room for it."""
    blob = part.keep(layer.descriptor.digest.hex, LAYER)
    with suppress(MinpackError):
        store.keep_record(name, SCHEMA, _values(layer, name, _origin(files)))
        _keep_sums(entries, layer, store, options)
        if files is not None:
            files.keep(layer.descriptor)
            sums: Mapping[Content, str] = getattr(files, "sums", {})
            summed = summed_key(entries, options.compression, options.mtime, sums) if sums else ""
            if summed and summed != name:
                store.keep_record(summed, SCHEMA, _values(layer, summed))
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
