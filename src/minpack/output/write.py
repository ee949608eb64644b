"""Writing what was planned: as an archive, a layout, a bare tar or a directory, into an engine and to registries."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING

from minpack.content import FileContent
from minpack.errors import InputError, StoreError
from minpack.host.atomic import new_directory, new_file, opened_directly
from minpack.host.overwrite import HostInput, as_output_error, file_place
from minpack.layers.background import LEAST_BYTES
from minpack.layers.cache import kept_layers, setting_of, write_kept_layer
from minpack.namedtuple import NamedTuple
from minpack.oci.archive import ArchiveSink
from minpack.oci.compression import Compression
from minpack.oci.image import build_image, build_index, list_artifacts, put_index
from minpack.oci.layer import Layer, write_tar
from minpack.oci.layout import LayoutSink, blob_path
from minpack.oci.mediatypes import ATTESTATIONS, LAYER
from minpack.output.target import Format, WrittenOutput, WrittenTarget
from minpack.store.store import open_store
from minpack.target import best_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from minpack.content import Reader
    from minpack.digest import Digest
    from minpack.host.atomic import NewDirectory
    from minpack.layers.background import BackgroundLayers
    from minpack.layers.cache import LayerOptions, StoredLayer
    from minpack.oci.documents import Blob, ImageConfig
    from minpack.oci.image import Artifact, BuiltImage, Index, Sink, StreamingSink
    from minpack.oci.on import LowerImage
    from minpack.oci.reference import Reference
    from minpack.oci.shared_layout import SharedLayoutSink
    from minpack.output.beside import BesideFiles
    from minpack.output.digest_file import DigestFile
    from minpack.output.engine import EngineSink, MachineSink
    from minpack.output.registry import RegistrySink
    from minpack.output.target import AcceptStep, OutputSpec
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.store.store import Store
    from minpack.target import Platform


COPY_SIZE = 1 << 20


class LayerInputs(NamedTuple):
    """What is to be written: the layers' entries from the lowest up, each with its comment, and how they are made."""

    layers: tuple[tuple[str, tuple[Entry, ...]], ...]
    entries: tuple[Entry, ...]
    config: ImageConfig
    options: LayerOptions
    #: The directory of the store that compressed layers are kept in and taken from, None for none.
    store: str | None = None
    #: The layers that were begun already, if any were.
    background: BackgroundLayers | None = None
    #: The image that it is put on, if it is on one.
    lower: LowerImage | None = None
    #: The image whose configuration stays as it is, if it is one that is written again.
    before: BuiltImage | None = None
    #: All layers as they were compressed before; empty where that is not known yet.
    kept: tuple[StoredLayer, ...] = ()


class WrittenImages(NamedTuple):
    """The images that were written, in the order of `built`, and the layers of each as they were written."""

    built: Index
    layers: tuple[tuple[Layer, ...], ...]
    #: What an index says of itself.
    annotations: Mapping[str, str] = {}

    def listing(self, listed: Sequence[Artifact]) -> Index:
        """The same images in an index that lists these artifacts behind them."""
        return list_artifacts(self.built, listed, self.annotations)


def write_output(
    works: tuple[LayerInputs, ...],
    to: OutputSpec,
    artifacts_of: Callable[[WrittenImages], Sequence[Artifact]] | None = None,
) -> tuple[WrittenOutput, ...]:
    """Write everything to where it goes; what is there before is untouched unless all went well.

    :param works: an image for each platform, in the order of their platforms' names; a file system has one.
    :param artifacts_of: makes the artifacts about the images, which go along to wherever they are kept.
    :returns: what was written, for each image in this order.
    :raises OutputError: a target cannot be written.
    :raises EngineError: an engine does not take the image.
    :raises RegistryError: a registry does not take it.
    :raises ChangedInputError: an input changed since it was planned.
    """
    if len(works) > 1 and to.path is None and to.registry is None:
        return _write_one_of(works, to)
    digest, beside = _digest_file(works, to), _beside_files(works, to)
    with _opened(to) as ready:
        if not ready.format.has_layers:
            (work,) = works
            return ((_write_rootfs if ready.format is Format.ROOTFS else _write_bare_tar)(work, ready),)
        store, note = _open_layers(works[0])
        with store, ExitStack() as kept:
            settled = tuple(kept.enter_context(_settled(work, ready, store)) for work in works)
            write = _write_layout if ready.format is Format.OCI else _write_archive
            written = write(settled, ready, store, artifacts_of)
    if digest is not None and written[0].digest is not None:
        digest.write(written[0].digest)
    if beside is not None and written[0].built is not None:
        more = beside.write(written[0].built)
        written = tuple(one._replace(outputs=one.outputs + more) for one in written)
    return tuple(one._replace(notes=(*one.notes, note)) for one in written) if note else written


def _digest_file(works: Sequence[LayerInputs], to: OutputSpec) -> DigestFile | None:
    """The file for the digest, if one is wanted; that it can be written is known before all else is."""
    if to.digest_file is None:
        return None
    from minpack.output.digest_file import DigestFile, check_apart  # noqa: PLC0415 - where one is wanted

    check_apart(to.digest_file, to.path, to.stdout)
    return DigestFile(to.digest_file, _inputs(works, to), force=to.force)


def _beside_files(works: Sequence[LayerInputs], to: OutputSpec) -> BesideFiles | None:
    """The files for documents about the image, if some are wanted; that they can be written is known before."""
    if not to.beside:
        return None
    from minpack.output.beside import BesideFiles  # noqa: PLC0415 - where some are wanted

    return BesideFiles(to.beside, _inputs(works, to), force=to.force)


def _write_one_of(works: tuple[LayerInputs, ...], to: OutputSpec) -> tuple[WrittenOutput, ...]:
    """Write what alone is wanted: the image that an engine of this machine runs."""
    platforms = [work.config.platform for work in works]
    at = platforms.index(_loaded(platforms, to))
    (written,) = write_output((works[at],), to)
    unwritten = written._replace(layers=(), sums={}, sha1={}, number=None)
    return tuple(written if number == at else unwritten for number in range(len(works)))


def _loaded(platforms: Sequence[Platform], to: OutputSpec) -> Platform:
    """Of several platforms, the one whose image an engine is given."""
    found = best_platform(to.machine, platforms) if to.machine is not None else None
    assert found is not None, "internal error: no image is for this machine"
    return found


@contextmanager
def _opened(to: OutputSpec) -> Generator[OutputSpec]:
    """`to` with its directory made; a device or a pipe, which is written to as it is, is open as its `stdout`."""
    if to.path in (None, "-") or to.format.is_directory:
        yield to
        return
    # What it may replace is looked at again when its place is taken.
    if file_place(to.path, force=to.force).direct:
        with opened_directly(to.path) as out:
            yield to._replace(stdout=out)
        return
    with _directory_made(to):
        yield to


@contextmanager
def _directory_made(to: OutputSpec) -> Generator[None]:
    """The directory of `to.path`, made if that is wanted and gone again if nothing comes of it."""
    directory = os.path.dirname(to.path or "")
    made = False
    try:
        if to.makes_directory:
            with as_output_error(to.path or directory), suppress(FileExistsError):
                os.mkdir(directory)
                made = True
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                os.rmdir(directory)
        raise


def _open_layers(work: LayerInputs) -> tuple[Store, str]:
    """The store for the layers, and why it is none: an image can be made without."""
    try:
        return open_store(work.store), ""
    except StoreError as error:
        return open_store(None), f"compressed layers were not cached: {error.message}"


@contextmanager
def _settled(work: LayerInputs, to: OutputSpec, store: Store) -> Generator[LayerInputs]:
    """`work` with its kept layers where compressing may be left out, or without compression if some are not kept."""
    if not to.may_skip_compression:
        yield work
        return
    kept = kept_layers(work.layers, store, work.options)
    if kept is None:
        yield work._replace(options=work.options._replace(compression=Compression.NONE))
        return
    with ExitStack() as stack:
        for one in kept:
            stack.enter_context(one.blob)
        yield work._replace(kept=kept)


def write_images(
    works: Sequence[LayerInputs],
    sinks: tuple[StreamingSink, *tuple[Sink, ...]],
    references: Sequence[Reference],
    store: Store,
    registry: RegistrySink | None = None,
    artifacts_of: Callable[[WrittenImages], Sequence[Artifact]] | None = None,
    accept: AcceptStep | None = None,
) -> WrittenImages:
    """Write the images into all sinks: each layer streams into the first as it is made, and is read there again.

    :param registry: a sink that gets each layer at once, and a new one while it is made.
    :param artifacts_of: as `write_output` has it.
    :param accept: as `OutputSpec` has it.
    """
    # What may yet be refused is sent nowhere.
    made = [_write_image(work, sinks[0], store, registry if accept is None else None) for work in works]
    # Registries show what the index has: what is said of all images. Those below may have labels that differ.
    first, *others = (work.config.all_annotations.items() for work in works)
    common = {key: value for key, value in first if all((key, value) in one for one in others)}
    index = build_index([image for image, _ in made], annotations=common)
    written = WrittenImages(index, tuple(layers for _, layers in made), common)
    if accept is not None:
        for work in works:
            if work.background is not None:
                work.background.finish()
        accept(index, written.layers)
    if artifacts_of is not None:
        artifacts = artifacts_of(written)
        listed = [one for one in artifacts if one.descriptor.artifact_type == ATTESTATIONS]
        index = (written.listing(listed) if listed else index).with_artifacts(artifacts)
    for sink in (*sinks, *((registry,) if registry is not None else ())):
        put_index(index, sink, references)
    return written._replace(built=index)


def _write_image(
    work: LayerInputs, first: StreamingSink, store: Store, registry: RegistrySink | None
) -> tuple[BuiltImage, tuple[Layer, ...]]:
    """The image, its layers in `first`, and what writing showed of those."""
    layers: list[Layer] = []
    blobs: list[Blob] = []
    for number, (comment, entries) in enumerate(work.layers):
        out = first.begin_blob()
        if work.kept:
            work.kept[number].copy_to(out)
            layer = work.kept[number].layer
        else:
            # What is made in a moment is sent when it is made: that keeps nobody from sending what takes longer.
            is_large = sum(entry.size for entry in entries) >= LEAST_BYTES
            also = registry.begin_blob if registry is not None and is_large else None
            early = work.background.take(entries, out, work.options, also) if work.background is not None else None
            layer = early if early is not None else write_kept_layer(entries, out, store, work.options, comment, also)
        blobs.append(first.end_blob(layer.descriptor))
        if registry is not None:
            registry.end_blob(layer.descriptor)
            registry.put(blobs[-1])
        layers.append(layer)
        if work.options.shared is not None and work.options.compression is not Compression.NONE:
            work.options.shared.note_layer(setting_of(work.options.compression), layer)
    if work.before is not None:
        from minpack.oci.again import build_image_again  # noqa: PLC0415 - for finished images alone

        return build_image_again(work.before, layers, work.config, blobs), tuple(layers)
    if work.lower is None:
        return build_image(layers, work.config, blobs), tuple(layers)
    from minpack.oci.on import build_image_on  # noqa: PLC0415 - for --on alone

    return build_image_on(work.lower, layers, work.config, blobs), tuple(layers)


def _write_archive(
    works: Sequence[LayerInputs],
    to: OutputSpec,
    store: Store,
    artifacts_of: Callable[[WrittenImages], Sequence[Artifact]] | None,
) -> tuple[WrittenOutput, ...]:
    """The archive is written once; engine and registries get the bytes that were written."""
    spooled, progress = to.path is None or to.stdout is not None, works[0].options.progress
    with _spool(to.temporary) if spooled else _new_file(works, to) as out, _registry(to, progress) as registry:
        archive = ArchiveSink(out, to.path or "the engine")
        with _engine_of(works, to, archive, out) as engines:
            written = write_images(works, (archive, *engines), to.references, store, registry, artifacts_of, to.accept)
        size = out.seek(0, os.SEEK_END)
        if to.stdout is not None:
            _copy(out, to.stdout, to)
    path = to.path
    if path is None or spooled:
        index = written.built.stored(lambda one: _NotKept(path or "the engine", one.size))
    else:
        index = written.built.stored(lambda one: FileContent(path, one.size, archive.start_of(one.digest)))
    return _output_of(written._replace(built=index), to, size, engines, registry)


def _write_layout(
    works: Sequence[LayerInputs],
    to: OutputSpec,
    store: Store,
    artifacts_of: Callable[[WrittenImages], Sequence[Artifact]] | None,
) -> tuple[WrittenOutput, ...]:
    path = to.path
    assert path is not None, "internal error: a layout needs a path"
    with ExitStack() as stack:
        engines = stack.enter_context(_engine_of(works, to))
        writer, made = _layout(works, to, stack)
        registry = stack.enter_context(_registry(to, works[0].options.progress))
        written = write_images(works, (writer, *engines), to.references, store, registry, artifacts_of, to.accept)
    index = written.built.stored(lambda one: FileContent(os.path.join(path, blob_path(one.digest)), one.size))
    size = sum(blob.descriptor.size for blob in index.blobs)
    return _output_of(written._replace(built=index), to, size, engines, registry, _leftover(made) if made else ())


def _layout(
    works: Sequence[LayerInputs], to: OutputSpec, stack: ExitStack
) -> tuple[LayoutSink | SharedLayoutSink, NewDirectory | None]:
    """What writes a layout: to a new directory, which takes its place in the end, or into the one that is there."""
    path = to.path
    assert path is not None, "internal error: a layout needs a path"
    if to.shared:
        from minpack.oci.shared_layout import SharedLayoutSink  # noqa: PLC0415 - for several images alone

        stack.enter_context(as_output_error(path))
        return stack.enter_context(SharedLayoutSink(path)), None
    made = stack.enter_context(new_directory(path, _inputs(works, to), force=to.force))
    return stack.enter_context(LayoutSink(made.path)), made


def _output_of(
    written: WrittenImages,
    to: OutputSpec,
    size: int,
    engines: Sequence[EngineSink | MachineSink],
    registry: RegistrySink | None,
    notes: tuple[str, ...] = (),
) -> tuple[WrittenOutput, ...]:
    # Layers that nobody asked to leave as they are: no registry will have them, unless the engine pushes them so.
    made = [layer for layers in written.layers for layer in layers]
    skipped = to.may_skip_compression and all(one.descriptor.media_type == LAYER for one in made)
    digest: Digest | None = written.built.digest
    if skipped and all(engine.image_id != str(digest) for engine in engines):
        digest = None
    outputs = (WrittenTarget(to.format, to.path, None, digest),) if to.path is not None else ()
    pushed = registry.pushed(written.built) if registry is not None else ()
    notes = (*notes, *registry.notes) if registry is not None else notes
    # Of several platforms, an engine was given one.
    loaded = tuple(
        WrittenTarget("engine", None, one.familiar, engine.digest if digest is not None else None, engine=engine.engine)
        for engine in engines
        for one in to.references
    )
    whole = WrittenOutput(written.built, outputs + loaded + pushed, size, notes, references=to.references)
    return tuple(
        whole._replace(
            layers=layers,
            sums=dict(one for layer in layers for one in layer.sums),
            sha1=dict(one for layer in layers for one in layer.sha1),
            number=number,
        )
        for number, layers in enumerate(written.layers)
    )


class _NotKept(NamedTuple):
    """The bytes of a blob that went somewhere from where they are not read again."""

    where: str
    size: int

    def open(self) -> Reader:
        """There is nothing to open.

        :raises InputError: always.
        """
        raise InputError(self.where, "what was sent there is not kept", hint="write a file with -o")


def _write_bare_tar(work: LayerInputs, to: OutputSpec) -> WrittenOutput:
    assert to.path is not None, "internal error: a tar needs a path"
    mtime = work.options.mtime
    if to.stdout is not None:
        with as_output_error(to.path):
            layer = write_tar(
                work.entries, to.stdout, mtime=mtime, progress=work.options.progress, sums=work.options.sums
            )
            to.stdout.flush()
    else:
        with _new_file((work,), to) as out:
            layer = write_tar(work.entries, out, mtime=mtime, progress=work.options.progress, sums=work.options.sums)
    output = WrittenTarget(to.format, to.path, None, layer.diff_id)
    return WrittenOutput(None, (output,), layer.unpacked_size, sums=dict(layer.sums))


def _write_rootfs(work: LayerInputs, to: OutputSpec) -> WrittenOutput:
    from minpack.rootfs.directory import write_directory  # noqa: PLC0415

    assert to.path is not None, "internal error: a rootfs needs a path"
    owners = os.geteuid() == 0
    with new_directory(to.path, _inputs((work,), to), force=to.force) as made:
        mtime = work.options.mtime
        sums: dict[RootPath, str] = {}
        without = write_directory(
            *(work.entries, made.path),
            mtime=mtime,
            owners=owners,
            progress=work.options.progress,
            sums=sums if work.options.sums else None,
        )
    others = any((entry.uid, entry.gid) != (os.getuid(), os.getgid()) for entry in work.entries)
    notes = ("files belong to you, because only root can set owners; --format tar keeps them",)
    lost = (_without_capabilities(without),) if without else ()
    size = sum(entry.size for entry in work.entries)
    output = WrittenTarget(to.format, to.path, None, None)
    notes = (*_leftover(made), *(notes if others and not owners else ()), *lost)
    return WrittenOutput(None, (output,), size, notes, sums=sums)


def _without_capabilities(paths: tuple[RootPath, ...]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more} could not be given file capabilities, which only root can do; --format tar keeps them"


def _new_file(works: Sequence[LayerInputs], to: OutputSpec) -> AbstractContextManager[IO[bytes]]:
    assert to.path is not None, "internal error: a file needs a path"
    return new_file(to.path, _inputs(works, to), force=to.force)


def _inputs(works: Sequence[LayerInputs], to: OutputSpec) -> Iterator[HostInput]:
    """All that must not be replaced: what is known to be an input, and each file of the host that is packed."""
    yield from to.inputs
    for entry in (entry for work in works for entry in work.entries):
        if isinstance(entry.content, FileContent):
            yield HostInput(entry.content.where, "a file that is packed")


def _leftover(made: NewDirectory) -> tuple[str, ...]:
    return (f"what was there before could not be removed: {made.leftover!r}",) if made.leftover else ()


@contextmanager
def _engine_of(
    works: Sequence[LayerInputs], to: OutputSpec, archive: ArchiveSink | None = None, out: IO[bytes] | None = None
) -> Generator[tuple[EngineSink | MachineSink, ...]]:
    """The engine to load into, if there is one, by way of `archive` in `out`, or of one that is not kept.

    Of several platforms it takes the image of this machine's: not all engines look for it by themselves.
    """
    if to.engine is None:
        yield ()
        return
    from minpack.output.engine import EngineSink, MachineSink  # noqa: PLC0415

    progress = works[0].options.progress
    if archive is not None and out is not None and len(works) == 1:
        yield (EngineSink(archive, out, to.engine, progress, shared=True, engine=to.engine_name),)
        return
    with _spool(to.temporary) as spool:
        own = ArchiveSink(spool, "the engine")
        engine = EngineSink(own, spool, to.engine, progress, shared=False, engine=to.engine_name)
        platforms = [work.config.platform for work in works]
        yield (MachineSink(engine, _loaded(platforms, to)) if len(works) > 1 else engine,)


@contextmanager
def _registry(to: OutputSpec, progress: Progress) -> Generator[RegistrySink | None]:
    """The registries to push to, if there are some."""
    if to.registry is None:
        yield None
        return
    from minpack.output.registry import RegistrySink  # noqa: PLC0415 - for --push alone

    sink = RegistrySink(
        *(to.registry, to.references, progress), asks_replaced=to.asks_replaced, before_names=to.before_names
    )
    with sink:
        yield sink


@contextmanager
def _spool(directory: str) -> Generator[IO[bytes]]:
    """A file without a name: nothing is left of it, however the process ends."""
    with as_output_error(directory, "set TMPDIR to a directory that has space"), _unnamed(directory) as out:
        yield out


def _unnamed(directory: str) -> IO[bytes]:
    try:
        # As tempfile does, which takes long to import (open(2), "O_TMPFILE").
        descriptor = os.open(directory, os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):
        from tempfile import TemporaryFile  # noqa: PLC0415 - where the system has no such files

        return TemporaryFile(dir=directory)
    return os.fdopen(descriptor, "w+b")


def _copy(archive: IO[bytes], out: IO[bytes], to: OutputSpec) -> None:
    archive.seek(0)
    with as_output_error(to.path or "-"):
        while chunk := archive.read(COPY_SIZE):
            out.write(chunk)
        out.flush()
