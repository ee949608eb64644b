"""The rows that members of a tar have in a table: those of tarballs and of an image's layers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.tar_table import (
    CAPABLE,
    DIRECTORY,
    FILE,
    REMAKE,
    SPARSE,
    SPECIAL,
    SYMLINK,
    UNREADABLE,
    pack_fields,
    sparse_rest,
)
from minpack.paths import PATH_MAX
from minpack.rootfs.access import is_executable
from minpack.rootfs.entry import Kind
from minpack.tar.names import shown
from minpack.tar.read import damaged
from minpack.tar.sparse import SparseForm

if TYPE_CHECKING:
    from minpack.errors import ArchiveError
    from minpack.tar.read import Member

#: The row of a directory that no member is of.
IMPLIED = pack_fields(DIRECTORY, 0, 0o755, 0, 0, 0, 0)


class RowMaker:
    """Makes the rows of one tar's members.

    :param name: what to call the tar in errors.
    :param largest: the most bytes that a sparse file may have.
    """

    def __init__(self, name: str, largest: int) -> None:
        self.name = name
        self._largest = largest

    def error(self, member: Member, reason: str) -> ArchiveError:
        """The error that says what is wrong with `member`."""
        return damaged(self.name, member.at, member.name, reason, REMAKE)

    def row(self, member: Member) -> bytes:
        """The row of a member that is not a hard link.

        :raises ArchiveError: it is a symlink that cannot be.
        """
        kind = member.kind
        if kind is Kind.FILE:
            if member.sparse is not None or member.problem:
                return self._unusual(member)
            row = pack_fields(FILE, 0, member.mode, member.uid, member.gid, member.start, member.size)
            return _capable(row, member) if member.capability else row
        if kind is Kind.SYMLINK:
            return pack_fields(SYMLINK, 0, 0o777, member.uid, member.gid, 0, 0) + self._target(member)
        number = DIRECTORY if kind is Kind.DIRECTORY else SPECIAL
        return pack_fields(number, 0, member.mode, member.uid, member.gid, 0, 0)

    def _unusual(self, member: Member) -> bytes:
        """The row of a file that is not just its data."""
        if member.sparse is None or member.problem:
            return self.unreadable(member, member.problem, member.size)
        form, size, at, length = member.sparse
        if size > self._largest:
            problem = f"it is a sparse file of {size} bytes, more than any root file system has"
            return self.unreadable(member, problem, member.size)
        if form is SparseForm.DATA:
            at, length = member.start, 0
        fields = pack_fields(FILE, SPARSE, member.mode, member.uid, member.gid, member.start, size)
        row = fields + sparse_rest(form, at, length, member.size)
        return _capable(row, member) if member.capability else row

    def unreadable(self, member: Member, problem: str, size: int) -> bytes:
        """The row of a file whose bytes cannot be had."""
        fields = pack_fields(FILE, UNREADABLE, member.mode, member.uid, member.gid, member.start, size)
        return fields + encoded(self.error(member, problem).reason)

    def _target(self, member: Member) -> bytes:
        """What a symlink says: anything that symlink(2) would take."""
        link = encoded(member.link)
        if not link or b"\0" in link or len(link) >= PATH_MAX:
            raise self.error(member, "it is a symlink to nothing, or to a name that is too long")
        return link


def _capable(row: bytes, member: Member) -> bytes:
    """The row with the member's capabilities, if they count."""
    if not is_executable(member.kind, member.mode):
        return row
    return flagged(row, row[1] | CAPABLE) + member.capability


def flagged(row: bytes, flags: int) -> bytes:
    """The row with other flags."""
    return row[:1] + bytes((flags,)) + row[2:]


def encoded(text: str) -> bytes:
    """The bytes that a name in a tar has."""
    return text.encode("utf-8", "surrogateescape")


def key_of_parts(parts: list[bytes]) -> bytes:
    """A path as tables have it."""
    return b"\0" + b"\0".join(parts) if parts else b""


def shown_key(path: bytes) -> str:
    """A path that tables have, as errors show it."""
    return shown(path.replace(b"\0", b"/"))
