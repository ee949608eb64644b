"""What a tarball's members make when they are unpacked one after another, as GNU tar does it in a root of its own.

A later member takes the place of an earlier one, but nothing that of a directory with something in it. What lies
below a symlink goes where that leads in the root. Refused is what could leave the root: ``..`` names, and
members below a file. A member that cannot be read, as a hard link to what is not there, is refused when it is wanted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from minpack.base.tar_rows import IMPLIED, RowMaker, encoded, flagged, key_of_parts, shown_key
from minpack.base.tar_table import DIRECTORY, FILE, KINDS, LINKED, SYMLINK, build_table, unpack_row
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX
from minpack.rootfs.entry import Kind
from minpack.tar.decompress import limit_for
from minpack.tar.names import MAX_ENTRIES, MAX_NAMES, UnsafeNameError, link_parts, member_parts, shown
from minpack.tar.read import Member, Tape, damaged

if TYPE_CHECKING:
    from minpack.content import RangeContent

#: The kernel's limit of links in one lookup (path_resolution(7)), and the most parts that all lookups may take.
MAX_LINKS = 40
MAX_STEPS = 10_000_000


class TarIndex(NamedTuple):
    """The entries of a tar as a table (`tartable`), and whether blocks of zeros mark its end."""

    table: bytearray
    has_end: bool


def index_of(tar: RangeContent, name: str, notes: tuple[str, ...] = ()) -> TarIndex:
    """The entries of an uncompressed tar.

    Hard links are files that share their data with the member they name.

    :param name: what to call the tar in errors.
    :param notes: what the table says besides.
    :raises ArchiveError: it is damaged, has no members, or holds what is refused.
    """
    with tar.open() as reader:
        tape = Tape(reader, tar.size, name)
        made = _Rows(name, limit_for(tar.size))
        for member in tape.members():
            made.add(member)
        if not made.count:
            raise damaged(name, 0, "", "it is empty: a tar without members")
        if tape.is_followed():
            notes += ("another archive follows the end of the base's tarball and was ignored, as tar does",)
        return TarIndex(build_table(made.finished(), made.implied, notes), tape.end is not None)


class _Rows(RowMaker):
    """The rows so far, by path, each slash a NUL."""

    def __init__(self, name: str, largest: int) -> None:
        super().__init__(name, largest)
        self._bytes = 0
        self._steps = 0
        #: The directories that have something in them; None before anyone asks.
        self._parents: set[bytes] | None = None
        #: Whether a file with hard links was replaced.
        self._lost_link = False
        self.rows = {b"": IMPLIED}
        self.implied = {b""}
        self.count = 0

    def add(self, member: Member) -> None:
        """Put in a member.

        :raises ArchiveError: it is refused.
        """
        try:
            parts = member_parts(encoded(member.name))
        except UnsafeNameError as error:
            raise self.error(member, str(error)) from error
        path = key_of_parts(parts)
        above = self.rows.get(path[: path.rfind(b"\0")])
        if above is None or above[0] != DIRECTORY:
            path = self._physical(member, parts)
            self._imply(member, path)
        row = self._row(member, path)
        known = self.rows.get(path)
        self.count += 1
        if known is None:
            self._charge(member, len(path) + len(row) - len(IMPLIED))
            self._put(path, row)
        elif row is not known:
            self._charge(member, len(row) - len(IMPLIED))
            self._replace(member, path, known, row)

    def finished(self) -> dict[bytes, bytes]:
        """The rows, once all members are in."""
        if self._lost_link:
            # What has lost the last of its links is as if it never had one.
            starts = Counter(_start_of(row) for row in self.rows.values() if row[1] & LINKED)
            for path, row in self.rows.items():
                if row[1] & LINKED and starts[_start_of(row)] == 1:
                    self.rows[path] = flagged(row, row[1] & ~LINKED)
        return self.rows

    def _put(self, path: bytes, row: bytes) -> None:
        self.rows[path] = row
        if self._parents is not None:
            self._parents.add(path.rpartition(b"\0")[0])

    def _replace(self, member: Member, path: bytes, known: bytes, row: bytes) -> None:
        """Let `row` take the place of `known`, which goes; but not if it is a directory with something in it."""
        if row[0] != DIRECTORY:
            if not path:
                raise self.error(member, f"the root would be a {member.kind}")
            if known[0] == DIRECTORY and self._has_entries(path):
                raise self.error(member, f"it would take the place of {shown_key(path)}, a directory that holds others")
        self._lost_link |= bool(known[1] & LINKED)
        self.rows[path] = row
        if known is IMPLIED:
            self.implied.discard(path)

    def _has_entries(self, path: bytes) -> bool:
        if self._parents is None:
            self._parents = {other.rpartition(b"\0")[0] for other in self.rows}
        return path in self._parents

    def _charge(self, member: Member, count: int) -> None:
        """Count the bytes that another path or link takes."""
        self._bytes += count
        if len(self.rows) > MAX_ENTRIES or self._bytes > MAX_NAMES:
            reason = "it has more names than any root file system"
            raise damaged(self.name, member.at, member.name, reason, "use a tarball of a root file system")

    def _physical(self, member: Member, parts: list[bytes]) -> bytes:
        """Where a path leads, the symlinks above its last part followed in the root (path_resolution(7))."""
        todo, last = parts[-2::-1], parts[-1]
        here, links = b"", 0
        while todo:
            part = todo.pop()
            self._steps += 1
            if part in (b"", b"."):
                continue
            if part == b"..":
                here = here.rpartition(b"\0")[0]
                continue
            below = here + b"\0" + part
            known = self.rows.get(below)
            if known is None or known[0] == DIRECTORY:
                here = below
            elif known[0] == SYMLINK:
                links += 1
                into = unpack_row(known).rest
                here = b"" if into[:1] == b"/" else here
                todo += into.split(b"/")[::-1]
            else:
                raise self.error(member, f"it would be below {shown_key(below)}, which is a {KINDS[known[0]]}")
            if links > MAX_LINKS or len(todo) > PATH_MAX or self._steps > MAX_STEPS:
                raise self.error(member, f"it would be below {shown_key(below)}, behind too many symlinks")
        if len(here) + len(last) + 1 >= PATH_MAX:
            raise self.error(member, "its name is too long")
        return here + b"\0" + last

    def _imply(self, member: Member, path: bytes) -> None:
        """Put in the directories above `path` that are not there."""
        at = path.find(b"\0", 1)
        while at != -1:
            above = path[:at]
            if above not in self.rows:
                self._charge(member, len(above))
                self._put(above, IMPLIED)
                self.implied.add(above)
            at = path.find(b"\0", at + 1)

    def _row(self, member: Member, path: bytes) -> bytes:
        return self._linked(member, path) if member.kind is Kind.HARDLINK else self.row(member)

    def _linked(self, member: Member, path: bytes) -> bytes:
        """The row that a hard link is another name of."""
        named = encoded(member.link)
        try:
            parts = link_parts(named)
        except UnsafeNameError:
            return self.unreadable(member, f"it is a hard link to {shown(named)}, which is not in the archive", 0)
        there = key_of_parts(parts)
        above = self.rows.get(there.rpartition(b"\0")[0])
        if above is None or above[0] != DIRECTORY:
            there = self._physical(member, parts)
        target = self.rows.get(there)
        if target is not None and there == path:
            return target  # link(2) has nothing to do
        if target is None or target[0] == DIRECTORY:
            what = "a directory" if target is not None else "not a member before it"
            return self.unreadable(member, f"it is a hard link to {shown(named)}, which is {what}", 0)
        if target[0] == FILE and not target[1] & LINKED:
            target = self.rows[there] = flagged(target, target[1] | LINKED)
        return target


def _start_of(row: bytes) -> int:
    return unpack_row(row).start
