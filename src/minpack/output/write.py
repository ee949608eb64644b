"""Writing what was planned: as an archive, a layout, a bare tar or a directory, and into an engine."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from minpack.content import FileContent
from minpack.errors import StoreError
from minpack.host.atomic import new_directory, new_file, opened_directly
from minpack.host.overwrite import HostInput, as_output_error, file_place
from minpack.layers.cache import LayerOptions, write_kept_layer
from minpack.namedtuple import NamedTuple
from minpack.oci.archive import ArchiveWriter
from minpack.oci.image import build_image
from minpack.oci.layer import write_tar
from minpack.oci.layout import LayoutWriter
from minpack.output.target import Format, WrittenOutput, WrittenTarget
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    from minpack.digest import Writable
    from minpack.host.atomic import NewDirectory
    from minpack.layers.background import BackgroundLayer
    from minpack.oci.compression import Compression
    from minpack.oci.documents import Descriptor, ImageConfig
    from minpack.oci.image import Image
    from minpack.oci.reference import Reference
    from minpack.output.target import OutputSpec
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.store.store import Store

    class BlobWriter(Protocol):
        """Takes the blobs of an image, then the image."""

        def begin_blob(self) -> Writable:
            """Where to write the next blob."""

        def end_blob(self, descriptor: Descriptor) -> None:
            """The blob is whole."""

        def finish(self, image: Image) -> None:
            """All blobs are there."""


COPY_SIZE = 1 << 20


class LayerInputs(NamedTuple):
    """What is to be written: the layers' entries from the lowest up, each with its comment, and how."""

    layers: tuple[tuple[str, tuple[Entry, ...]], ...]
    entries: tuple[Entry, ...]
    config: ImageConfig
    compression: Compression
    threads: int
    progress: Progress
    #: The directory of the store that compressed layers are kept in and taken from, None for none.
    store: str | None = None
    #: The layer that was begun already, if any was.
    ahead: BackgroundLayer | None = None


def write_output(work: LayerInputs, to: OutputSpec) -> WrittenOutput:
    """Write everything to where it goes; what is there before is untouched unless all went well.

    :raises OutputError: a target cannot be written.
    :raises EngineError: an engine does not take the image.
    :raises ChangedInputError: an input changed since it was planned.
    """
    with _opened(to) as ready:
        if ready.format is Format.ROOTFS:
            return _deliver_rootfs(work, ready)
        if ready.format is Format.TAR:
            return _deliver_tar(work, ready)
        store, note = _open_layers(work)
        with store:
            delivered = (_deliver_layout if ready.format is Format.OCI else _deliver_archive)(work, ready, store)
        return delivered._replace(notes=(*delivered.notes, note)) if note else delivered


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
        return open_store(None), f"compressed layers are not kept: {error.message}"


def write_image(work: LayerInputs, references: tuple[Reference, ...], writer: BlobWriter, store: Store) -> Image:
    """Write all blobs of the image, then its documents."""
    layers = []
    how = LayerOptions(work.config.created, work.compression, work.threads, work.progress)
    for comment, entries in work.layers:
        out = writer.begin_blob()
        layer = work.ahead.take(entries, out, how) if work.ahead is not None else None
        if layer is None:
            layer = write_kept_layer(entries, out, store, how, comment)
        writer.end_blob(layer.descriptor)
        layers.append(layer)
    image = build_image(layers, work.config, references)
    writer.finish(image)
    return image


def _deliver_archive(work: LayerInputs, to: OutputSpec, store: Store) -> WrittenOutput:
    """The archive is written once; the engine gets the bytes that were written."""
    with _spool(to.temporary) if to.path is None or to.stdout is not None else _new_file(work, to) as out:
        image = write_image(work, to.references, ArchiveWriter(out), store)
        size = out.seek(0, os.SEEK_END)
        loaded = _load(out, size, image, to, work.progress)
        if to.stdout is not None:
            _copy(out, to.stdout, to)
    outputs = (WrittenTarget(to.format, to.path, None, image.digest),) if to.path is not None else ()
    return WrittenOutput(image, outputs + loaded, size)


def _deliver_layout(work: LayerInputs, to: OutputSpec, store: Store) -> WrittenOutput:
    assert to.path is not None, "internal error: a layout needs a path"
    with new_directory(to.path, _inputs(work, to), force=to.force) as made, LayoutWriter(made.path) as writer:
        image = write_image(work, to.references, writer, store)
    return WrittenOutput(image, (WrittenTarget(to.format, to.path, None, image.digest),), image.size, _leftover(made))


def _deliver_tar(work: LayerInputs, to: OutputSpec) -> WrittenOutput:
    assert to.path is not None, "internal error: a tar needs a path"
    mtime = work.config.created
    if to.stdout is not None:
        with as_output_error(to.path):
            layer = write_tar(work.entries, to.stdout, mtime=mtime, progress=work.progress)
            to.stdout.flush()
    else:
        with _new_file(work, to) as out:
            layer = write_tar(work.entries, out, mtime=mtime, progress=work.progress)
    return WrittenOutput(None, (WrittenTarget(to.format, to.path, None, layer.diff_id),), layer.unpacked_size)


def _deliver_rootfs(work: LayerInputs, to: OutputSpec) -> WrittenOutput:
    from minpack.rootfs.directory import write_directory  # noqa: PLC0415

    assert to.path is not None, "internal error: a rootfs needs a path"
    owners = os.geteuid() == 0
    with new_directory(to.path, _inputs(work, to), force=to.force) as made:
        mtime = work.config.created
        without = write_directory(work.entries, made.path, mtime=mtime, owners=owners, progress=work.progress)
    others = any((entry.uid, entry.gid) != (os.getuid(), os.getgid()) for entry in work.entries)
    notes = ("files belong to you: only root can give them their owners; --format tar keeps them",)
    lost = (_without_capabilities(without),) if without else ()
    size = sum(entry.size for entry in work.entries)
    output = WrittenTarget(to.format, to.path, None, None)
    return WrittenOutput(None, (output,), size, (*_leftover(made), *(notes if others and not owners else ()), *lost))


def _without_capabilities(paths: tuple[RootPath, ...]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more} could not be given file capabilities, which root alone can; --format tar keeps them"


def _new_file(work: LayerInputs, to: OutputSpec) -> AbstractContextManager[IO[bytes]]:
    assert to.path is not None, "internal error: a file needs a path"
    return new_file(to.path, _inputs(work, to), force=to.force)


def _inputs(work: LayerInputs, to: OutputSpec) -> Iterator[HostInput]:
    """All that must not be replaced: what is known to be an input, and each file of the host that is packed."""
    yield from to.inputs
    for entry in work.entries:
        if isinstance(entry.content, FileContent):
            yield HostInput(entry.content.where, "a file that is packed")


def _leftover(made: NewDirectory) -> tuple[str, ...]:
    return (f"what was there before could not be removed: {made.leftover!r}",) if made.leftover else ()


def _load(archive: IO[bytes], size: int, image: Image, to: OutputSpec, progress: Progress) -> tuple[WrittenTarget, ...]:
    if to.engine is None:
        return ()
    from minpack.output.engine import Archive, load_archive  # noqa: PLC0415

    archive.seek(0)
    sent = Archive(archive, size, to.references[0].familiar, (str(image.image_id), str(image.digest)))
    load_archive(sent, environment=to.engine, progress=progress)
    return tuple(WrittenTarget("engine", None, reference.familiar, image.digest) for reference in to.references)


@contextmanager
def _spool(directory: str) -> Generator[IO[bytes]]:
    """A file without a name: nothing is left of it, however the process ends."""
    from tempfile import TemporaryFile  # noqa: PLC0415

    with as_output_error(directory, "set TMPDIR to a directory that has space"), TemporaryFile(dir=directory) as out:
        yield out


def _copy(archive: IO[bytes], out: IO[bytes], to: OutputSpec) -> None:
    archive.seek(0)
    with as_output_error(to.path or "-"):
        while chunk := archive.read(COPY_SIZE):
            out.write(chunk)
        out.flush()
