"""What one layer of an image does to what lies below it: its members in order, with nothing resolved yet.

    record    the length of the path in u16, that of the row in u32, the path, the row

Paths are as in a `TarTable`, each slash a NUL; a row is a table's, or that of a `HARD_LINK`, with the name that it
links to behind the fields.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from minpack.base.tar_rows import RowMaker, encoded, key_of_parts
from minpack.base.tar_table import KINDS, pack_fields
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind
from minpack.tar.decompress import limit_for
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES, UnsafeNameError, member_parts
from minpack.tar.read import Tape, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content

#: The number of a kind that no table has.
HARD_LINK = len(KINDS)
_HARD_LINK_FIELDS = pack_fields(HARD_LINK, 0, 0, 0, 0, 0, 0)
_RECORD = Struct("<HI")
#: What eStargz puts at the top of a layer for whoever pulls it lazily (containerd/stargz-snapshotter, estargz.md).
_MARKERS = frozenset((b"stargz.index.json", b".no.prefetch.landmark", b".prefetch.landmark"))


class LayerIndex(NamedTuple):
    """The records of a layer's members, and what there is to tell of it."""

    records: bytes | bytearray
    notes: tuple[str, ...] = ()


def index_layer(tar: Content, name: str) -> LayerIndex:
    """What the layer in the uncompressed `tar` does.

    :param name: what to call the layer in errors.
    :raises ArchiveError: it is damaged, or holds what is refused in any tarball.
    """
    rows, records, count = RowMaker(name, limit_for(tar.size)), bytearray(), 0
    with tar.open() as reader:
        tape = Tape(reader, tar.size, name)
        for member in tape.members():
            try:
                parts = member_parts(encoded(member.name))
            except UnsafeNameError as error:
                raise rows.error(member, str(error)) from error
            if len(parts) == 1 and parts[0] in _MARKERS:
                continue
            linked = member.kind is Kind.HARDLINK
            row = _HARD_LINK_FIELDS + encoded(member.link) if linked else rows.row(member)
            path = key_of_parts(parts)
            records += _RECORD.pack(len(path), len(row)) + path + row
            count += 1
            if count > MAX_ENTRIES or len(records) > max_records(MAX_ENTRIES):
                raise damaged(name, member.at, member.name, "it has more names than any root file system", _NO_LAYER)
        is_followed = tape.is_followed()
    notes = (f"another archive follows the end of {name} and was ignored, as tar does",) if is_followed else ()
    return LayerIndex(records, notes)


_NO_LAYER = "use an image with a root file system"


def max_records(entries: int) -> int:
    """The most bytes of the records of so many members."""
    return MAX_NAMES + entries * (_RECORD.size + len(_HARD_LINK_FIELDS))


def records_of(index: LayerIndex) -> Iterator[tuple[bytes, bytes]]:
    """The path and the row of each member, in their order."""
    records, at, end = bytes(index.records), 0, len(index.records)
    size, unpack = _RECORD.size, _RECORD.unpack_from
    while at < end:
        path_length, row_length = unpack(records, at)
        path = at + size
        row = path + path_length
        at = row + row_length
        yield records[path:row], records[row:at]
