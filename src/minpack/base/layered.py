"""`LayeredBase`: the layers of an image as one base, its files read where they lie in the layers."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING

from minpack.base.entries import EntriesBase
from minpack.base.layer_tars import LayeredTar, LayerUnpacker, SummedTar, starts_of
from minpack.base.tar_kept import SUM, SUMMED, find_summed, keep_summed
from minpack.base.tar_table import MAX_TABLE, TarTable
from minpack.base.tarball import TEMPORARY
from minpack.content import release
from minpack.errors import ArchiveError, StoreError
from minpack.namedtuple import NamedTuple
from minpack.store.prune import prune
from minpack.tar.decompress import MAX_UNPACKED

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from minpack.base.layer_index import LayerIndex
    from minpack.base.layer_tars import LayerBlob
    from minpack.paths import RootPath
    from minpack.store.store import Store

#: Another number for every change of what they hold.
_LAYER_MAGIC, _STACK_MAGIC = b"mplayer1", b"mpstack1"
#: The size of a tar and the number of its pieces; of a layer the bytes of its notes too.
_TAR, _NUMBER = Struct("<QI"), Struct("<I")


class LayeredBase(EntriesBase):
    """The layers of an image as a base. Contents can be read until it is closed, by leaving its ``with`` block."""

    def __init__(self, name: str, table: TarTable, tar: LayeredTar) -> None:
        super().__init__(name, table)
        #: What of the layers was not read.
        self.notes = table.notes
        self._table = table
        self._tar = tar

    @property
    def implied(self) -> Set[RootPath]:
        """The directories that have no member of their own."""
        return self._table.implied()

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; none if it is not a directory."""
        return self._table.listdir(path)

    @property
    def unpacked_size(self) -> int:
        """The bytes of the layers' tars."""
        return sum(self._tar.sizes)

    def attributes(self) -> frozenset[str]:
        """The names of the layers' extended attributes, but for file capabilities, which are read.

        :raises MinpackError: a layer cannot be had any more.
        """
        from minpack.tar.read import Tape  # noqa: PLC0415 - its headers are read again for this alone

        found: set[str] = set()
        for number, size in enumerate(self._tar.sizes):
            tar = self._tar.layer(number)
            with tar.open(0, size, tar.name) as reader:
                for member in Tape(reader, size, tar.name).members():
                    found.update(member.attributes)
        return frozenset(found)

    def close(self) -> None:
        """Close the layers; once more does no harm."""
        self._tar.close()

    def __enter__(self) -> LayeredBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_layers(name: str, layers: Sequence[LayerBlob], store: Store, *, temporary: str = TEMPORARY) -> LayeredBase:
    """The tree that the layers make, laid over each other from the lowest on.

    :param name: what to call the image in messages.
    :param store: where layers are kept and taken from; it stays open as long as the base.
    :param temporary: the directory to unpack in where the store keeps nothing.
    :raises SumMismatchError: a layer is not what the image says.
    :raises ArchiveError: one is damaged, or holds what is refused in any tarball.
    :raises MinpackError: one cannot be had, or there is no room to unpack it.
    """
    unpacker = LayerUnpacker(store, temporary)
    sha256 = _sum_of_all(layers)
    stack = _find_stack(store, sha256, len(layers)) if store.keeps else None
    if stack is not None:
        tar = LayeredTar(name, layers, stack.tars, unpacker)
        return LayeredBase(name, TarTable(stack.data, tar, stack.at), tar)
    tars, table = _laid(name, layers, unpacker)
    if store.keeps:
        with suppress(StoreError):
            _keep_stack(store, sha256, tars, table)
            prune(store)
    tar = LayeredTar(name, layers, tars, unpacker)
    return LayeredBase(name, TarTable(table, tar), tar)


class _Stack(NamedTuple):
    """What is kept of layers laid over each other; their table is in `data` from `at` on."""

    tars: tuple[SummedTar, ...]
    data: bytes
    at: int


def _laid(name: str, layers: Sequence[LayerBlob], unpacker: LayerUnpacker) -> tuple[tuple[SummedTar, ...], bytearray]:
    """The layers' tars, and the table of the tree that they make."""
    from minpack.base.flatten import LayerStack  # noqa: PLC0415 - not for images whose table is kept

    stack, tars, notes = LayerStack(name), list[SummedTar](), list[str]()
    for layer in layers:
        summed, index = read_layer(layer, unpacker)
        tars.append(summed)
        notes += index.notes
        if sum(tar.size for tar in tars) > MAX_UNPACKED:
            reason = f"its layers unpack to more than {MAX_UNPACKED} bytes"
            raise ArchiveError(name, reason, "no root file system is this large")
        stack.lay(index, starts_of(tars)[-1])
    return tuple(tars), stack.table(notes)


def read_layer(layer: LayerBlob, unpacker: LayerUnpacker) -> tuple[SummedTar, LayerIndex]:
    """A layer's tar and what it does, from the store or read now.

    :raises MinpackError: as `open_layers`.
    """
    from minpack.base.layer_index import index_layer  # noqa: PLC0415 - as above

    store = unpacker.store
    name = hashlib.sha256(f"layer {layer.sha256} {layer.diff_id}".encode()).hexdigest()
    found = _find_layer(store, name) if store.keeps else None
    if found is not None:
        return found
    unpacked = unpacker.unpack(layer)
    try:
        index = index_layer(unpacked.content(layer.name), layer.name)
    finally:
        release(unpacked.descriptor)
    if store.keeps:
        with suppress(StoreError):
            _keep_layer(store, name, unpacked.summed, index)
    return unpacked.summed, index


def _sum_of_all(layers: Sequence[LayerBlob]) -> str:
    text = "\n".join(f"{layer.sha256} {layer.diff_id}" for layer in layers)
    return hashlib.sha256(f"layers\n{text}".encode()).hexdigest()


def _find_layer(store: Store, name: str) -> tuple[SummedTar, LayerIndex] | None:
    from minpack.base.layer_index import LayerIndex  # noqa: PLC0415 - as above

    data = find_summed(store, name, _LAYER_MAGIC)
    if data is None:
        return None
    at = SUMMED
    size, pieces = _TAR.unpack_from(data, at)
    at += _TAR.size
    (noted,) = _NUMBER.unpack_from(data, at)
    at += _NUMBER.size
    sums, notes = data[at : at + pieces * SUM], data[at + pieces * SUM :][:noted].decode("utf-8", "surrogateescape")
    records = data[at + pieces * SUM + noted :]
    return SummedTar(size, sums), LayerIndex(records, tuple(notes.split("\0")) if notes else ())


def _keep_layer(store: Store, name: str, tar: SummedTar, index: LayerIndex) -> None:
    notes = "\0".join(index.notes).encode("utf-8", "surrogateescape")
    head = _TAR.pack(tar.size, len(tar.sums) // SUM) + _NUMBER.pack(len(notes))
    if len(index.records) <= MAX_TABLE:
        keep_summed(store, name, _LAYER_MAGIC, (head, tar.sums, notes, index.records))


def _find_stack(store: Store, name: str, count: int) -> _Stack | None:
    data = find_summed(store, name, _STACK_MAGIC)
    if data is None:
        return None
    heads = [_TAR.unpack_from(data, SUMMED + number * _TAR.size) for number in range(count)]
    at, tars = SUMMED + count * _TAR.size, list[SummedTar]()
    for size, pieces in heads:
        tars.append(SummedTar(size, data[at : at + pieces * SUM]))
        at += pieces * SUM
    return _Stack(tuple(tars), data, at)


def _keep_stack(store: Store, name: str, tars: Sequence[SummedTar], table: bytearray) -> None:
    heads = b"".join(_TAR.pack(tar.size, len(tar.sums) // SUM) for tar in tars)
    if len(table) <= MAX_TABLE:
        keep_summed(store, name, _STACK_MAGIC, (heads, *(tar.sums for tar in tars), table))
