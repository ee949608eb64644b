"""The tars of an image's layers: verified, unpacked, kept, and read only where something of them is wanted.

In the store are, by the SHA-256 of a layer, its tar as that of a tarball, and its index under a sum of that; and what
all layers together make, under a sum of all theirs. The indexes have the sum of each piece of the tars, so that a layer
of which nothing is wanted need not be there. A layer that is not compressed is read where it lies.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.base.tar_kept import MOST_TAR_BYTES, PIECE, SUM, KeptTar
from minpack.base.tar_table import OpenTar
from minpack.base.tarball import no_room
from minpack.content import FileContent, RangeContent, release
from minpack.errors import InputError, StoreError, SumMismatchError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.store.blob import TAR
from minpack.tar.decompress import Packing, decompress_to, packing_of
from minpack.tar.spool import nameless_file, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from minpack.content import Content, Reader
    from minpack.store.part import Part
    from minpack.store.store import Store

_DAMAGED = "the image is damaged: build or download it again"


class LayerBlob(NamedTuple):
    """A layer as an image has it: `sha256` is the sum of its bytes, `diff_id` that of its tar, in hexadecimal.

    `fetch` gives the bytes, which may be anything until they have the sum.
    """

    name: str
    sha256: str
    diff_id: str
    fetch: Callable[[], AbstractContextManager[Content]]

    @property
    def is_tar(self) -> bool:
        """Whether it is not compressed."""
        return self.sha256 == self.diff_id


class SummedTar(NamedTuple):
    """How many bytes a tar has, and the SHA-256 of each piece of it, one after another."""

    size: int
    sums: bytes


class UnpackedLayer(NamedTuple):
    """A verified layer's tar: it begins at `start` in an open file, which the receiver closes."""

    descriptor: int
    start: int
    summed: SummedTar

    def content(self, name: str) -> RangeContent:
        """The tar."""
        return RangeContent(self.descriptor, self.start, self.summed.size, name)


class LayerUnpacker(NamedTuple):
    """Where layers are unpacked: in the store if it keeps anything, else in files without a name in a directory."""

    store: Store
    temporary: str

    def unpack(self, layer: LayerBlob) -> UnpackedLayer:
        """The tar of the layer, whose bytes are those that the image means.

        :raises SumMismatchError: they are others.
        :raises ArchiveError: they are not a tar, or damaged.
        :raises MinpackError: they cannot be had, or there is no room for them.
        """
        with layer.fetch() as content:
            if layer.is_tar and (place := _place_of(content)) is not None:
                return _in_place(layer, content, *place)
            if getattr(content, "sha256", "") != layer.sha256:
                _check(layer.name, layer.sha256, _summed(content)[0])
            packing = packing_of(content, layer.name) if content.size else Packing.NONE
            with suppress(StoreError):
                part = self.store.begin() if self.store.keeps else None
                if part is not None:
                    with part:
                        return _unpacked_in_store(layer, content, packing, part)
            return _unpacked_aside(layer, content, packing, self.temporary)

    def open(self, layer: LayerBlob, summed: SummedTar) -> KeptTar:
        """The tar that `summed` is of, every piece of which is checked when it is read."""
        descriptor = self.store.find_tar(layer.sha256, summed.size) if not layer.is_tar else None
        start = 0
        if descriptor is None:
            descriptor, start, _ = self._again(layer, summed)
        return KeptTar(
            descriptor,
            layer.name,
            layer.sha256,
            summed.sums,
            lambda: self._unpack_damaged(layer, summed),
            summed.size,
            start,
        )

    def _unpack_damaged(self, layer: LayerBlob, summed: SummedTar) -> int:
        if layer.is_tar:
            raise InputError(layer.name, "it changed while it was read")
        self.store.drop_tar(layer.sha256)
        return self._again(layer, summed).descriptor

    def _again(self, layer: LayerBlob, summed: SummedTar) -> UnpackedLayer:
        """The tar where it lies, unchecked, or unpacked once more."""
        if layer.is_tar:
            with layer.fetch() as content:
                place = _place_of(content)
            if place is not None:
                return UnpackedLayer(*place, summed)
        return self.unpack(layer)


class LayeredTar(OpenTar):
    """The tars of all layers one behind the other, each opened when something of it is first read.

    :param name: what to call them together in messages.
    """

    def __init__(
        self, name: str, layers: Sequence[LayerBlob], tars: Sequence[SummedTar], unpacker: LayerUnpacker
    ) -> None:
        super().__init__(-1, name)
        self._layers = layers
        self._tars = tars
        self._unpacker = unpacker
        self.starts = starts_of(tars)
        self._open: dict[int, KeptTar] = {}

    def key(self, start: int, size: int) -> str:
        """See `KeptTar.key`."""
        number = bisect_right(self.starts, start) - 1
        return f"tar:{self._layers[number].sha256}:{start - self.starts[number]}:{size}"

    def open(self, start: int, size: int, where: str) -> Reader:
        """A reader of bytes that are all of one layer, which checks what it reads."""
        number = bisect_right(self.starts, start) - 1
        return self.layer(number).open(start - self.starts[number], size, where)

    def layer(self, number: int) -> KeptTar:
        """The tar of one layer."""
        tar = self._open.get(number)
        if tar is None:
            tar = self._open[number] = self._unpacker.open(self._layers[number], self._tars[number])
        return tar

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of each layer's tar."""
        return tuple(tar.size for tar in self._tars)

    def close(self) -> None:
        """Close what is open; once more does no harm."""
        while self._open:
            release(self._open.popitem()[1].descriptor)


def starts_of(tars: Sequence[SummedTar]) -> list[int]:
    """Where each tar begins if they lie one behind the other."""
    starts, at = [], 0
    for tar in tars:
        starts.append(at)
        at += tar.size
    return starts


def _place_of(content: Content) -> tuple[int, int] | None:
    """An open file that has the content where it says, with the descriptor for the receiver; None if there is none."""
    if isinstance(content, FileContent):
        try:
            return os.open(content.where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), content.start
        except OSError as error:
            raise InputError(content.where, reason_of(error)) from error
    fileno = getattr(content, "fileno", None)
    return (os.dup(fileno()), 0) if fileno is not None else None


def _in_place(layer: LayerBlob, content: Content, descriptor: int, start: int) -> UnpackedLayer:
    try:
        digest, summed = _summed(RangeContent(descriptor, start, content.size, layer.name))
        _check(layer.name, layer.sha256, digest)
    except BaseException:
        release(descriptor)
        raise
    return UnpackedLayer(descriptor, start, summed)


def _summed(content: Content) -> tuple[str, SummedTar]:
    """The SHA-256 of all bytes, in hexadecimal, and of each piece."""
    sums = PieceSums()
    buffer = memoryview(bytearray(16 * PIECE))
    with content.open() as reader:
        while count := reader.readinto_at(buffer, sums.size):
            sums.update(buffer[:count])
    return sums.finish()


def _unpacked_in_store(layer: LayerBlob, content: Content, packing: Packing, part: Part) -> UnpackedLayer:
    """The tar, kept if it is small enough; else the file that it is in is gone from the store."""
    sums = PieceSums()

    class Out:
        @staticmethod
        def write(data: bytes | bytearray | memoryview) -> None:
            part.write(data, sums.size)
            sums.update(data)

    decompress_to(content, Out, packing, layer.name)
    digest, summed = sums.finish()
    _check(layer.name, layer.diff_id, digest)
    descriptor = os.dup(part.descriptor)
    try:
        if summed.size <= MOST_TAR_BYTES:
            part.keep(layer.sha256, TAR).close()
    except BaseException:
        release(descriptor)
        raise
    return UnpackedLayer(descriptor, 0, summed)


def _unpacked_aside(layer: LayerBlob, content: Content, packing: Packing, directory: str) -> UnpackedLayer:
    """The tar in a file without a name."""
    sums = PieceSums()
    try:
        descriptor = nameless_file(directory)
    except OSError as error:
        raise no_room(layer.name, directory, error) from error

    class Out:
        @staticmethod
        def write(data: bytes | bytearray | memoryview) -> None:
            try:
                write_all(descriptor, data)
            except OSError as error:
                raise no_room(layer.name, directory, error) from error
            sums.update(data)

    try:
        decompress_to(content, Out, packing, layer.name)
        digest, summed = sums.finish()
        _check(layer.name, layer.diff_id, digest)
    except BaseException:
        release(descriptor)
        raise
    return UnpackedLayer(descriptor, 0, summed)


def _check(name: str, expected: str, actual: str) -> None:
    if actual != expected:
        raise SumMismatchError(name, "SHA-256", expected, actual, _DAMAGED)


class PieceSums:
    """Sums bytes as they come, as a whole and in pieces."""

    def __init__(self) -> None:
        self.size = 0
        self._whole = hashlib.sha256()
        self._piece = hashlib.sha256()
        self._sums = bytearray()

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self._whole.update(data)
        rest = memoryview(data)
        while rest:
            room = PIECE - self.size % PIECE
            self._piece.update(rest[:room])
            self.size += min(room, len(rest))
            rest = rest[room:]
            if self.size % PIECE == 0:
                self._next()

    def finish(self) -> tuple[str, SummedTar]:
        """The sum of all, in hexadecimal, and of each piece."""
        if len(self._sums) // SUM * PIECE < self.size:
            self._next()
        return self._whole.hexdigest(), SummedTar(self.size, bytes(self._sums))

    def _next(self) -> None:
        self._sums += self._piece.digest()
        self._piece = hashlib.sha256()
