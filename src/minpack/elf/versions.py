"""Symbol versions: which a file needs of which file, and which it defines (LSB, "Symbol Versioning"; glibc)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DT_VERDEF, DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE
VER_FLG_BASE, VER_FLG_WEAK = 1, 2
#: More of either is a lie: libc has some 50.
MAX_VERSIONS = 0x8000


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


def read_versions(
    last: Mapping[int, int], table: Callable[[int, int | None], bytes], name: Callable[[int], bytes], order: str
) -> Versions:
    """The versions of a file.

    :param last: its dynamic tags.
    :param table: the bytes loaded at an address.
    :param name: the string at an offset of its string table.
    :param order: struct's sign of its byte order.
    :raises MalformedElfError: `table` or `name` raises it.
    """
    named: dict[int, tuple[str, bool]] = {}
    needs: list[VersionNeed] = []
    defined: set[str] = set()
    if DT_VERNEED in last:
        for file, version, flags, other in _needs(table(last[DT_VERNEED], None), order):
            text = name(version).decode("utf-8", "surrogateescape")
            needs.append(VersionNeed(name(file).decode("utf-8", "surrogateescape"), text, bool(flags & VER_FLG_WEAK)))
            named[other & 0x7FFF] = (text, bool(other & 0x8000))
    if DT_VERDEF in last:
        for version, flags, index in _definitions(table(last[DT_VERDEF], None), order):
            text = name(version).decode("utf-8", "surrogateescape")
            defined.add(text)
            if not flags & VER_FLG_BASE:
                named[index & 0x7FFF] = (text, False)
    return Versions(tuple(needs), frozenset(defined), named, DT_VERDEF in last)


def _needs(data: bytes, order: str) -> list[tuple[int, int, int, int]]:
    """File, version name, flags and index of each need; chains are followed forwards only, so they end."""
    found: list[tuple[int, int, int, int]] = []
    head, aux = struct.Struct(order + "HHIII"), struct.Struct(order + "IHHII")
    at = 0
    while at + head.size <= len(data) and len(found) < MAX_VERSIONS:
        _, count, file, first, following = head.unpack_from(data, at)
        where = at + first
        for _ in range(count):
            if where + aux.size > len(data):
                break
            _, flags, other, version, onward = aux.unpack_from(data, where)
            found.append((file, version, flags, other))
            if not onward:
                break
            where += onward
        if not following:
            break
        at += following
    return found


def _definitions(data: bytes, order: str) -> list[tuple[int, int, int]]:
    """Name, flags and index of each definition."""
    found: list[tuple[int, int, int]] = []
    head, aux = struct.Struct(order + "HHHHIII"), struct.Struct(order + "II")
    at = 0
    while at + head.size <= len(data) and len(found) < MAX_VERSIONS:
        _, flags, index, _, _, first, following = head.unpack_from(data, at)
        if at + first + aux.size > len(data):
            break
        found.append((aux.unpack_from(data, at + first)[0], flags, index))
        if not following:
            break
        at += following
    return found
