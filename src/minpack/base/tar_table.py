"""`TarTable`: the entries of a tar in one run of bytes, looked up where they lie.

    head      counts of rows, implied directories, bytes of notes, samples, bytes of samples: five times u32
    notes     texts, separated by NUL
    implied   u32 each: the rows of directories that no member is of
    samples   the paths of the first row, and of each so many rows behind it, with two NULs between
    offsets   u32 each: where each row starts, and where the last one ends, behind the offsets
    rows      each the length of a path in u16, the path, the fields of `Row`, and what else there is to say

All numbers are little-endian. Of paths each slash is a NUL, which no name has: so each directory is followed by all
that is in it. What a table takes is little more than its paths, whatever a path has above it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import TYPE_CHECKING

from minpack.content import FileReader
from minpack.errors import InputError
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Entry, Kind
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES
from minpack.tar.sparse import SparseContent, SparseForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.content import Content, Reader

_HEAD = Struct("<IIIII")
_NUMBER = Struct("<I")
_LENGTH = Struct("<H")
_number_at = _NUMBER.unpack_from
_length_at = _LENGTH.unpack_from
#: Kind, flags, mode, owner, group, where the data starts, and how large the file is; or where a directory's rows end.
_FIELDS = Struct("<BBHIIQQ")
_END = Struct("<Q")
_end_at = _END.unpack_from
_TO_END = _FIELDS.size - _END.size
_SPARSE_REST = Struct("<BQQQ")
#: Of two NULs one would be an empty name.
_BETWEEN = b"\0\0"
#: So many samples are kept in memory: with fewer rows, all are.
_MOST_SAMPLES = 4096
_BETWEEN_SAMPLES = 2 * _MOST_SAMPLES * len(_BETWEEN)
#: More than the head and all notes have.
_NOTES = 4096
#: The first byte of a row, behind its path: the number of its kind.
FILE, DIRECTORY, SYMLINK, SPECIAL = range(4)
KINDS = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.SPECIAL)
REMAKE = "minpack unpacks only what every tool unpacks the same way; create the tarball again with tar"


#: What a row says besides its fields: the file has hard links; the rest says how its pieces are read, or why it cannot
#: be read; it ends with its capabilities.
LINKED, SPARSE, UNREADABLE, CAPABLE = 1, 2, 4, 8


def max_table(entries: int, names: int) -> int:
    """The most bytes of a table of so many entries, whose paths and what else there is of them have so many bytes."""
    sampled = _BETWEEN_SAMPLES + names
    return names + sampled + entries * (2 * _NUMBER.size + _LENGTH.size + _FIELDS.size) + _NOTES


class Row(NamedTuple):
    """What a table has of a path. `rest` is a symlink's target, or what the flags say."""

    kind: int
    flags: int
    mode: int
    uid: int
    gid: int
    start: int
    size: int
    rest: bytes


#: The bytes of a row's fields but the last, which is put behind them.
pack_fields = _FIELDS.pack


def unpack_row(data: bytes) -> Row:
    """The row of these bytes."""
    kind, flags, mode, uid, gid, start, size = _FIELDS.unpack_from(data)
    return Row(kind, flags, mode, uid, gid, start, size, data[_FIELDS.size :])


def sparse_rest(form: SparseForm, begin: int, length: int, stored: int) -> bytes:
    """What a row says of a sparse file; `begin` is where the bytes start that its map and its data are in."""
    return _SPARSE_REST.pack(form, begin, length, stored)


def moved_row(row: bytes, start: int) -> bytes:
    """The row of a file whose tar begins `start` bytes further on."""
    values = _FIELDS.unpack_from(row)
    rest = row[_FIELDS.size :]
    if values[1] & SPARSE:
        form, begin, length, stored = _SPARSE_REST.unpack_from(rest)
        rest = _SPARSE_REST.pack(form, begin + start, length, stored) + rest[_SPARSE_REST.size :]
    return _FIELDS.pack(*values[:-2], values[-2] + start, values[-1]) + rest


def build_table(rows: dict[bytes, bytes], implied: set[bytes], notes: Sequence[str]) -> bytearray:
    """The table of these rows by path, each slash a NUL; `rows` is emptied, so that no two copies are held for long."""
    paths = sorted(rows)
    said = "\0".join(notes).encode("utf-8", "surrogateescape")
    step = _step(len(paths))
    samples = _BETWEEN.join(paths[::step])
    table = bytearray(_HEAD.pack(len(paths), len(implied), len(said), len(paths[::step]), len(samples)))
    table += said
    table += b"".join(_NUMBER.pack(number) for number, path in enumerate(paths) if path in implied)
    table += samples
    offsets = len(table)
    table += bytes((len(paths) + 1) * _NUMBER.size)
    start = len(table)
    #: The directories that the next row may lie in, and where the ends of their rows are to be written.
    above: list[tuple[bytes, int]] = []
    for number, path in enumerate(paths):
        while above and not path.startswith(above[-1][0]):
            _END.pack_into(table, above.pop()[1], number)
        _NUMBER.pack_into(table, offsets + number * _NUMBER.size, len(table) - start)
        row = rows.pop(path)
        table += _LENGTH.pack(len(path)) + path + row
        if row[0] == DIRECTORY:
            above.append((path + b"\0", len(table) - len(row) + _TO_END))
    for _, place in above:
        _END.pack_into(table, place, len(paths))
    _NUMBER.pack_into(table, offsets + len(paths) * _NUMBER.size, len(table) - start)
    return table


def _step(count: int) -> int:
    """How many rows there are from one sample to the next."""
    return count // _MOST_SAMPLES + 1


#: The most bytes of any table.
MAX_TABLE = max_table(MAX_ENTRIES, MAX_NAMES)


class OpenTar:
    """An uncompressed tar that is open; the base that it is of closes it.

    :param name: what to call it in messages.
    :param start: where it begins in the open file.
    """

    def __init__(self, descriptor: int, name: str, start: int = 0) -> None:
        self.descriptor = descriptor
        self.name = name
        self.start = start

    def key(self, start: int, size: int) -> str:  # noqa: ARG002 - see `KeptTar`
        """What identifies these bytes without reading them; None if nothing does."""
        return ""

    def open(self, start: int, size: int, where: str) -> Reader:
        """A reader of `size` bytes from `start` on."""
        return FileReader(self.descriptor, self.start + start, size, owned=False, where=where)


class TarContent(NamedTuple):
    """`size` bytes of a tar, from `start` on: those of the file at `path`, which is equal to its hard links'."""

    tar: OpenTar
    start: int
    size: int
    path: RootPath

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TarContent) and self[:3] == other[:3]

    def __hash__(self) -> int:
        return hash(self[:3])

    @property
    def where(self) -> str:
        """What to call it in messages."""
        return f"{self.path} in {self.tar.name}"

    @property
    def key(self) -> str:
        """What identifies these bytes without reading them; None if nothing does."""
        return self.tar.key(self.start, self.size)

    def open(self) -> Reader:
        """A reader of the bytes."""
        return self.tar.open(self.start, self.size, self.where)


class UnreadableContent(NamedTuple):
    """A file that is there, and whose bytes cannot be had."""

    where: str
    size: int
    reason: str

    def open(self) -> Reader:
        """Nothing.

        :raises InputError: always.
        """
        raise InputError(self.where, self.reason, hint=REMAKE)


class TarTable(Mapping[RootPath, Entry]):
    """The entries by path, each made when it is first asked for; in order of their paths' parts.

    :param data: what `build_table` made, from the offset `at` on.
    """

    def __init__(self, data: bytes | bytearray, tar: OpenTar, at: int = 0) -> None:
        self._data = data
        self.tar = tar
        self._made: dict[RootPath, Entry] = {}
        head: tuple[int, ...] = _HEAD.unpack_from(data, at)
        self._count, self._implied_count, said, _, sampled = head
        at += _HEAD.size
        text = data[at : at + said].decode("utf-8", "surrogateescape")
        self.notes = tuple(text.split("\0")) if text else ()
        self._implied = at + said
        at = self._implied + self._implied_count * _NUMBER.size
        self._samples = bytes(data[at : at + sampled]).split(_BETWEEN)
        self._step = _step(self._count)
        self._offsets = at + sampled
        self._rows = self._offsets + (self._count + 1) * _NUMBER.size
        #: The directory that was listed last, and the rows of what is in it: that is mostly asked for next.
        self._listed: tuple[str, dict[str, int]] = ("", {})

    def implied(self) -> frozenset[RootPath]:
        """The directories that no member is of."""
        numbers = Struct(f"<{self._implied_count}I").unpack_from(self._data, self._implied)
        return frozenset(_decoded(self._path(number)) for number in numbers)

    def __getitem__(self, path: RootPath) -> Entry:
        entry = self.get(path)
        if entry is None:
            raise KeyError(path)
        return entry

    def get(self, path: RootPath, default: Entry | None = None) -> Entry | None:  # type: ignore[override]
        """The entry, or `default`."""
        made = self._made.get(path)
        if made is None:
            number = self._find(path)
            if number is None:
                return default
            made = self._made[path] = self._entry(number, path)
        return made

    def __iter__(self) -> Iterator[RootPath]:
        return (_decoded(self._path(number)) for number in range(self._count))

    def __len__(self) -> int:
        return self._count

    def listdir(self, path: RootPath) -> tuple[str, ...]:
        """The names in the directory, sorted; none if it is not a directory."""
        number = self._find(path)
        if number is None:
            return ()
        found: dict[str, int] = {}
        data, offsets, rows = self._data, self._offsets, self._rows
        row, length = self._place(number)
        end = _end_at(data, row + _TO_END)[0] if data[row] == DIRECTORY else 0
        number += 1
        while number < end:
            at = rows + _number_at(data, offsets + number * _NUMBER.size)[0]
            row = at + _LENGTH.size + _length_at(data, at)[0]
            found[data[at + _LENGTH.size + length + 1 : row].decode("utf-8", "surrogateescape")] = number
            number = _end_at(data, row + _TO_END)[0] if data[row] == DIRECTORY else number + 1
        self._listed = (path, found)
        return tuple(sorted(found))

    def _find(self, path: RootPath) -> int | None:
        """The number of the row of `path`."""
        above, _, name = path.rpartition("/")
        if self._listed[0] == (above or ROOT) and name:
            return self._listed[1].get(name)
        key = b"" if path == ROOT else path.encode("utf-8", "surrogateescape").replace(b"/", b"\0")
        sample = bisect_right(self._samples, key) - 1
        first = sample * self._step
        if sample >= 0 and self._samples[sample] == key:
            return first
        rows = range(max(0, first), min(self._count, first + self._step))
        number = first + bisect_left(rows, key, key=self._path)
        return number if number < self._count and self._path(number) == key else None

    def _place(self, number: int) -> tuple[int, int]:
        """Where the fields of a row are, and how long the path before them is."""
        at = self._rows + _number_at(self._data, self._offsets + number * _NUMBER.size)[0]
        length = _length_at(self._data, at)[0]
        return at + _LENGTH.size + length, length

    def _path(self, number: int) -> bytes:
        """The path of a row, each slash a NUL."""
        at, length = self._place(number)
        return bytes(self._data[at - length : at])

    def _row(self, number: int) -> Row:
        end = self._rows + _number_at(self._data, self._offsets + (number + 1) * _NUMBER.size)[0]
        return unpack_row(bytes(self._data[self._place(number)[0] : end]))

    def _entry(self, number: int, path: RootPath) -> Entry:
        row = self._row(number)
        kind, flags, mode, uid, gid, start, _, rest = row
        if kind != FILE:
            return Entry(path, KINDS[kind], mode, uid, gid, link=rest.decode("utf-8", "surrogateescape"))
        plain = not flags & (SPARSE | UNREADABLE)
        content = TarContent(self.tar, start, row.size, path) if plain else self._content(row, path)
        capability = rest[0 if plain else _SPARSE_REST.size :] if flags & CAPABLE else b""
        inode = start if flags & LINKED else None
        return Entry(path, Kind.FILE, mode, uid, gid, content, inode=inode, capability=capability)

    def _content(self, row: Row, path: RootPath) -> Content:
        if row.flags & UNREADABLE:
            reason = row.rest.decode("utf-8", "surrogateescape")
            return UnreadableContent(f"{path} in {self.tar.name}", row.size, reason)
        form, begin, length, stored = _SPARSE_REST.unpack_from(row.rest)
        source = TarContent(self.tar, begin, row.start + stored - begin, path)
        return SparseContent(source, SparseForm(form), length, stored, row.size, source.where)


def _decoded(path: bytes) -> RootPath:
    return RootPath(path.replace(b"\0", b"/").decode("utf-8", "surrogateescape") or "/")
