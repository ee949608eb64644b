"""Laying the layers of an image over each other, as those who unpack images do (image-spec, layer.md).

A whiteout hides what lower layers have, wherever it stands among the members of its own layer. What lies below a
symlink goes where that leads in the root; a directory in the place of one replaces it. Of two kinds of things at one
path the upper replaces the lower with all that is in it. A hard link may be to a file of a lower layer, and shares it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from minpack.base.layer_index import HARD_LINK, records_of
from minpack.base.tar_rows import IMPLIED, encoded, flagged, key_of_parts, shown_key
from minpack.base.tar_table import (
    DIRECTORY,
    FILE,
    KINDS,
    LINKED,
    REMAKE,
    SYMLINK,
    UNREADABLE,
    build_table,
    moved_row,
    pack_fields,
    unpack_row,
)
from minpack.errors import ArchiveError
from minpack.paths import PATH_MAX
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES, UnsafeNameError, link_parts, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.layer_index import LayerIndex

WHITEOUT, OPAQUE, AUFS = b".wh.", b".wh..wh..opq", b".wh..wh."
#: As many links in one lookup as those follow who unpack images; the kernel's own limit is lower.
MAX_LINKS = 255
#: The most members of all layers, and the most directories that all lookups and whiteouts may look at.
MAX_MEMBERS, MAX_STEPS = 4_000_000, 20_000_000
_NO_LAYER = -1


class _Node:
    """What is at a path so far; `layer` is the one that has a member of it, `children` those of a directory by name."""

    __slots__ = ("children", "layer", "row")

    def __init__(self, row: bytes, layer: int) -> None:
        self.row = row
        self.layer = layer
        self.children: dict[bytes, _Node] | None = {} if row[0] == DIRECTORY else None


class LayerStack:
    """Layers laid over each other so far, from the lowest on.

    :param name: what to call the image in errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._root = _Node(IMPLIED, _NO_LAYER)
        self._layer = -1
        self._entries = self._members = self._steps = 0
        self._has_links = False
        #: Where the last member was put.
        self._last: tuple[list[bytes], _Node] | None = None

    def lay(self, index: LayerIndex, start: int) -> None:
        """Lay a layer on top.

        :param start: where its tar begins among the tars of all layers.
        :raises ArchiveError: it has what cannot be, or more than any image has.
        """
        self._layer += 1
        self._last = None
        for path, row in records_of(index):
            self._members += 1
            parts = path.split(b"\0")[1:]
            # The root's own mode is left alone.
            if not parts:
                continue
            if parts[-1].startswith(WHITEOUT):
                self._last = None
                self._hide(parts)
            else:
                self._put(parts, row, start)
            if self._entries > MAX_ENTRIES or self._members > MAX_MEMBERS or self._steps > MAX_STEPS:
                raise self._error(parts, "with it the image has more names than any root file system")
        self._drop_aufs()

    def table(self, notes: Sequence[str] = ()) -> bytearray:
        """The table of all that can be seen.

        :raises ArchiveError: its paths are longer together than those of any root file system.
        """
        rows, implied, names = {b"": self._root.row}, {b""}, 0
        todo = [(b"", self._root)]
        while todo:
            above, node = todo.pop()
            for name, child in (node.children or {}).items():
                path = above + b"\0" + name
                rows[path] = child.row
                names += len(path) + len(child.row) - len(IMPLIED)
                if child.row is IMPLIED:
                    implied.add(path)
                if child.children:
                    todo.append((path, child))
            if names > MAX_NAMES or (len(above) >= PATH_MAX and node.children):
                raise self._error(above.split(b"\0")[1:], "its names are longer than those of any root file system")
        if self._has_links:
            _forget_lost_links(rows)
        return build_table(rows, implied, notes)

    def _error(self, parts: list[bytes], reason: str) -> ArchiveError:
        member = shown_key(key_of_parts(parts))
        return ArchiveError(self._name, f"{reason} (layer {self._layer + 1}, member {member})", REMAKE)

    def _put(self, parts: list[bytes], row: bytes, start: int) -> None:
        """Let a member take its place."""
        where, name = self._above(parts), parts[-1]
        assert where is not None, "internal error: it was made"
        children, old = where.children, where.children.get(name) if where.children is not None else None
        assert children is not None, "internal error: it is a directory"
        if row[0] == HARD_LINK:
            target = self._linked(row)
            if target is old and old is not None:
                old.layer = self._layer
                return
            row = target.row if target is not None else self._unreadable(parts, row)
        elif row[0] == FILE and start:
            row = moved_row(row, start)
        if old is not None and old.children is not None and row[0] == DIRECTORY:
            old.row, old.layer = row, self._layer
            return
        if old is None:
            self._entries += 1
        else:
            self._forget(old)
        children[name] = _Node(row, self._layer)

    def _above(self, parts: list[bytes]) -> _Node | None:
        """The directory that a member goes into, made if it is not there."""
        above = parts[:-1]
        if self._last is None or self._last[0] != above:
            found = self._directory(parts, make=True)
            assert found is not None, "internal error: it was made"
            self._last = (above, found)
        return self._last[1]

    def _directory(self, parts: list[bytes], *, make: bool) -> _Node | None:
        """The directory above the last of `parts`, links on the way followed in the root; None if it is not there."""
        trail, todo, links = [self._root], parts[-2::-1], 0
        while todo:
            part = todo.pop()
            self._steps += 1
            if part in (b"", b"."):
                continue
            if part == b"..":
                trail = trail[: max(1, len(trail) - 1)]
                continue
            children = trail[-1].children
            assert children is not None, "internal error: it is a directory"
            child = children.get(part)
            if child is None and make:
                child = children[part] = _Node(IMPLIED, _NO_LAYER)
                self._entries += 1
            if child is None:
                return None
            if child.children is not None:
                trail.append(child)
                continue
            if child.row[0] != SYMLINK:
                if not make:
                    return None
                raise self._error(parts, f"it would be below {shown(part)}, which is a {KINDS[child.row[0]]}")
            into = unpack_row(child.row).rest
            links += 1
            todo += into.split(b"/")[::-1]
            if links > MAX_LINKS or len(todo) > PATH_MAX or self._steps > MAX_STEPS:
                raise self._error(parts, f"it would be below {shown(part)}, behind too many symlinks")
            if into[:1] == b"/":
                trail = [self._root]
        return trail[-1]

    def _linked(self, row: bytes) -> _Node | None:
        """What a hard link is another name of, a file or the like; None if it is not there."""
        try:
            there = link_parts(unpack_row(row).rest)
        except UnsafeNameError:
            return None
        above = self._directory(there, make=False) if there else None
        target = above.children.get(there[-1]) if above is not None and above.children is not None else None
        if target is None or target.children is not None:
            return None
        if target.row[0] == FILE and not target.row[1] & (LINKED | UNREADABLE):
            target.row = flagged(target.row, target.row[1] | LINKED)
            self._has_links = True
        return target

    def _unreadable(self, parts: list[bytes], row: bytes) -> bytes:
        named = shown(unpack_row(row).rest)
        reason = self._error(
            parts, f"it is a hard link to {named}, which is no file of its layer or a lower one"
        ).reason
        return pack_fields(FILE, UNREADABLE, 0o644, 0, 0, 0, 0) + encoded(reason)

    def _hide(self, parts: list[bytes]) -> None:
        """Take away what a whiteout hides of lower layers."""
        last = parts[-1]
        hidden = last[len(WHITEOUT) :]
        if last != OPAQUE and last.startswith(AUFS):
            return
        if hidden in (b"", b".", b".."):
            raise self._error(parts, "it is a whiteout without a name")
        where = self._directory(parts, make=False)
        if where is None or where.children is None:
            return
        if last == OPAQUE:
            self._prune(where)
            return
        gone = where.children.get(hidden)
        if gone is not None:
            self._prune(gone)
            if gone.layer != self._layer and not gone.children:
                del where.children[hidden]
                self._entries -= 1

    def _prune(self, top: _Node) -> None:
        """Take out of a directory what lower layers put there, but for the directories that lead to the rest."""
        found, at = [top], 0
        while at < len(found):
            found += [child for child in (found[at].children or {}).values() if child.children is not None]
            at += 1
        for node in reversed(found):
            children = node.children or {}
            self._steps += 1 + len(children)
            gone = [name for name, child in children.items() if child.layer != self._layer and not child.children]
            for name in gone:
                del children[name]
            self._entries -= len(gone)

    def _forget(self, node: _Node) -> None:
        """Count no more what is in something that goes; the last member may have been put through it."""
        todo = [node]
        while todo:
            children = todo.pop().children or {}
            self._entries -= len(children)
            self._steps += len(children)
            todo += children.values()
        self._last = None

    def _drop_aufs(self) -> None:
        """Take out what aufs kept in directories of its own: hard links of its layer may have been to it."""
        children = self._root.children or {}
        for name in [name for name in children if name.startswith(AUFS)]:
            self._forget(children[name])
            del children[name]
            self._entries -= 1
            self._has_links = True


def _forget_lost_links(rows: dict[bytes, bytes]) -> None:
    """Let a file that has lost the last of its hard links be as if it never had one."""
    starts = Counter(unpack_row(row).start for row in rows.values() if row[0] == FILE and row[1] & LINKED)
    for path, row in rows.items():
        if row[0] == FILE and row[1] & LINKED and starts[unpack_row(row).start] == 1:
            rows[path] = flagged(row, row[1] & ~LINKED)
