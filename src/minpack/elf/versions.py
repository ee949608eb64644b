"""Symbol versions: which a file needs of which file, and which it defines (LSB, "Symbol Versioning").

As in glibc (`elf/dl-version.c`), a chain ends where it says so; the counts that are written too play no role.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.elf.names import Names
    from minpack.elf.tables import Region, Tables

DT_VERDEF, DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE
VER_FLG_BASE, VER_FLG_WEAK = 1, 2
INDEX, HIDDEN = 0x7FFF, 0x8000
#: More needs or definitions than indexes are a lie: libc has some 50.
MAX_VERSIONS = 0x8000
#: Versions are named as GLIBC_2.36, files as libc.so.6; none is longer than a path.
MAX_NAME = 4096
#: The bytes of either table that are read at once.
PIECE = 4096


class VersionNeed(NamedTuple):
    """A version that must be defined by the file that was loaded as `file`; a weak one may be missing."""

    file: str
    version: str
    weak: bool


class Versions(NamedTuple):
    """`named` has name and hidden bit for each index that symbols have; `defined` all names the file defines."""

    needs: tuple[VersionNeed, ...]
    defined: frozenset[str]
    named: Mapping[int, tuple[str, bool]]
    defines: bool


def read_versions(tables: Tables, names: Names) -> Versions:
    """The versions of a file.

    :raises MalformedElfError: a table or a name is not where the file says, or there are more than can be.
    """
    texts = _Texts(names)
    named: dict[int, tuple[str, bool]] = {}
    needs: list[VersionNeed] = []
    defined: set[str] = set()
    defines = DT_VERDEF in tables.last
    if DT_VERNEED in tables.last:
        records = _Records(tables.region(DT_VERNEED), texts)
        for file, version, flags, other in _needs(records, tables.order):
            needs.append(VersionNeed(file, version, bool(flags & VER_FLG_WEAK)))
            named[other & INDEX] = (version, bool(other & HIDDEN))
    if defines:
        records = _Records(tables.region(DT_VERDEF), texts)
        for version, flags, index in _definitions(records, tables.order):
            defined.add(version)
            if not flags & VER_FLG_BASE:
                named[index & INDEX] = (version, False)
    return Versions(tuple(needs), frozenset(defined), named, defines)


class _Texts(dict[int, str]):
    """The names by their offset, as text."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, at: int) -> str:
        self[at] = text = self._names[at].decode("utf-8", "surrogateescape")
        return text


class _Records:
    """The records of one table."""

    def __init__(self, region: Region, texts: _Texts) -> None:
        self._region = region
        self._texts = texts
        self._head = region.most(0, PIECE)
        self._left = 2 * MAX_VERSIONS

    def take(self, form: struct.Struct, at: int) -> tuple[int, ...]:
        """The fields of the record that is `at` bytes into the table."""
        self._left -= 1
        if self._left < 0:
            raise self._region.error(at, f"a file cannot have more than {MAX_VERSIONS} versions")
        if at + form.size <= len(self._head):
            return form.unpack_from(self._head, at)
        return form.unpack(self._region.read(at, form.size))

    def text(self, at: int, name: int) -> str:
        """The name that a record at `at` has."""
        text = self._texts[name]
        if len(text) > MAX_NAME:
            raise self._region.error(at, f"the name of a version or file cannot have {len(text)} bytes")
        return text


def _needs(records: _Records, order: str) -> Iterator[tuple[str, str, int, int]]:
    """File, version, flags and index of each need; chains lead forwards only, so they end."""
    head, aux = struct.Struct(order + "HHIII"), struct.Struct(order + "IHHII")
    at, following = 0, 1
    while following:
        _, _, name, first, following = records.take(head, at)
        file = records.text(at, name)
        where, onward = at + first, 1
        while onward:
            _, flags, other, version, onward = records.take(aux, where)
            yield file, records.text(where, version), flags, other
            where += onward
        at += following


def _definitions(records: _Records, order: str) -> Iterator[tuple[str, int, int]]:
    """Name, flags and index of each definition."""
    head, aux = struct.Struct(order + "HHHHIII"), struct.Struct(order + "II")
    at, following = 0, 1
    while following:
        _, flags, index, _, _, first, following = records.take(head, at)
        yield records.text(at, records.take(aux, at + first)[0]), flags, index
        at += following
