"""Where the files of tools are in an image for debugging.

A distribution's directories become one of each kind below `DEBUG_ROOT`: /usr/bin and /sbin are its ``bin``, /lib and
/usr/lib its ``lib``. A program that finds its data by where it is itself (gdb, Python) finds it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, directories_above, normal, parent
from minpack.rootfs.entry import Kind
from minpack.spec.debug import DEBUG_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry

#: Where tools' loader is: the name is short enough to take the place of any loader's name in a program.
LOADER = RootPath(f"{DEBUG_ROOT}/lib/ld.so")
SHELL = RootPath(f"{DEBUG_ROOT}/bin/sh")
BIN = RootPath(f"{DEBUG_ROOT}/bin")
LIB = RootPath(f"{DEBUG_ROOT}/lib")
_MERGED = {"sbin": "bin", "lib64": "lib"}


def relocated(path: RootPath) -> RootPath:
    """Where what a distribution has at `path` is among the tools."""
    first, _, rest = path[1:].removeprefix("usr/").partition("/")
    return RootPath("/".join(filter(None, (DEBUG_ROOT, _MERGED.get(first, first), rest))))


class ToolPlaces(NamedTuple):
    """The new places of files, by their physical paths in the tree that they are from."""

    tree: Walker
    found: Mapping[RootPath, RootPath]

    def of(self, path: str) -> RootPath | None:
        """Where what `path` leads to is; None where that is neither one of the files nor a directory."""
        entry = self.tree.walk(path).entry
        if entry is None:
            return None
        return relocated(entry.path) if entry.kind is Kind.DIRECTORY else self.found.get(entry.path)

    def named(self, path: str) -> RootPath | None:
        """Where `path` itself is, though it may be a link; what starts a program by it gives it that name."""
        return self.found.get(self.tree.locate(normal(path)).path) or self.of(path)

    def link(self, entry: Entry) -> str | None:
        """What the link `entry` says at its new place to lead to the same file; None where it leads nowhere."""
        target = self.of(entry.link if entry.link.startswith("/") else f"{parent(entry.path)}/{entry.link}")
        return relative(self.found[entry.path], target) if target is not None else None


def places_of(tree: Walker, entries: Iterable[Entry], loader: RootPath | None) -> ToolPlaces:
    """The places of `entries`; where two would have one, the first has it.

    :param loader: the physical path of the loader, which gets a place of its own.
    """
    found: dict[RootPath, RootPath] = {}
    taken: set[RootPath] = set()
    for entry in entries:
        place = LOADER if entry.path == loader else relocated(entry.path)
        if place not in taken and entry.kind in (Kind.FILE, Kind.SYMLINK):
            taken.add(place)
            found[entry.path] = place
    # A link between directories that have become one would be in their place.
    above = directories_above(taken)
    return ToolPlaces(tree, {path: place for path, place in found.items() if place not in above})


def relative(link: RootPath, target: RootPath) -> str:
    """What a link at `link` says to lead to `target`, whatever root they are seen from."""
    up, down = [part for part in parent(link).split("/") if part], [part for part in target.split("/") if part]
    while up and down and up[0] == down[0]:
        del up[0], down[0]
    return "/".join([*[".."] * len(up), *down]) or str(ROOT)
