"""Which library is needed by whom, of all programs that an image starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.ld.closure import Closure

#: What has no path: a library that is not found, by its name.
MISSING = "missing"
LATE = "opened later"


class LibraryNode(NamedTuple):
    """A program or library. `level` is how many libraries away from a program it is; `key` tells it from all others.

    `found_by` is the loader's rule by which it was first found, `MISSING` if it was not, `LATE` of what is opened while
    the program runs. `path` is empty for what is missing.
    """

    key: str
    name: str
    path: str
    level: int
    found_by: str
    size: int = 0


class LibraryEdge(NamedTuple):
    """That the library with the key `needed_by` needs the one with the key `key`."""

    needed_by: str
    key: str


class LibraryGraph(NamedTuple):
    """The nodes by level and name, programs first, and the edges between them."""

    nodes: tuple[LibraryNode, ...] = ()
    edges: tuple[LibraryEdge, ...] = ()


def library_graph(closures: Iterable[Closure]) -> LibraryGraph:
    """The programs of `closures` and what they load, each file once."""
    nodes: dict[str, LibraryNode] = {}
    edges: dict[LibraryEdge, None] = {}
    for closure in closures:
        keys = {loaded.path: str(loaded.entry.path) for loaded in closure.opened}
        for loaded in closure.opened:
            path = str(loaded.entry.path)
            found_by = LATE if loaded.path in closure.late else str(loaded.found_by)
            level = 0 if loaded is closure.program else -1
            node = LibraryNode(path, name(loaded.entry.path), path, level, found_by, loaded.entry.size)
            if level == 0 or path not in nodes:
                nodes[path] = node
        for one in closure.missing:
            nodes.setdefault(one.name, LibraryNode(one.name, one.name, "", -1, MISSING))
        edges.update((edge, None) for edge in _edges(closure, keys))
    return LibraryGraph(_levelled(nodes, tuple(edges)), tuple(sorted(edges)))


def _edges(closure: Closure, keys: dict[str, str]) -> Iterable[LibraryEdge]:
    if closure.interpreter is not None:
        yield LibraryEdge(keys[closure.program.path], str(closure.interpreter.entry.path))
    pairs = [(edge.needed_by, edge.path) for edge in closure.edges if edge.path]
    pairs += [(edge.needed_by, edge.path) for audit in closure.audits for edge in audit.edges if edge.path]
    for needed_by, path in pairs:
        if needed_by in keys and path in keys and keys[needed_by] != keys[path]:
            yield LibraryEdge(keys[needed_by], keys[path])
    yield from (LibraryEdge(keys[one.needed_by], one.name) for one in closure.missing if one.needed_by in keys)


def _levelled(nodes: dict[str, LibraryNode], edges: tuple[LibraryEdge, ...]) -> tuple[LibraryNode, ...]:
    """The nodes with their levels: what nothing leads to has the last."""
    needed: dict[str, list[str]] = {}
    for edge in edges:
        needed.setdefault(edge.needed_by, []).append(edge.key)
    levels = {key: 0 for key, node in nodes.items() if node.level == 0}
    here = sorted(levels)
    while here:
        following = [key for one in here for key in needed.get(one, ()) if key not in levels]
        levels.update((key, levels[here[0]] + 1) for key in following)
        here = sorted(set(following))
    last = max(levels.values(), default=0) + 1
    placed = (node._replace(level=levels.get(key, last)) for key, node in nodes.items())
    return tuple(sorted(placed, key=lambda one: (one.level, one.name, one.key)))
